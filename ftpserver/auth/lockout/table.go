package lockout

import "container/list"

// table holds at most size values. What was neither read nor written for longest
// makes way for what is new.
type table[V any] struct {
	size   int
	items  map[uint64]*list.Element
	recent *list.List // of item[V], most recently used first
}

type item[V any] struct {
	key   uint64
	value V
}

func newTable[V any](size int) table[V] {
	return table[V]{size: size, items: map[uint64]*list.Element{}, recent: list.New()}
}

// get returns the value of a key.
func (t *table[V]) get(key uint64) (v V, ok bool) {
	e, ok := t.items[key]
	if ok {
		t.recent.MoveToFront(e)
		v = e.Value.(*item[V]).value
	}
	return v, ok
}

func (t *table[V]) put(key uint64, v V) {
	if e, ok := t.items[key]; ok {
		e.Value.(*item[V]).value = v
		t.recent.MoveToFront(e)
		return
	}
	for t.recent.Len() >= t.size {
		t.drop(t.recent.Back())
	}
	t.items[key] = t.recent.PushFront(&item[V]{key, v})
}

func (t *table[V]) remove(key uint64) {
	if e, ok := t.items[key]; ok {
		t.drop(e)
	}
}

func (t *table[V]) drop(e *list.Element) {
	delete(t.items, e.Value.(*item[V]).key)
	t.recent.Remove(e)
}

// clean drops what is over, from the end that was not used for longest. Each call
// drops two at most: it is made when one is put in.
func (t *table[V]) clean(over func(V) bool) {
	for range 2 {
		e := t.recent.Back()
		if e == nil || !over(e.Value.(*item[V]).value) {
			return
		}
		t.drop(e)
	}
}
