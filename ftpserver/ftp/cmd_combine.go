package ftp

import "fmt"

// comb adds files to the end of another and removes them, for clients that have
// sent one file in parts (draft-peterson-streamlined-ftp-command-extensions §5).
func (s *session) comb(arg string) {
	names, ok := words(arg)
	if !ok || len(names) < 2 {
		s.reply(501, `COMB needs "target" "source" ...`)
		return
	}
	for i, name := range names {
		names[i] = s.path(name)
	}
	files, target, sources := s.files, names[0], names[1:]
	s.work(target, func(w *work) (result, error) {
		size, left, err := files.Combine(w.ctx, target, sources, w.turn)
		if err != nil {
			return result{}, err
		}
		s.log.Info("Files combined", "user", s.user.Name, "path", target, "sources", len(sources), "bytes", size, "left", left)
		text := fmt.Sprintf("Combined into %d bytes", size)
		if left > 0 {
			text += fmt.Sprintf("; %d of the sources could not be removed", left)
		}
		return result{250, text}, nil
	})
}
