package telemetry

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// publicHandler answers what everyone in the cluster may know.
func (a *Admin) publicHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", probed(a.options.Alive))
	mux.HandleFunc("/readyz", probed(a.options.Ready))
	mux.HandleFunc(config.SessionsPath, a.takesSessions)
	mux.Handle("/metrics", promhttp.HandlerFor(a.options.Metrics.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4,
	}))
	return readOnly(mux)
}

// probed answers 200 unless there is an error, and then with what it is.
func probed(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if check != nil {
			if err := check(); err != nil {
				plain(w, http.StatusServiceUnavailable, err.Error())
				return
			}
		}
		plain(w, http.StatusOK, "ok")
	}
}

// statusHandler answers whoever has the token. The token comes first: without
// it, a stranger does not even learn which paths there are.
func (a *Admin) statusHandler(token func() (string, error)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(config.StatusPath, a.status)
	return authorised(token, readOnly(mux))
}

func (a *Admin) status(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, ok := sessionLimit(query.Get("sessions"))
	if !ok {
		plain(w, http.StatusBadRequest, sessionLimits)
		return
	}
	status := a.options.Status(query.Get("users") == "all")
	if limit > 0 && a.options.Sessions != nil {
		status.SessionList = a.options.Sessions(limit)
	}
	body, err := json.Marshal(status)
	if err != nil {
		a.options.Log.Error("Status cannot be encoded", "error", err)
		plain(w, http.StatusInternalServerError, "the status cannot be encoded")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody to tell
}

var sessionLimits = fmt.Sprintf("sessions must be all, or a number from 1 to %d", config.MaxSessionList)

// sessionLimit is how many sessions a request asks for.
func sessionLimit(query string) (n int, ok bool) {
	switch query {
	case "":
		return 0, true
	case "all":
		return config.MaxSessionList, true
	}
	n, err := strconv.Atoi(query)
	return n, err == nil && n >= 1 && n <= config.MaxSessionList
}

func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, "nothing can be changed here: use GET")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorised compares hashes, so that neither the time nor the length of the
// comparison tells anything of the token (RFC 6750 §2.1).
func authorised(token func() (string, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := token()
		if err != nil {
			plain(w, http.StatusServiceUnavailable, "the server cannot read its token file: see its log")
			return
		}
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			plain(w, http.StatusUnauthorized, "a bearer token is needed")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // the client is gone: nobody to tell
}
