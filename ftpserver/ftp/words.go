package ftp

import "strings"

// words takes an argument of several names apart. A name stands in double
// quotes, which are doubled inside (RFC 959 appendix II), or holds no space.
// ok is false where a quote is not closed, or followed by something else.
func words(arg string) (out []string, ok bool) {
	for {
		arg = strings.TrimLeft(arg, " ")
		if arg == "" {
			return out, true
		}
		var word string
		if word, arg, ok = cutWord(arg); !ok {
			return nil, false
		}
		out = append(out, word)
	}
}

// cutWord takes the first name off an argument.
func cutWord(arg string) (word, rest string, ok bool) {
	if !strings.HasPrefix(arg, `"`) {
		word, rest, _ = strings.Cut(arg, " ")
		return word, rest, true
	}
	var b strings.Builder
	for i := 1; i < len(arg); i++ {
		switch {
		case arg[i] != '"':
			b.WriteByte(arg[i])
		case i+1 < len(arg) && arg[i+1] == '"':
			b.WriteByte('"')
			i++
		default:
			rest = arg[i+1:]
			return b.String(), rest, b.Len() > 0 && (rest == "" || rest[0] == ' ')
		}
	}
	return "", "", false
}
