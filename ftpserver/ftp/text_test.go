package ftp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestTextSizes: in TYPE A, SIZE is what a download brings, and a download that
// was cut anywhere goes on there.
func TestTextSizes(t *testing.T) {
	inBoth(t, nil, func(t *testing.T, b *bench, c *client) {
		c.do("TYPE A", "200")
		random := rand.New(rand.NewPCG(1, 2))
		content := func(n int) string {
			var s strings.Builder
			for range n {
				s.WriteString([]string{"\n", "\r", "\r\n", "a", "text"}[random.IntN(5)])
			}
			return s.String()
		}
		files := []string{"", "\n", "\r", "\r\n", "x", content(10), content(1000), content(blockSize), strings.Repeat("x", blockSize-1) + "\r\n" + strings.Repeat("\n", blockSize)}
		for i, stored := range files {
			name := fmt.Sprintf("file%d", i)
			b.file(name, stored)
			whole, reply := c.download("RETR " + name)
			if want := string(asText([]byte(stored))); whole != want || !strings.HasPrefix(reply, "226") {
				t.Fatalf("%s: %d octets came, want %d; %s", name, len(whole), len(want), reply)
			}
			c.do("SIZE "+name, fmt.Sprintf("213 %d", len(whole)))
			for _, at := range []int{0, 1, len(whole) / 2, len(whole) - 1, len(whole)} {
				if at < 0 || at > len(whole) {
					continue
				}
				c.do(fmt.Sprintf("REST %d", at), "350")
				if rest, _ := c.download("RETR " + name); rest != whole[at:] {
					t.Errorf("%s from %d on: %.20q, want %.20q", name, at, rest, whole[at:])
				}
			}
		}
	})
}

// TestLargeText: counting has an end.
func TestLargeText(t *testing.T) {
	b := newBench(t, nil)
	path := b.file("file", "")
	must(t, os.Truncate(path, maxText))
	c := b.login()
	c.do("TYPE A", "200")
	c.do("SIZE file", fmt.Sprintf("213 %d", maxText))
	must(t, os.Truncate(path, maxText+1))
	c.do("SIZE file", "550 In TYPE A")
	c.do(fmt.Sprintf("REST %d", maxText), "350")
	c.do(fmt.Sprintf("REST %d", maxText+1), "504")
	c.do("TYPE I", "200")
	c.do(fmt.Sprintf("REST %d", maxText+1), "350")
	c.do("TYPE A", "200")
	_ = c.open()
	c.do("RETR file", "554")
}
