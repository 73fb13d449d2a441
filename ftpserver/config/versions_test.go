package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// What an older server does not know must never let anybody in.
func TestThePreviousVersionFailsClosed(t *testing.T) {
	plain := User{Name: "anna", UID: "1", PasswordHash: someHash, Home: "/a", Role: RoleReadOnly, Login: LoginEnabled}
	tests := map[string]struct {
		narrow        func(*User)
		there, closed bool
	}{
		"plain":        {func(*User) {}, true, false},
		"rates":        {func(u *User) { u.Rates = Rates{1 << 20, 1 << 20} }, true, false},
		"paths":        {func(u *User) { u.Paths = []PathRule{{Path: "/in", Role: RoleWriteOnly}} }, true, true},
		"allowedCIDRs": {func(u *User) { u.AllowedCIDRs = []string{"10.0.0.0/8"} }, true, true},
		"expiresAt":    {func(u *User) { u.ExpiresAt = time.Unix(1, 0) }, true, true},
		"maxSessions":  {func(u *User) { u.MaxSessions = 1 }, true, true},
		"certificates": {func(u *User) { u.ClientCertificates = []ClientCertificate{{CommonName: "anna"}} }, true, true},
		"quota":        {func(u *User) { u.Quota.Files = 1 }, true, true},
		"$6$":          {func(u *User) { u.PasswordHash = "$6$saltstring$x" }, false, true},
	}
	for name, tt := range tests {
		u, want := plain, plain
		tt.narrow(&u)
		got, there := u.Previous()
		if tt.closed {
			want.Login = LoginSuspended
		}
		if !tt.there {
			want = User{}
		}
		if there != tt.there || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v, %v", name, got, there, want, tt.there)
		}
		if unknown, refused := u.UnknownInPrevious(); (unknown != "") != (name != "plain") || refused != tt.closed {
			t.Errorf("%s: unknown is %q, refused for it: %v", name, unknown, refused)
		}
		u.Login = LoginSuspended
		if unknown, _ := u.UnknownInPrevious(); unknown != "" {
			t.Errorf("%s: something is unknown of a login that is refused anyway", name)
		}
	}
}

// Every field that a user has beyond the previous version must be stripped
// there: such a server is strict about nothing and would ignore it.
func TestThePreviousVersionHoldsNothingNewer(t *testing.T) {
	known := map[string]bool{"Name": true, "UID": true, "PasswordHash": true, "Home": true, "Role": true, "Login": true}
	u := User{
		Name: "anna", PasswordHash: someHash, Paths: []PathRule{{}}, AllowedCIDRs: []string{""},
		ExpiresAt: time.Unix(1, 0), MaxSessions: 1, Quota: Quota{Bytes: 1, Files: 1}, Rates: Rates{1 << 20, 1 << 20},
		ClientCertificates: []ClientCertificate{{CommonName: "anna"}}, CertificateLogin: CertificateLoginWithoutPassword,
	}
	p, _ := u.Previous()
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		if field := v.Type().Field(i).Name; !known[field] && !v.Field(i).IsZero() {
			t.Errorf("%s is told to a server that does not know it", field)
		}
	}
	c := Config{Anonymous: &Anonymous{}, Users: []User{u}}
	if p := c.Previous(); p.Anonymous != nil || p.Users[0].MaxSessions != 0 || c.Anonymous == nil || c.Users[0].MaxSessions != 1 {
		t.Errorf("%+v", p)
	}
}

// What the server denies to everybody, an older one would not: it lets nobody in.
// What it does otherwise is told of and keeps nobody out.
func TestThePreviousVersionOfSettings(t *testing.T) {
	user := User{Name: "anna", PasswordHash: someHash, Role: RoleReadWrite, Login: LoginEnabled}
	for name, tt := range map[string]struct {
		edit   func(*Config)
		want   string
		narrow bool
	}{
		"nothing":       {func(*Config) {}, "", false},
		"defaults":      {func(c *Config) { c.Storage.setDefaults(); c.Limits.FailedLogins.Mode = GuessingLockout }, "", false},
		"anonymous":     {func(c *Config) { c.Anonymous = &Anonymous{} }, "anonymous", false},
		"lockout":       {func(c *Config) { c.Limits.FailedLogins.LockoutAfter = 5 }, "limits.failedLogins", false},
		"downloads":     {func(c *Config) { c.Limits.DownloadRatePerSession = 1 << 20 }, "limits.downloadRatePerSession", false},
		"uploads' rate": {func(c *Config) { c.Limits.UploadRatePerSession = 1 << 20 }, "limits.uploadRatePerSession", false},
		"no lockout":    {func(c *Config) { c.Limits.FailedLogins.Mode = GuessingOff }, "", false},
		"uploads":       {func(c *Config) { c.Storage.Uploads = UploadsDirect }, "files.uploads", false},
		"umask":         {func(c *Config) { c.Storage.Umask = "027" }, "files.umask", false},
		"hidden":        {func(c *Config) { c.Storage.HiddenFiles = HiddenFilesHide }, "files.hidden", false},
		"overwrite":     {func(c *Config) { c.Storage.Overwrite = OverwriteDeny }, "files.overwrite", true},
		"allowed":       {func(c *Config) { c.Storage.Names.Allowed = []string{"*.pdf"} }, "files.names", true},
		"denied":        {func(c *Config) { c.Storage.Names.Denied = []string{".*"} }, "files.names", true},
		"PROXY":         {func(c *Config) { c.ProxyProtocol.Trusted = []ProxySource{{CIDR: "10.0.0.0/8"}} }, "service.proxyProtocol", true},
		"TLS":           {func(c *Config) { c.TLS.Mode = TLSRequired; c.TLS.setDefaults() }, "", false},
		"implicit":      {func(c *Config) { c.TLS.Implicit.Listen = ":990" }, "tls.implicit", false},
		"either TLS":    {func(c *Config) { c.TLS.Mode = TLSOptional; c.TLS.setDefaults() }, "", false},
		"data in clear": {func(c *Config) { c.TLS.Mode, c.TLS.DataProtection = TLSRequired, DataProtectionOptional }, "tls.dataProtection", false},
		"data over TLS": {func(c *Config) { c.TLS.Mode, c.TLS.DataProtection = TLSOptional, DataProtectionRequired }, "tls.dataProtection", true},
		"any session":   {func(c *Config) { c.TLS.DataSessions = DataSessionsOptional }, "tls.dataSessions", false},
		"own session":   {func(c *Config) { c.TLS.DataSessions = DataSessionsRequired }, "tls.dataSessions", true},
		"addresses":     {func(c *Config) { c.Passive.ClientAddresses = ClientAddressesPreserved }, "", false},
		"no addresses":  {func(c *Config) { c.Passive.ClientAddresses = ClientAddressesHidden }, "hidden client addresses", true},
		"strict end":    {func(c *Config) { c.TLS.UploadEnd = UploadEndStrict }, "tls.uploadEnd", false},
		"lenient end":   {func(c *Config) { c.TLS.UploadEnd = UploadEndLenient }, "tls.uploadEnd", false},
	} {
		c := Config{Users: []User{user}}
		tt.edit(&c)
		names, narrow := c.UnknownInPrevious()
		if got := strings.Join(names, ", "); got != tt.want || (len(narrow) > 0) != tt.narrow {
			t.Errorf("%s: unknown are %q, of which narrow %q", name, got, narrow)
		}
		if closed := c.Previous().Users[0].Login == LoginSuspended; closed != tt.narrow {
			t.Errorf("%s: nobody is let in: %v", name, closed)
		}
		if c.Users[0].Login != LoginEnabled {
			t.Errorf("%s: the user itself was changed", name)
		}
	}
}
