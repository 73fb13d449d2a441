package live

import "context"

// Run reloads whenever the files change, and every 30 seconds as a net, until
// ctx ends. It then returns nil. What is refused is logged and told in the
// snapshot's Files; it does not end Run.
func (s *Source) Run(ctx context.Context) error {
	w := newWatch(s.log)
	defer w.close()
	for {
		if !w.follow(s.watched()) && !w.wait(ctx, s.poke) {
			return nil
		}
		_ = s.reload()
	}
}

func (s *Source) watched() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.watched
}
