package telemetry

import (
	"net/http"
	"net/netip"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// takesSessions answers whoever would send clients here, and tells nothing but
// what concerns the asker.
func (a *Admin) takesSessions(w http.ResponseWriter, r *http.Request) {
	if a.options.TakesSessions == nil {
		http.NotFound(w, r)
		return
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		plain(w, http.StatusServiceUnavailable, "the asker has no address")
		return
	}
	if err := a.options.TakesSessions(from.Addr().Unmap().WithZone(""), r.URL.RawQuery == config.HeaderQuery); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	plain(w, http.StatusOK, "ok")
}
