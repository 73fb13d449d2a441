package passhash

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Hashes that other programs made: the argon2 reference implementation's own
// test vectors, and crypt(3)'s.
const (
	argonReference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	bcryptB        = "$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8."
	bcryptY        = "$2y$05$abcdefghijklmnopqrstuuQNr.NUko7cjRuTOhPz.WP0eA4f4.Xuq"
	bcryptA        = "$2a$05$abcdefghijklmnopqrstuuQNr.NUko7cjRuTOhPz.WP0eA4f4.Xuq"
)

type verifyTest struct {
	hash, password string
	want           bool
}

func TestVerify(t *testing.T) {
	tests := []verifyTest{
		{argonReference, "password", true},
		{argonReference, "passwore", false},
		{argonReference, "", false},
		{bcryptB, "hunter2", true},
		{bcryptB, "hunter3", false},
		{bcryptY, "päss", true},
		{bcryptA, "päss", true},
		{bcryptA, "pass", false},
	}
	for _, tt := range slices.Concat(tests, sha512Tests) {
		got, err := Verify(tt.hash, tt.password)
		if err != nil || got != tt.want {
			t.Errorf("Verify(%s, %q) = %v, %v, want %v", tt.hash, tt.password, got, err, tt.want)
		}
	}
}

// The operator renders hashes: the same input must always give the same bytes.
func TestHashIsDeterministic(t *testing.T) {
	const want = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$nUxirfVK2I/vOT6f2ly2wSgjwZ1oqwTLCmrcpDyjicA"
	got, err := Hash("hunter2", []byte("0123456789abcdef"))
	if err != nil || got != want {
		t.Errorf("Hash = %q, %v, want %q", got, err, want)
	}
}

func TestHashRefuses(t *testing.T) {
	tests := []struct {
		name, password string
		salt           int
		want           string
	}{
		{"no password", "", 16, "choose one"},
		{"short salt", "x", 15, "must be 16 to 64 bytes long, is 15"},
		{"long salt", "x", 65, "must be 16 to 64 bytes long, is 65"},
	}
	for _, tt := range tests {
		_, err := Hash(tt.password, make([]byte, tt.salt))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestNewIsSaltedAndVerifies(t *testing.T) {
	const password = "pässwörd with spaces"
	a, err := New(password)
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(password)
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("two hashes of one password are the same")
	}
	if err := Check(a); err != nil {
		t.Error(err)
	}
	if ok, err := Verify(a, password); !ok || err != nil {
		t.Errorf("Verify = %v, %v, want true", ok, err)
	}
}

func TestCheck(t *testing.T) {
	const salt, sum = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	argon := func(parameters string) string { return "$argon2id$v=19$" + parameters + "$" + salt + "$" + sum }
	tests := map[string]struct{ hash, want string }{
		"reference":           {argonReference, ""},
		"what tools make":     {argon("m=65536,t=3,p=4"), ""},
		"all at the bounds":   {argon("m=65536,t=10,p=16"), ""},
		"bcrypt":              {bcryptB, ""},
		"bcrypt of cost 14":   {strings.Replace(bcryptB, "$05$", "$14$", 1), ""},
		"empty":               {"", "not a password hash"},
		"plain":               {"hunter2", "not a password hash"},
		"SHA-256":             {"$5$abc$def", "not a password hash"},
		"argon2i":             {strings.Replace(argonReference, "2id", "2i", 1), "not a password hash"},
		"memory":              {argon("m=65537,t=1,p=1"), "m must be between 1 and 65536"},
		"memory overflows":    {argon("m=4294967296,t=1,p=1"), "the form is not"},
		"time":                {argon("m=64,t=11,p=1"), "t must be between 1 and 10"},
		"no time":             {argon("m=64,t=0,p=1"), "t must be between 1 and 10"},
		"lanes":               {argon("m=1024,t=1,p=17"), "p must be between 1 and 16"},
		"lanes wrap":          {argon("m=4096,t=1,p=257"), "p must be between 1 and 16"},
		"memory below lanes":  {argon("m=15,t=1,p=2"), "at least 8 times p"},
		"order":               {argon("t=2,m=64,p=1"), "the form is not"},
		"leading zero":        {argon("m=064,t=2,p=1"), "the form is not"},
		"sign":                {argon("m=+64,t=2,p=1"), "the form is not"},
		"key id":              {argon("m=64,t=2,p=1,keyid=x"), "the form is not"},
		"old version":         {strings.Replace(argonReference, "v=19", "v=16", 1), "the form is not"},
		"no sum":              {"$argon2id$v=19$m=64,t=1,p=1$" + salt, "the form is not"},
		"more after":          {argonReference + "$", "the form is not"},
		"short salt":          {"$argon2id$v=19$m=64,t=1,p=1$c29tZQ$" + sum, "the salt must be at least 8 bytes"},
		"long salt":           {"$argon2id$v=19$m=64,t=1,p=1$" + strings.Repeat("AAAA", 22) + "$" + sum, "the salt must be at most 64 bytes"},
		"short sum":           {"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$c29tZXNhbHQ", "the hash must be at least 16 bytes"},
		"long sum":            {"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 1<<20), "the hash must be at most 64 bytes"},
		"padding":             {argonReference + "=", "not base64 without padding"},
		"line break":          {argonReference + "\n", "not base64 without padding"},
		"loose bits":          {argonReference[:len(argonReference)-1] + "d", "not base64 without padding"},
		"bcrypt too costly":   {strings.Replace(bcryptB, "$05$", "$15$", 1), "the cost must be between 4 and 14"},
		"bcrypt too cheap":    {strings.Replace(bcryptB, "$05$", "$03$", 1), "the cost must be between 4 and 14"},
		"bcrypt cost of text": {strings.Replace(bcryptB, "$05$", "$+5$", 1), "the form is not"},
		"bcrypt broken kind":  {strings.Replace(bcryptB, "2b", "2x", 1), "the form is not"},
		"bcrypt first kind":   {"$2$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.x", "the form is not"},
		"bcrypt short":        {bcryptB[:59], "the form is not"},
		"bcrypt long":         {bcryptB + "x", "the form is not"},
		"bcrypt alphabet":     {bcryptB[:59] + "!", "the form is not"},
		"bcrypt mark alone":   {"$2", "the form is not"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { checkCase(t, tt.hash, tt.want) })
	}
}

func checkCase(t *testing.T, hash, want string) {
	err := Check(hash)
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error = %v, want %q", err, want)
	}
	if ok, verr := Verify(hash, "x"); ok || verr == nil || verr.Error() != err.Error() {
		t.Errorf("Verify = %v, %v, want the error of Check", ok, verr)
	}
}

func TestUnknownKindCanBeTold(t *testing.T) {
	if !errors.Is(Check("$1$x"), ErrUnknown) {
		t.Error("not ErrUnknown")
	}
}

// What Check lets pass can be verified, without panic and within its bounds.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{argonReference, bcryptA, bcryptB, bcryptY, sha512Plain, sha512Few, sha512NoSalt, "$6$", "$6$rounds=$", "", "$2", "$2b$04$", "$argon2id$v=19$m=8,t=1,p=1$$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		if Check(hash) != nil {
			return
		}
		switch { // what is slow is true as well
		case strings.HasPrefix(hash, argon2idPrefix):
			h, err := parseArgon2id(hash)
			if err != nil || h.String() != hash {
				t.Fatalf("parsed %+v (%v), written %s", h, err, h.String())
			}
			if h.memory > 64 || h.passes > 1 {
				return
			}
		case strings.HasPrefix(hash, sha512Prefix):
			if h, err := parseSHA512(hash); err != nil || h.rounds > sha512DefaultRounds {
				return
			}
		case hash[4:6] != "04":
			return
		}
		if _, err := Verify(hash, "password"); err != nil {
			t.Fatalf("Check passes what Verify can't do: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	hash, err := New("password")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := Verify(hash, "password"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
