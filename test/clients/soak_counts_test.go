package clients

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkMetrics compares what the server has counted with what its clients know.
func (s *soak) checkMetrics() {
	s.t.Helper()
	m := scrape(s.t, s.server)
	sum := func(prefix string, parts ...string) (n float64) {
		for name, v := range m {
			if strings.HasPrefix(name, "ftpserver_"+prefix) && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(name, p) }) {
				n += v
			}
		}
		return n
	}
	between := func(what string, got float64, least, most int64) {
		s.t.Helper()
		if got < float64(least) || got > float64(most) {
			s.t.Errorf("%s: the server has counted %.0f, its clients from %d to %d", what, got, least, most)
		}
	}
	for _, direction := range []string{"upload", "download"} {
		known := s.counted(direction + "s")
		between("complete "+direction+"s", sum("transfers_total", `"complete"`, `"`+direction+`"`), known, known+s.counted(direction+"s in doubt"))
	}
	const unbounded = 1 << 60
	between("bytes sent up", sum("transferred_bytes_total", `"upload"`), s.counted("bytes up"), unbounded)
	between("bytes sent down", sum("transferred_bytes_total", `"download"`), s.counted("bytes down"), unbounded)
	between("sessions", sum("sessions_opened_total"), s.counted("sessions"), unbounded)
	between("sessions ended", sum("sessions_closed_total"), int64(sum("sessions_opened_total")), int64(sum("sessions_opened_total")))
	between("logins", sum("logins_total", `"accepted"`), s.counted("logins"), unbounded)
	between("wrong passwords", sum("logins_total", `"refused"`)+sum("logins_total", `"locked"`), s.counted("wrong passwords"), unbounded)
	between("configurations loaded", sum("config_reloads_total", `"loaded"`), s.counted("configurations loaded"), unbounded)
	all := int64(sum("transfers_total", `"upload"`) + sum("transfers_total", `"download"`))
	between("lines of the transfer log lost", sum("xferlog_dropped_total"), 0, 0)
	between("lines of the transfer log", float64(s.transfersLogged()), all, all)
}

// transfersLogged is how many lines the logs of transfers hold, old ones and new.
func (s *soak) transfersLogged() (n int) {
	s.t.Helper()
	logs, err := filepath.Glob(s.xferlog() + "*")
	s.must(err)
	for _, log := range logs {
		data, err := os.ReadFile(log)
		s.must(err)
		n += bytes.Count(data, []byte("\n"))
	}
	return n
}
