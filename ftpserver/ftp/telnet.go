package ftp

import "bytes"

// Telnet's commands (RFC 854).
const (
	telnetIAC      = 255 // interpret as command
	telnetDont     = 254
	telnetDo       = 253
	telnetWont     = 252
	telnetWill     = 251 // this and those above carry an option
	telnetSub      = 250 // begins what telnetSubEnd ends
	telnetSubEnd   = 240
	telnetCommands = 240 // the lowest
)

// maxRefusals bounds how many offers of one line are answered.
const maxRefusals = 8

// readTelnet takes Telnet's commands out of a line. Interrupts and marks, which
// clients send before ABOR, mean nothing by themselves. Options that are offered
// or asked for are refused: the second result is what to answer (RFC 1123
// §4.1.2.12). A byte 255 is doubled (RFC 854); one that is not, and that no
// command follows, is taken for what the client means: a byte of a name.
func readTelnet(line []byte) (text, refusals []byte) {
	if bytes.IndexByte(line, telnetIAC) < 0 {
		return line, nil
	}
	text = line[:0]
	for i := 0; i < len(line); i++ {
		if line[i] != telnetIAC {
			text = append(text, line[i])
			continue
		}
		if i++; i == len(line) {
			if bytes.IndexByte(text, ' ') > 0 { // the end of a name, and else of a command of Telnet that was cut short
				text = append(text, telnetIAC)
			}
			break
		}
		switch next := line[i]; {
		case next == telnetIAC:
			text = append(text, telnetIAC)
		case next >= telnetWill:
			if i++; i < len(line) && len(refusals) < 3*maxRefusals {
				refusals = appendRefusal(refusals, next, line[i])
			}
		case next == telnetSub:
			i = subEnd(line, i)
		case next < telnetCommands:
			text = append(text, telnetIAC, next)
		}
	}
	return text, refusals
}

// appendRefusal answers an offer or a request. What is taken back was never on,
// and is not answered (RFC 854, page 2).
func appendRefusal(b []byte, verb, option byte) []byte {
	switch verb {
	case telnetWill:
		return append(b, telnetIAC, telnetDont, option)
	case telnetDo:
		return append(b, telnetIAC, telnetWont, option)
	}
	return b
}

// subEnd is where a subnegotiation that begins at i ends; the line's last byte
// if it doesn't.
func subEnd(line []byte, i int) int {
	if n := bytes.Index(line[i:], []byte{telnetIAC, telnetSubEnd}); n >= 0 {
		return i + n + 1
	}
	return len(line) - 1
}
