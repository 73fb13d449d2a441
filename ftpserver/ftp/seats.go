package ftp

import "sync"

// seats counts the sessions of each user on this process.
type seats struct {
	mu    sync.Mutex
	taken map[string]int
}

// take counts one more, and is false if there are as many as may be. A limit of
// 0 is none.
func (s *seats) take(user string, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit > 0 && s.taken[user] >= limit {
		return false
	}
	if s.taken == nil {
		s.taken = map[string]int{}
	}
	s.taken[user]++
	return true
}

func (s *seats) leave(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[user]--; s.taken[user] <= 0 {
		delete(s.taken, user)
	}
}
