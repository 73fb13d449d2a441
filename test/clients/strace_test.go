package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// call is a system call of the server, as strace shows it.
type call struct {
	name string
	args string
	// result is what it returned; start and end are the lines of the trace where
	// it began and ended, which differ when threads overlap.
	result     string
	start, end int
}

var (
	wholeCall   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (.*)$`)
	calledPart  = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumedPart = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.*)$`)
)

// parseTrace reads what strace -f wrote, and joins calls that were interrupted
// by those of other threads.
func parseTrace(text string) []call {
	var calls []call
	pending := map[string]int{} // by thread
	for n, line := range strings.Split(text, "\n") {
		if m := wholeCall.FindStringSubmatch(line); m != nil {
			calls = append(calls, call{m[2], m[3], m[4], n, n})
		} else if m := calledPart.FindStringSubmatch(line); m != nil {
			pending[m[1]] = len(calls)
			calls = append(calls, call{name: m[2], args: m[3], start: n, end: n})
		} else if m := resumedPart.FindStringSubmatch(line); m != nil {
			if i, ok := pending[m[1]]; ok && calls[i].name == m[2] {
				calls[i].args += m[3]
				calls[i].result, calls[i].end = m[4], n
			}
		}
	}
	return calls
}

// underStrace starts a server with its calls of these names traced. ended waits until
// so many sessions have ended, and returns the trace.
func underStrace(t *testing.T, names string, edit func(*config.Config)) (s *server, ended func(sessions int) []call) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is not installed: apt-get install strace")
	}
	s = newServer(t, config.TLSDisabled, edit)
	out := filepath.Join(t.TempDir(), "trace")
	s.wrap = []string{"strace", "-f", "-qq", "-y", "-s", "64", "-e", "signal=none", "-o", out, "-e", "trace=" + names}
	s.start()
	return s, func(sessions int) []call {
		t.Helper()
		var data []byte
		eventually(t, 2*time.Minute, "the acknowledgement in the trace", func() bool {
			var err error
			data, err = os.ReadFile(out)
			return err == nil && strings.Count(string(data), `"221 `) >= sessions
		})
		return parseTrace(string(data))
	}
}

// traced runs one upload on a server under strace, and returns the trace from
// the acceptance of the upload (150) to its acknowledgement (226).
func traced(t *testing.T, d config.Durability) (trace []call, dir string) {
	t.Helper()
	s, ended := underStrace(t, "openat,openat2,write,fsync,fdatasync,sync_file_range,renameat,renameat2,linkat",
		func(c *config.Config) { c.Storage.Durability = d })
	client := ftpclient.Connection{Client: ftpclient.Curl{}, Target: s.target()}
	must(t, client.Upload(soon(t), randomFile(t, 100<<10), "/file"))
	all := ended(1)
	first := index(t, all, 0, "the 150", func(c call) bool { return c.name == "write" && strings.Contains(c.args, `"150 `) })
	last := index(t, all, first, "the 226", func(c call) bool { return c.name == "write" && strings.Contains(c.args, `"226 `) })
	if descriptor(all[first]) != descriptor(all[last]) {
		t.Fatal("150 and 226 went to different connections")
	}
	// The temporary may be opened just before the 150.
	return all[:last+1], s.home("alice")
}

// descriptor is the first argument: a number and, in angle brackets, what it is.
func descriptor(c call) string { return c.args[:strings.IndexByte(c.args, '>')+1] }

func index(t *testing.T, calls []call, from int, what string, is func(call) bool) int {
	t.Helper()
	for i := from; i < len(calls); i++ {
		if is(calls[i]) {
			return i
		}
	}
	t.Fatalf("not in the trace: %s", what)
	return -1
}

// TestDurability: before the 226 leaves, the file is on the disk, has its name
// there, and the directory that holds the name is on the disk too.
func TestDurability(t *testing.T) {
	t.Parallel()
	trace, dir := traced(t, config.DurabilityFull)
	temporary := regexp.MustCompile(`"` + regexp.QuoteMeta(hiddenPrefix) + `tmp-[^"]*"`)

	created := index(t, trace, 0, "the temporary's creation", func(c call) bool {
		return strings.HasPrefix(c.name, "openat") && strings.Contains(c.args, "O_EXCL") && temporary.MatchString(c.args)
	})
	file := trace[created].result // a descriptor and its path
	synced := index(t, trace, created, "fsync of the file "+file, func(c call) bool {
		return c.name == "fsync" && strings.HasPrefix(file, c.args) && c.result == "0"
	})
	renamed := index(t, trace, synced, "rename to the name", func(c call) bool {
		return strings.HasPrefix(c.name, "renameat") && temporary.MatchString(c.args) &&
			strings.Contains(c.args, `"file"`) && strings.Contains(c.args, "<"+dir+">") && c.result == "0"
	})
	flushed := index(t, trace, renamed, "fsync of the directory "+dir, func(c call) bool {
		return c.name == "fsync" && strings.HasSuffix(c.args, "<"+dir+">") && c.result == "0"
	})
	acknowledged := len(trace) - 1
	order := []int{created, synced, renamed, flushed, acknowledged}
	for i, step := range order[1:] {
		if trace[order[i]].end >= trace[step].start {
			t.Errorf("%s began before %s had ended", trace[step].name, trace[order[i]].name)
		}
	}
}

// TestNoDurability: where it was switched off, nobody waits for the disk.
func TestNoDurability(t *testing.T) {
	t.Parallel()
	trace, _ := traced(t, config.DurabilityNone)
	for _, c := range trace {
		if strings.Contains(c.name, "sync") {
			t.Errorf("%s(%s)", c.name, c.args)
		}
	}
}

// TestRateKeepsZeroCopy: at a rate, files go from and to the connection within the
// kernel as without one, in portions, and the kernel is told to keep little of them.
func TestRateKeepsZeroCopy(t *testing.T) {
	t.Parallel()
	const rate, portion = 2 << 20, 2 << 20 / 25
	s, ended := underStrace(t, "read,write,sendfile,splice,setsockopt", func(c *config.Config) {
		c.Limits.Rates = config.Rates{DownloadRatePerSession: rate, UploadRatePerSession: rate}
	})
	client := ftpclient.Connection{Client: ftpclient.Curl{}, Target: s.target()}
	local := randomFile(t, 1<<20)
	must(t, client.Upload(soon(t), local, "/file"))
	must(t, client.Download(soon(t), "/file", filepath.Join(t.TempDir(), "file")))
	moved, options := map[string]int64{}, map[string]bool{}
	for _, c := range ended(2) {
		for _, name := range []string{"SO_RCVBUF", "TCP_NOTSENT_LOWAT"} {
			options[name] = options[name] || c.name == "setsockopt" && strings.Contains(c.args, name)
		}
		n, err := strconv.ParseInt(strings.Fields(c.result)[0], 10, 64)
		if err != nil || n <= 0 || c.name == "setsockopt" || !strings.Contains(c.args, s.root) {
			continue
		}
		moved[c.name] += n
		if n > portion {
			t.Errorf("%s(%s) moves %d bytes, more than %d", c.name, c.args, n, portion)
		}
	}
	if len(moved) != 2 || moved["sendfile"] != 1<<20 || moved["splice"] != 1<<20 {
		t.Errorf("moved, in bytes: %v", moved)
	}
	if !options["SO_RCVBUF"] || !options["TCP_NOTSENT_LOWAT"] {
		t.Errorf("set: %v", options)
	}
}
