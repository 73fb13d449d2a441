package ftp

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

const (
	// How many control sessions that have ended are remembered, and for how long:
	// clients go on to resume their TLS sessions.
	maxRemembered  = 10_000
	rememberedTime = 10 * time.Minute
)

// identity is a login with its password, whose change ends what was before.
type identity struct {
	name, uid string
	secret    [sha256.Size]byte // of the hash that is kept of the password
}

func identityOf(u *config.User) identity {
	return identity{u.Name, u.UID, sha256.Sum256([]byte(u.PasswordHash))}
}

// key is the identity as one word; "" for nobody.
func (i identity) key() string {
	if i == (identity{}) {
		return ""
	}
	return i.name + "\x00" + i.uid + "\x00" + string(i.secret[:])
}

// knownSessions is which control sessions tickets may name, and whose they are.
type knownSessions struct {
	now func() time.Time

	mu       sync.Mutex
	sessions map[uint64]knownSession
	ended    []endedSession // in order of their end
}

type knownSession struct {
	user  identity // who has logged in last; zero for nobody
	until time.Time
}

type endedSession struct {
	session uint64
	until   time.Time
}

func newKnownSessions(now func() time.Time) *knownSessions {
	return &knownSessions{now: now, sessions: map[uint64]knownSession{}}
}

// belongs notes whose a session is; the zero identity is nobody's so far.
func (k *knownSessions) belongs(session uint64, user identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sessions[session] = knownSession{user: user}
}

// end remembers a session that has ended, for a while, if it was somebody's.
func (k *knownSessions) end(session uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	s, ok := k.sessions[session]
	if !ok {
		return
	}
	for len(k.ended) > 0 && (len(k.ended) >= maxRemembered || !k.ended[0].until.After(now)) {
		delete(k.sessions, k.ended[0].session)
		k.ended[0] = endedSession{}
		k.ended = k.ended[1:]
	}
	if s.user == (identity{}) {
		delete(k.sessions, session)
		return
	}
	s.until = now.Add(rememberedTime)
	k.sessions[session] = s
	k.ended = append(k.ended, endedSession{session, s.until})
}

// forget ends a session of which nothing may be remembered.
func (k *knownSessions) forget(session uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.sessions, session)
}

// whose tells whose a session is or was. ok is false if it is not known, or not
// any more.
func (k *knownSessions) whose(session uint64) (user identity, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.sessions[session]
	if !ok || !s.until.IsZero() && !k.now().Before(s.until) {
		return identity{}, false
	}
	return s.user, true
}

func (k *knownSessions) isKnown(session uint64) bool {
	_, ok := k.whose(session)
	return ok
}
