package auth

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ftp-operator/ftp-operator/ftpserver/auth/passhash"
)

// cheap is a hash of "password" that takes hardly any time.
const cheap = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$9zpz0nGFnSHvRUZdoSvfhg"

func TestVerify(t *testing.T) {
	v := NewVerifier(Options{})
	good, err := passhash.New("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, hash, password string
		want, wantErr        bool
	}{
		{"right", good, "hunter2", true, false},
		{"right again", good, "hunter2", true, false},
		{"wrong", good, "hunter3", false, false},
		{"empty", good, "", false, false},
		{"of another hash", cheap, "hunter2", false, false},
		{"no hash", "hunter2", "hunter2", false, true},
		{"hostile hash", "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$9zpz0nGFnSHvRUZdoSvfhg", "x", false, true},
	}
	for _, tt := range tests {
		got, err := v.Verify(t.Context(), tt.hash, tt.password)
		if got != tt.want || (err != nil) != tt.wantErr {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

// With no worker free, only what is remembered can be told.
func TestRemembersSuccessesOnly(t *testing.T) {
	v := NewVerifier(Options{Workers: 1})
	for _, password := range []string{"password", "wrong"} {
		if _, err := v.Verify(t.Context(), cheap, password); err != nil {
			t.Fatal(err)
		}
	}
	busy(t, v)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := v.Verify(ctx, cheap, "password"); !ok || err != nil {
		t.Errorf("the login that succeeded: %v, %v, want it remembered", ok, err)
	}
	for name, attempt := range map[string][2]string{
		"wrong password": {cheap, "wrong"},
		"changed hash":   {cheap[:len(cheap)-1] + "A", "password"},
		"shifted border": {cheap + "p", "assword"},
	} {
		if ok, err := v.Verify(ctx, attempt[0], attempt[1]); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, %v, want it to wait for a worker", name, ok, err)
		}
	}
}

func TestWaitingForAWorkerEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(Options{Workers: 1})
		busy(t, v)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := v.Dummy(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dummy = %v, want the deadline", err)
		}
		if _, err := v.Verify(ctx, cheap, "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Verify = %v, want the deadline", err)
		}
	})
}

// A client that is gone must not cost a hash, even where a worker is free.
func TestNothingIsHashedForACallerThatIsGone(t *testing.T) {
	v := NewVerifier(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if _, err := v.Verify(ctx, cheap, "password"); !errors.Is(err, context.Canceled) {
			t.Fatalf("error = %v, want Canceled", err)
		}
	}
}

// Those who wait behind the first of several equal logins need not hash: here
// they could not, as the hash is none.
func TestEqualLoginsAtOnceAreHashedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(Options{Workers: 1})
		release := busy(t, v)
		for range 4 {
			go func() {
				if ok, err := v.Verify(t.Context(), "no hash", "password"); !ok || err != nil {
					t.Errorf("Verify = %v, %v, want what the first has found", ok, err)
				}
			}()
		}
		synctest.Wait()
		v.cache.add(v.cacheKey("no hash", "password"))
		release()
		synctest.Wait()
	})
}

// The dummy must be of the parameters that the operator's hashes have, or the
// time of an attempt tells who exists.
func TestDummyCostsWhatAWrongPasswordCosts(t *testing.T) {
	v := NewVerifier(Options{})
	real, err := passhash.New("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	const parameters = len("$argon2id$v=19$m=19456,t=2,p=1$")
	if len(v.dummy) != len(real) || v.dummy[:parameters] != real[:parameters] {
		t.Errorf("the dummy is %s…, hashes are %s…", v.dummy[:parameters], real[:parameters])
	}
	if err := v.Dummy(t.Context(), "hunter2"); err != nil {
		t.Error(err)
	}
	if v.cache.recent.Len() != 0 {
		t.Error("the dummy was remembered")
	}
}

// busy takes the verifier's only worker.
func busy(t *testing.T, v *Verifier) (release func()) {
	t.Helper()
	if err := v.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v.release
}

// TestCacheForgets sleeps in a bubble of synctest, where that sets the clock ahead
// and takes no time.
func TestCacheForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(2, time.Hour)
		a, b, d := [32]byte{1}, [32]byte{2}, [32]byte{3}
		c.add(a)
		c.add(b)
		time.Sleep(30 * time.Minute) // of the bubble's clock: it takes no time
		if !c.has(a) {
			t.Error("a is forgotten within its time")
		}
		c.add(d)
		if c.has(b) || !c.has(a) || !c.has(d) {
			t.Error("not the least recently used made way")
		}
		time.Sleep(30 * time.Minute) // of the bubble's clock: it takes no time
		if c.has(a) {
			t.Error("use has extended the life of a")
		}
		if !c.has(d) {
			t.Error("d is forgotten before its time")
		}
		if len(c.entries) != 1 || c.recent.Len() != 1 {
			t.Errorf("%d entries in %d, want 1", len(c.entries), c.recent.Len())
		}
	})
}

// A login that is refused in any case must take its time, right password or
// not: what is remembered does not make it quick, and is not made by it.
func TestVerifyAnewRemembersNothing(t *testing.T) {
	v := NewVerifier(Options{Workers: 1})
	for _, password := range []string{"password", "wrong"} {
		if ok, err := v.VerifyAnew(t.Context(), cheap, password); ok != (password == "password") || err != nil {
			t.Errorf("%s: %v, %v", password, ok, err)
		}
	}
	if v.cache.recent.Len() != 0 {
		t.Error("it is remembered")
	}
	if _, err := v.Verify(t.Context(), cheap, "password"); err != nil {
		t.Fatal(err)
	}
	busy(t, v)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := v.VerifyAnew(ctx, cheap, "password"); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("a login that is remembered: %v, %v, want it to wait for a worker", ok, err)
	}
}

// Time must not tell who exists: a login that fails, or is refused, costs what
// the dummy costs also where the user's own hash is a cheap one. What is counted
// are derivations, as times are different on every machine.
func TestCheapHashesAreMadeUpFor(t *testing.T) {
	const (
		sum    = "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
		bcrypt = "abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8."
	)
	own, err := passhash.New("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	for hash, made := range map[string]bool{
		cheap:                       true,
		own:                         false,
		"$6$saltstring$" + sum:      true,
		"$6$rounds=99999$a$" + sum:  true,
		"$6$rounds=200000$a$" + sum: false,
		"$2b$08$" + bcrypt:          true,
		"$2b$10$" + bcrypt:          false,
		"no hash":                   false,
	} {
		for _, right := range []bool{false, true} {
			v := NewVerifier(Options{Workers: 1})
			var derived []string
			v.verify = func(hash, _ string) (bool, error) {
				if len(v.workers) != 1 {
					t.Errorf("%s is verified without the worker", hash)
				}
				derived = append(derived, hash)
				return right, passhash.Check(hash)
			}
			want := []string{hash}
			if made {
				want = append(want, v.dummy)
			}
			_, _ = v.VerifyAnew(t.Context(), hash, "x")
			if !slices.Equal(derived, want) {
				t.Errorf("anew, %v: %q, want %q", right, derived, want)
			}
			if derived = nil; right {
				want = want[:1] // who is let in is let in at once
			}
			_, _ = v.Verify(t.Context(), hash, "x")
			if !slices.Equal(derived, want) {
				t.Errorf("%v: %q, want %q", right, derived, want)
			}
		}
	}
}
