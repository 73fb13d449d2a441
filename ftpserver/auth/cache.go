package auth

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// cache remembers the most recently used logins, each for ttl after it was
// verified. It holds neither a name nor a password.
type cache struct {
	size int
	ttl  time.Duration

	mu      sync.Mutex
	entries map[[sha256.Size]byte]*list.Element
	recent  *list.List // of cached, most recently used first
}

type cached struct {
	key     [sha256.Size]byte
	expires time.Time
}

func newCache(size int, ttl time.Duration) *cache {
	return &cache{
		size:    size,
		ttl:     ttl,
		entries: make(map[[sha256.Size]byte]*list.Element),
		recent:  list.New(),
	}
}

// has does not extend the entry's life: every login is verified again in time.
func (c *cache) has(key [sha256.Size]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return false
	}
	if !time.Now().Before(e.Value.(cached).expires) {
		c.remove(e)
		return false
	}
	c.recent.MoveToFront(e)
	return true
}

func (c *cache) add(key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.remove(e)
	}
	for c.recent.Len() >= c.size {
		c.remove(c.recent.Back())
	}
	c.entries[key] = c.recent.PushFront(cached{key: key, expires: time.Now().Add(c.ttl)})
}

func (c *cache) remove(e *list.Element) {
	delete(c.entries, e.Value.(cached).key)
	c.recent.Remove(e)
}
