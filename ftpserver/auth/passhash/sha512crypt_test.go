package passhash

import (
	"strings"
	"testing"
)

// Made by openssl passwd -6 and by crypt(3).
const (
	sha512Plain  = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
	sha512Rounds = "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."
	sha512Few    = "$6$rounds=1000$a$xidILKzQhG5/oHcU6E76ZH2qGMMHr3CIyLxEEH8A/aVJ4DpZk2iLYv7ejYTrvKN./pPVSLITy2sBhWKcr.qmX0"
	sha512NoSalt = "$6$$KvRrc0bxRLyTUhO8OJOmRczh7oCol5BACiR8rmdfVzvuGgm8JmLDumsL/ah.jFtT.DswxoP9Nv3ByfU4j5hm/0"
	sha512Long   = "$6$abc$8knRde6bUcKt60C1r6lJVhEsk308eHiET26Y6K6rfZjmcxVa7T7KVJE9BXzBwwbgav0R3aIuLSdeo/e4Fs99m."
)

var sha512Tests = []verifyTest{
	{sha512Plain, "Hello world!", true},
	{sha512Plain, "Hello world", false},
	{sha512Plain, "", false},
	{sha512Rounds, "Hello world!", true},
	{"$6$rounds=5000$" + strings.TrimPrefix(sha512Plain, "$6$"), "Hello world!", true},
	{"$6$rounds=5001$" + strings.TrimPrefix(sha512Plain, "$6$"), "Hello world!", false},
	{sha512Few, "pä\"ss wörd", true},
	{sha512NoSalt, "x", true},
	{sha512Long, strings.Repeat("x", 130), true},
	{sha512Long, strings.Repeat("x", 131), false},
}

func TestCheckSHA512(t *testing.T) {
	sum := sha512Plain[strings.LastIndexByte(sha512Plain, '$')+1:]
	for name, tt := range map[string]struct{ hash, want string }{
		"as openssl makes it": {sha512Plain, ""},
		"with rounds":         {sha512Rounds, ""},
		"the most rounds":     {"$6$rounds=400000$a$" + sum, ""},
		"more":                {"$6$rounds=400001$a$" + sum, "rounds must be between 1000 and 400000, is 400001: make a new one"},
		"far more":            {"$6$rounds=999999999999999999999$a$" + sum, "the form is not"},
		"fewer":               {"$6$rounds=999$a$" + sum, "rounds must be between"},
		"rounds with a zero":  {"$6$rounds=05000$a$" + sum, "the form is not"},
		"rounds without":      {"$6$rounds=$a$" + sum, "the form is not"},
		"rounds and no more":  {"$6$rounds=5000", "the form is not"},
		"long salt":           {"$6$12345678901234567$" + sum, "the salt must be at most 16"},
		"salt with a colon":   {"$6$a:b$" + sum, "the form is not"},
		"salt beyond ASCII":   {"$6$ä$" + sum, "the form is not"},
		"short sum":           {"$6$a$" + sum[1:], "the form is not"},
		"long sum":            {"$6$a$" + sum + "1", "the form is not"},
		"line break":          {"$6$a$" + sum[1:] + "\n", "the form is not"},
		"no such sum can be":  {"$6$a$" + sum[:85] + "2", "the form is not"},
		"what failed":         {"*0", "not a password hash"},
	} {
		err := Check(tt.hash)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if ok, verr := Verify(tt.hash, "x"); ok || (verr == nil) != (err == nil) {
			t.Errorf("%s: Verify = %v, %v, and Check = %v", name, ok, verr, err)
		}
	}
}

// A password that agrees with the right one as far as is hashed is a wrong one,
// and however long it is, no more is hashed.
func TestSHA512TakesNoLongerPassword(t *testing.T) {
	h := sha512Crypt{rounds: sha512MinRounds, salt: "a"}
	right := strings.Repeat("x", sha512MaxPassword)
	h.sum = h.derive(right)
	if !h.matches(right) || h.matches(right+"x") {
		t.Errorf("right: %v, longer: %v", h.matches(right), h.matches(right+"x"))
	}
	if got := len(hashed(strings.Repeat("x", 1<<16))); got != sha512MaxPassword {
		t.Errorf("%d bytes of a long password are hashed", got)
	}
}
