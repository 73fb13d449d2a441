package ftpclient

import (
	"regexp"
	"strconv"
)

// Reply is one of the server's (RFC 959 §4.2); of several lines it is the last.
type Reply struct {
	Code int
	Text string
}

// replyLine is a reply as curl, lftp and ftplib print it, each behind a mark of
// its own.
var replyLine = regexp.MustCompile(`(?m)^(?:< |<--- |\*resp\* ['"](?:.*\\n)?)(\d{3}) (.*?)['"]?\r?$`)

func parseReplies(dialogue string) (out []Reply) {
	for _, m := range replyLine.FindAllStringSubmatch(dialogue, -1) {
		code, _ := strconv.Atoi(m[1])
		out = append(out, Reply{Code: code, Text: m[2]})
	}
	return out
}

var (
	pasvText = regexp.MustCompile(`\d+,\d+,\d+,\d+,(\d+),(\d+)`)
	epsvText = regexp.MustCompile(`\|\|\|(\d+)\|`)
)

// PassivePort is the port that a reply to PASV or EPSV tells, else 0.
func (r Reply) PassivePort() int {
	if m := pasvText.FindStringSubmatch(r.Text); r.Code == 227 && m != nil {
		high, _ := strconv.Atoi(m[1])
		low, _ := strconv.Atoi(m[2])
		return high<<8 + low
	}
	if m := epsvText.FindStringSubmatch(r.Text); r.Code == 229 && m != nil {
		port, _ := strconv.Atoi(m[1])
		return port
	}
	return 0
}
