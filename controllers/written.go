package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// catchUp is how long to wait where the cache lags behind the operator's own
// writes.
const catchUp = 20 * time.Millisecond

// written remembers the version of each object whose status was just written. A
// pass over an older one would compare its findings with a status that is no
// longer there, and so write too little.
type written struct {
	mu       sync.Mutex
	versions map[client.ObjectKey]writtenVersion
}

type writtenVersion struct {
	uid             types.UID
	resourceVersion string
}

func newWritten() *written { return &written{versions: map[client.ObjectKey]writtenVersion{}} }

// note remembers an object as the API server returned it.
func (w *written) note(o client.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.versions[client.ObjectKeyFromObject(o)] = writtenVersion{o.GetUID(), o.GetResourceVersion()}
}

// stale tells whether an object, as the cache has it, is older than what was
// written. Once the cache has caught up nothing is remembered.
func (w *written) stale(o client.Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := client.ObjectKeyFromObject(o)
	was, ok := w.versions[key]
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(o.GetResourceVersion(), was.resourceVersion)
	if was.uid == o.GetUID() && err == nil && order < 0 {
		return true
	}
	delete(w.versions, key)
	return false
}

// forget drops what is remembered of an object that is gone: no pass over it is
// going to.
func (w *written) forget(key client.ObjectKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.versions, key)
}
