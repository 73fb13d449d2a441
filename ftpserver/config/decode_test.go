package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const minimal = `
listen: 0.0.0.0:2121
passive: {range: 30000-30009}
storage: {root: /srv/ftp}
`

const someHash = "$2b$10$abcdefghijklmnopqrstuuJ5gW3Ck3BxHzEwOnyxLrLtqkGxTPxNe"

func TestDecodeFillsInDefaults(t *testing.T) {
	c, err := Decode([]byte(minimal+"users: [{name: anna, passwordHash: "+someHash+"}]\n"), Strict)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Listen: "0.0.0.0:2121",
		Banner: "FTP server ready", ModeZ: ModeZDeny,
		Passive: Passive{Range: "30000-30009", ClientAddresses: ClientAddressesPreserved, UnverifiedData: UnverifiedDataRefuse},
		TLS: TLS{
			Mode: TLSDisabled, MinVersion: "1.2", DataProtection: DataProtectionOptional, OCSPStapling: StaplingDisabled,
			DataSessions: DataSessionsAuto, UploadEnd: UploadEndAuto,
		},
		Storage: Storage{Root: "/srv/ftp", Durability: DurabilityFull, Uploads: UploadsAtomic, Overwrite: OverwriteAllow, HiddenFiles: HiddenFilesShow},
		Users:   []User{{Name: "anna", PasswordHash: someHash, Home: "/anna", Role: RoleReadWrite, Login: LoginEnabled}},
		Limits: Limits{IdleTimeout: 5 * time.Minute, LoginTimeout: time.Minute, StallTimeout: time.Minute, DrainTimeout: 25 * time.Second, HandshakeTimeout: 15 * time.Second, Handshakes: 1000,
			FailedLogins: FailedLogins{Mode: GuessingLockout, Delay: 500 * time.Millisecond, MaxDelay: 8 * time.Second,
				LockoutAfter: 10, AddressLockoutAfter: 100, LockoutFor: 10 * time.Minute}},
		Log: Log{Level: "Info", Format: "JSON"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("Decode = %+v\nwant     %+v", c, want)
	}
}

func TestDecodeRequiresTLSWhereCertificatesAreGiven(t *testing.T) {
	c, err := Decode([]byte(minimal+"tls: {certificates: [{certFile: a, keyFile: b}]}\n"), Strict)
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS.Mode != TLSRequired {
		t.Errorf("mode = %q, want %q", c.TLS.Mode, TLSRequired)
	}
}

// What the operator writes must be what the server reads.
func TestEncodeAndDecodeAgree(t *testing.T) {
	c, err := Decode([]byte(`
listen: ":2121"
banner: 'Größe "x"'
active: true
usersDir: ../users
passive:
  ports: [{slot: 0, listen: 30000, announce: 31000}, {slot: 1, listen: 30000}]
  addresses: [{address: 203.0.113.7, clientCIDRs: [10.0.0.0/8, "fd00::/8"]}, {address: ftp.example.com}]
tls: {mode: Optional, minVersion: "1.3", certificates: [{certFile: ../tls/tls.crt, keyFile: ../tls/tls.key}]}
storage: {root: /data, durability: None}
limits: {sessions: 100, sessionsPerAddress: 5, idleTimeout: 90s, loginTimeout: 1s, stallTimeout: 24h, drainTimeout: 5s, drainAtLeast: 2s,
  failedLogins: {mode: Off, delay: 1ms, maxDelay: 15s, lockoutAfter: 50, addressLockoutAfter: 101, lockoutFor: 1h}}
admin: {listen: ":9090", status: {listen: ":9443", certFile: c, keyFile: k, tokenFile: t}}
log: {level: Debug, format: Text, xferlog: /srv/ftp/../xferlog}
welcome: |
  Größe
   two
directoryMessage: .message
users: [{name: "yes", uid: "1", passwordHash: '`+someHash+`', home: /, role: Admin, login: Suspended}]
`), Strict)
	if err != nil {
		t.Fatal(err)
	}
	data, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(data, Strict)
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	if !reflect.DeepEqual(c, again) {
		t.Errorf("decoded again: %+v\nwant           %+v", again, c)
	}
}

func TestStrictness(t *testing.T) {
	for _, data := range []string{"novelty: 1\n", "users: [{name: a, passwordHash: " + someHash + ", novelty: [1]}]\n"} {
		if _, err := Decode([]byte(minimal+data), Lenient); err != nil {
			t.Errorf("Lenient refuses %q: %v", data, err)
		}
		_, err := Decode([]byte(minimal+data), Strict)
		if err == nil || !strings.Contains(err.Error(), "the field novelty is not known") {
			t.Errorf("Strict on %q: %v, want the field named", data, err)
		}
	}
	if _, err := Decode([]byte(minimal+"log: {level: Loud}\n"), Lenient); err == nil {
		t.Error("Lenient takes a wrong value")
	}
}

func TestDecodeErrorsQuoteNoValue(t *testing.T) {
	tests := []struct{ data, want string }{
		{"users: [hunter2]", "line 1: must be a mapping of fields"},
		{"users:\n- name: [hunter2]", "line 2: must be text"},
		{"users: {hunter2: x}", "line 1: must be a list"},
		{"limits: {sessions: hunter2}", "line 1: must be a whole number"},
		{"limits: {idleTimeout: hunter2}", "line 1: must be a duration such as 5m"},
		{"active: hunter2", "line 1: must be true or false"},
		{"users: [{expiresAt: hunter2}]", "expiresAt: must be a time such as 2027-01-31T18:00:00Z"},
		{"users: [{expiresAt: [hunter2]}]", "line 1: must be a time such as 2027-01-31T18:00:00Z"},
		{"storage: hunter2", "line 1: must be a mapping of fields"},
		{"tls: {mode: [hunter2]}", "line 1: must be text"},
		{"listen: !!int hunter2", "not YAML: a value is not a !!int"},
		{"listen: *hunter2", "not YAML: a value begins with *: put it in quotes"},
		{"listen: \"hunter2", "not YAML: found unexpected end of stream"},
		{"listen: hunter2: x", "not YAML: mapping values are not allowed"},
		{minimal + "---\nhunter2: x\n", "more than one YAML document"},
		{minimal + "---\n- [hunter2\n", "not YAML: line "},
	}
	for _, tt := range tests {
		_, err := Decode([]byte(tt.data), Strict)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.data, err, tt.want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error quotes the value: %v", tt.data, err)
		}
	}
}

func TestDecodeUsers(t *testing.T) {
	for _, empty := range []string{"", "users:\n", "users: []\n", "# nobody\n"} {
		users, err := DecodeUsers([]byte(empty), Strict)
		if err != nil || len(users) != 0 {
			t.Errorf("DecodeUsers(%q) = %v, %v, want nobody", empty, users, err)
		}
	}
	users, err := DecodeUsers([]byte("users: [{name: b, passwordHash: "+someHash+", role: ReadOnly}]"), Strict)
	if err != nil {
		t.Fatal(err)
	}
	want := []User{{Name: "b", PasswordHash: someHash, Home: "/b", Role: RoleReadOnly, Login: LoginEnabled}}
	if !reflect.DeepEqual(users, want) {
		t.Errorf("users = %+v, want %+v", users, want)
	}
}

func TestDigest(t *testing.T) {
	u := User{Name: "anna", PasswordHash: someHash}
	base := digest(t, u)
	if u.Home != "" {
		t.Error("Digest changed the user")
	}
	defaults := User{Name: "anna", PasswordHash: someHash, Home: "/anna", Role: RoleReadWrite, Login: LoginEnabled}
	if got := digest(t, defaults); got != base {
		t.Error("defaults that are spelt out change the digest")
	}
	changes := map[string]User{
		"name":     {Name: "bert", PasswordHash: someHash, Home: "/anna"},
		"uid":      {Name: "anna", PasswordHash: someHash, UID: "2"},
		"password": {Name: "anna", PasswordHash: someHash + "x"},
		"home":     {Name: "anna", PasswordHash: someHash, Home: "/"},
		"role":     {Name: "anna", PasswordHash: someHash, Role: RoleAdmin},
		"login":    {Name: "anna", PasswordHash: someHash, Login: LoginSuspended},
	}
	for what, changed := range changes {
		if digest(t, changed) == base {
			t.Errorf("another %s has the same digest", what)
		}
	}
}

func digest(t *testing.T, u User) string {
	t.Helper()
	d, err := u.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestStraySecretIsNotQuoted: a hash without quotes, in a flow mapping, falls
// apart at its commas; the pieces are no names of fields to be told.
func TestStraySecretIsNotQuoted(t *testing.T) {
	_, err := Decode([]byte("users: [{name: a, passwordHash: $argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA}]"), Strict)
	if err == nil || !strings.Contains(err.Error(), "in quotes") {
		t.Fatalf("error = %v", err)
	}
	for _, secret := range []string{"c2FsdA", "aGFzaA"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %s: %v", secret, err)
		}
	}
}

// TestWantedWords: whoever writes a list where a word is wanted is told so, of
// every field.
func TestWantedWords(t *testing.T) {
	for _, field := range []string{
		"listen: [a]", "modeZ: [Allow]", "passive: {clientAddresses: [Hidden]}", "passive: {unverifiedData: {a: b}}",
		"tls: {mode: [Required]}", "tls: {dataSessions: [Auto]}", "tls: {uploadEnd: [Auto]}", "tls: {dataProtection: [Required]}",
		"tls: {ocspStapling: [Enabled]}", "tls: {clientCertificates: {mode: [Required]}}", "limits: {failedLogins: {mode: [Off]}}",
		"storage: {uploads: [Direct]}", "storage: {overwrite: [Deny]}", "storage: {durability: [Full]}", "storage: {hiddenFiles: [Deny]}",
		"users: [{role: [Admin]}]", "users: [{certificateLogin: [WithPassword]}]", "log: {level: [Info]}", "hosts: [[a]]",
	} {
		if _, err := Decode([]byte(field), Strict); err == nil || !strings.Contains(err.Error(), "line 1: must be text") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := Decode([]byte("tls: word"), Strict); err == nil || !strings.Contains(err.Error(), "must be a mapping of fields") {
		t.Errorf("tls: %v", err)
	}
}
