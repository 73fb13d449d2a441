package config

import (
	"reflect"
	"testing"
	"time"
)

// What narrows a login is read as it was meant, and a user's digest tells of
// each part of it.
func TestNarrowedLogins(t *testing.T) {
	const plain = "users: [{name: a, passwordHash: $2$}]"
	want := User{
		Name: "a", PasswordHash: "$2$", Home: "/a", Role: RoleReadWrite, Login: LoginEnabled,
		Paths:        []PathRule{{Path: "/", Role: RoleReadOnly}, {Path: "/in", Role: RoleWriteOnly}},
		AllowedCIDRs: []string{"10.0.0.0/8", "2001:db8::/32"},
		ExpiresAt:    time.Date(2027, 1, 31, 16, 0, 0, 0, time.UTC),
		MaxSessions:  2,
	}
	users, err := DecodeUsers([]byte(`users: [{name: a, passwordHash: $2$, paths: [{path: /, role: ReadOnly}, {path: /in, role: WriteOnly}],
  allowedCIDRs: [10.0.0.0/8, "2001:db8::/32"], expiresAt: 2027-01-31T18:00:00+02:00, maxSessions: 2}]`), Strict)
	if err != nil {
		t.Fatal(err)
	}
	got := users[0]
	if !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("expires at %v", got.ExpiresAt)
	}
	if got.ExpiresAt = want.ExpiresAt; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	before, err := DecodeUsers([]byte(plain), Strict)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for name, edit := range map[string]func(*User){
		"nothing": func(*User) {},
		"paths":   func(u *User) { u.Paths = want.Paths },
		"path role": func(u *User) {
			u.Paths = []PathRule{{Path: "/", Role: RoleReadOnly}, {Path: "/in", Role: RoleReadOnly}}
		},
		"allowedCIDRs": func(u *User) { u.AllowedCIDRs = want.AllowedCIDRs },
		"expiresAt":    func(u *User) { u.ExpiresAt = want.ExpiresAt },
		"later":        func(u *User) { u.ExpiresAt = want.ExpiresAt.Add(time.Second) },
		"maxSessions":  func(u *User) { u.MaxSessions = 1 },
		"quota":        func(u *User) { u.Quota.Bytes = 1 },
		"more":         func(u *User) { u.Quota.Bytes = 2 },
		"downloads":    func(u *User) { u.DownloadRatePerSession = 1 << 20 },
		"uploads":      func(u *User) { u.UploadRatePerSession = 1 << 20 },
	} {
		u := before[0]
		edit(&u)
		digest, err := u.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := seen[digest]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[digest] = name
	}
}

func TestAnonymousDefaults(t *testing.T) {
	c, err := Decode([]byte(minimal+"anonymous: {}\n"), Strict)
	if err != nil {
		t.Fatal(err)
	}
	if c.Anonymous == nil || *c.Anonymous != (Anonymous{Home: "/pub", Role: RoleReadOnly}) {
		t.Errorf("%+v", c.Anonymous)
	}
	if c, err = Decode([]byte(minimal), Strict); err != nil || c.Anonymous != nil {
		t.Errorf("without: %+v, %v", c, err)
	}
}
