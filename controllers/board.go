package controllers

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
)

// Verdict is what a pass over a server found of one of its users.
type Verdict struct {
	UID  types.UID
	Name string
	// Generation is that of the FTPUser which was judged.
	Generation                     int64
	Accepted, Resolved, Programmed policy.Finding
}

// Board is where passes over servers post their verdicts and FTPUsers read
// them: only a server sees all its users and asks its pods. It lives in memory;
// after a restart every server is looked at again, and posts again.
type Board struct {
	// Changed wakes the FTPUsers whose verdict is new.
	Changed chan event.GenericEvent

	mu       sync.Mutex
	verdicts map[client.ObjectKey]map[types.UID]Verdict
}

// NewBoard returns an empty board.
func NewBoard() *Board {
	return &Board{
		Changed:  make(chan event.GenericEvent, 256),
		verdicts: map[client.ObjectKey]map[types.UID]Verdict{},
	}
}

// Post replaces the verdicts of a server and wakes the users that have a new one.
func (b *Board) Post(ctx context.Context, server client.ObjectKey, verdicts []Verdict) {
	next := make(map[types.UID]Verdict, len(verdicts))
	var changed []Verdict
	b.mu.Lock()
	for _, v := range verdicts {
		next[v.UID] = v
		if b.verdicts[server][v.UID] != v {
			changed = append(changed, v)
		}
	}
	b.verdicts[server] = next
	b.mu.Unlock()
	for _, v := range changed {
		user := &v1alpha1.FTPUser{ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace, Name: v.Name}}
		select {
		case b.Changed <- event.GenericEvent{Object: user}:
		case <-ctx.Done(): // the operator ends
			return
		}
	}
}

// Read returns the verdict on a user, if one was posted.
func (b *Board) Read(server client.ObjectKey, user types.UID) (Verdict, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, ok := b.verdicts[server][user]
	return v, ok
}

// Forget drops the verdicts of a server that is gone.
func (b *Board) Forget(server client.ObjectKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.verdicts, server)
}
