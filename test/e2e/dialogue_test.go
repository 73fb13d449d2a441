package e2e

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// dialogue is what the replies to a client tell. A transfer is in progress from
// the announcement of its port until it is acknowledged, or refused before it began.
type dialogue struct {
	completed int   // transfers that were acknowledged
	cut       []int // the ports of those that were cut, and that the client went on with
	overcome  int   // times that it was told 421
	port      int   // of the transfer that was in progress at the end; 0: none
	last      int   // the last reply
}

// restartedAt is what the server says to REST, but for the start of a file.
var restartedAt = regexp.MustCompile(`at [1-9]`)

// readDialogue counts what lftp resumes as the transfer that it was. It also
// resumes what is complete: slower than its receive buffer fills, it may be told
// 421 when the server has long sent all, and then fetches the rest anew.
func readDialogue(replies []ftpclient.Reply) (d dialogue) {
	var resumed, unfinished, begun bool
	for _, r := range replies {
		d.last = r.Code
		told := r.PassivePort()
		if (told != 0 || r.Code == 220) && d.port != 0 { // begun, and not acknowledged
			d.cut, d.port, unfinished = append(d.cut, d.port), 0, true
		}
		switch {
		case told != 0:
			d.port, begun = told, false
		case r.Code == 150:
			begun = true
		case r.Code >= 500 && !begun: // such as 554 to a resume that fits nothing
			d.port, resumed = 0, false
		case r.Code == 350:
			resumed = restartedAt.MatchString(r.Text)
		case r.Code == 421:
			d.overcome++
		case r.Code == 226:
			if !resumed || unfinished {
				d.completed++
			}
			d.port, resumed, unfinished = 0, false, false
		}
	}
	return d
}

func TestReadDialogue(t *testing.T) {
	t.Parallel()
	code := func(n int) ftpclient.Reply { return ftpclient.Reply{Code: n} }
	port := func(n int) ftpclient.Reply {
		return ftpclient.Reply{Code: 229, Text: fmt.Sprintf("Entering Extended Passive Mode (|||%d|)", n)}
	}
	anew, further := ftpclient.Reply{Code: 350, Text: "Restarting at 0: send RETR or STOR"}, ftpclient.Reply{Code: 350, Text: "Restarting at 1888832: send RETR or STOR"}
	for name, c := range map[string]struct {
		replies []ftpclient.Reply
		want    dialogue
	}{
		"nothing":            {nil, dialogue{}},
		"turned away":        {[]ftpclient.Reply{code(421)}, dialogue{overcome: 1, last: 421}},
		"cut before 150":     {[]ftpclient.Reply{code(220), port(7)}, dialogue{port: 7, last: 229}},
		"421 instead of 150": {[]ftpclient.Reply{code(220), port(7), code(421)}, dialogue{overcome: 1, port: 7, last: 421}},
		"cut":                {[]ftpclient.Reply{code(220), port(7), code(150)}, dialogue{port: 7, last: 150}},
		"done, then 421":     {[]ftpclient.Reply{code(220), port(7), code(150), code(226), code(421)}, dialogue{completed: 1, overcome: 1, last: 421}},
		"done, then busy":    {[]ftpclient.Reply{port(7), code(150), code(226), code(425)}, dialogue{completed: 1, last: 425}},
		"two": {
			[]ftpclient.Reply{code(220), port(7), code(150), code(226), port(8), anew, code(150), code(226)},
			dialogue{completed: 2, last: 226},
		},
		"done and resumed": {
			[]ftpclient.Reply{port(7), code(150), code(226), code(421), code(220), port(9), further, code(150), code(226)},
			dialogue{completed: 1, overcome: 1, last: 226},
		},
		"cut and resumed": {
			[]ftpclient.Reply{port(7), code(150), code(421), code(220), port(9), further, code(150), code(226)},
			dialogue{completed: 1, cut: []int{7}, overcome: 1, last: 226},
		},
		"refused to resume": {
			[]ftpclient.Reply{port(7), further, code(554), port(8), anew, code(150), code(226)},
			dialogue{completed: 1, last: 226},
		},
		"cut, then refused to resume": {
			[]ftpclient.Reply{port(7), code(150), code(220), port(8), further, code(554), port(9), anew, code(150), code(226)},
			dialogue{completed: 1, cut: []int{7}, last: 226},
		},
		"failed and done anew": {
			[]ftpclient.Reply{port(7), code(150), code(551), port(8), code(150), code(226)},
			dialogue{completed: 1, cut: []int{7}, last: 226},
		},
		"not reached by EPSV": {
			[]ftpclient.Reply{port(7), port(8), code(150), code(226)},
			dialogue{completed: 1, cut: []int{7}, last: 226},
		},
	} {
		if got := readDialogue(c.replies); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
