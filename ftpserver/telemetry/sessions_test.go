package telemetry

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// TestTransitions is the whole table: from each state in the first column, those
// marked may follow.
func TestTransitions(t *testing.T) {
	states := []SessionState{StateConnected, StateAuthenticating, StateIdle, StateTransferring, StateDraining, StateClosed}
	for from, row := range map[SessionState]string{
		//                   con aut idl tra dra clo
		StateConnected:      ".   x   x   .   x   x",
		StateAuthenticating: "x   .   x   .   x   x",
		StateIdle:           "x   x   .   x   x   x",
		StateTransferring:   ".   .   x   .   x   x",
		StateDraining:       ".   .   .   x   .   x",
		StateClosed:         ".   .   .   .   .   .",
	} {
		for i, mark := range strings.Fields(row) {
			if got := from.MayBecome(states[i]); got != (mark == "x") {
				t.Errorf("%s to %s: %v", from, states[i], got)
			}
		}
	}
}

// TestStatusOfSessions: only on request, and no more than asked for.
func TestStatusOfSessions(t *testing.T) {
	f := newFixture(t)
	f.admin.options.Sessions = func(limit int) []config.SessionStatus {
		return make([]config.SessionStatus, min(limit, 3000))
	}
	f.run()
	for query, want := range map[string]int{
		"": 0, "?sessions=": 0, "?sessions=1": 1, "?sessions=all": config.MaxSessionList, "?users=all&sessions=2": 2,
	} {
		resp, body := f.do(http.MethodGet, f.status(query), "Bearer "+token)
		var got config.Status
		if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK || len(got.SessionList) != want {
			t.Errorf("%q: %d, %d sessions, %v, want %d", query, resp.StatusCode, len(got.SessionList), err, want)
		}
	}
	for _, query := range []string{"?sessions=0", "?sessions=-1", "?sessions=1001", "?sessions=x"} {
		if resp, body := f.do(http.MethodGet, f.status(query), "Bearer "+token); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "from 1 to 1000") {
			t.Errorf("%q: %d %q", query, resp.StatusCode, body)
		}
	}
	if resp, body := f.do(http.MethodGet, f.status("?sessions=all"), ""); resp.StatusCode != http.StatusUnauthorized || strings.Contains(body, "client") {
		t.Errorf("without the token: %d %q", resp.StatusCode, body)
	}
}

// TestStatusContract: of a server of another version, what is not known is passed
// over, and what is absent is nothing.
func TestStatusContract(t *testing.T) {
	var older struct {
		Version  string         `json:"version"`
		Sessions map[string]int `json:"sessions"`
	}
	now := config.Status{Version: "v9", Sessions: map[string]int{"idle": 1}, SessionList: []config.SessionStatus{{
		Number: 1, State: "idle", Client: "10.0.0.1:1", Since: time.Now(), Transfer: &config.TransferStatus{Verb: "RETR"},
	}}}
	data, err := json.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &older); err != nil || older.Version != "v9" || older.Sessions["idle"] != 1 {
		t.Errorf("an older reader: %+v, %v", older, err)
	}
	var newer config.Status
	if err := json.Unmarshal([]byte(`{"version":"v1","sessions":{"idle":1}}`), &newer); err != nil || newer.SessionList != nil {
		t.Errorf("an older server: %+v, %v", newer, err)
	}
}
