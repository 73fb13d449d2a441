package ftpclient

import (
	"slices"
	"testing"
)

func TestReplies(t *testing.T) {
	t.Parallel()
	want := []Reply{{229, "Entering Extended Passive Mode (|||30013|)"}, {226, "It's stored"}}
	for name, dialogue := range map[string]string{
		"curl":   "* Connected\n> EPSV\r\n< 229 Entering Extended Passive Mode (|||30013|)\r\n< 211-226 of\r\n{ [5 bytes data]\n< 226 It's stored\r\n",
		"lftp":   "---> EPSV\n<--- 229 Entering Extended Passive Mode (|||30013|)\n<--- 211-226 of\n---- Closing data socket\n<--- 226 It's stored\n",
		"ftplib": "*cmd* 'EPSV'\n*resp* '229 Entering Extended Passive Mode (|||30013|)'\n*resp* \"226 It's stored\"\n",
	} {
		if got := parseReplies(dialogue); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got, want := parseReplies("*resp* '230-Hello\\n230 Logged in'\n"), []Reply{{230, "Logged in"}}; !slices.Equal(got, want) {
		t.Errorf("several lines: %v, want %v", got, want)
	}
}

func TestPassivePort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reply Reply
		want  int
	}{
		{Reply{229, "Entering Extended Passive Mode (|||30013|)"}, 30013},
		{Reply{227, "Entering Passive Mode (10,89,0,200,117,61)"}, 30013},
		{Reply{226, "Done (10,89,0,200,117,61)"}, 0},
		{Reply{229, "No port"}, 0},
	} {
		if got := c.reply.PassivePort(); got != c.want {
			t.Errorf("%+v tells %d, want %d", c.reply, got, c.want)
		}
	}
}
