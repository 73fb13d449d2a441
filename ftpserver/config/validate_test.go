package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// paths are so many path rules.
func paths(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "{path: /d%d, role: ReadOnly},", i)
	}
	return out.String()
}

// What is at the bounds of names and of the number of rules is taken.
func TestPathsAtTheirBounds(t *testing.T) {
	long := strings.Repeat("x", 255)
	for name, data := range map[string]string{
		"long names": user("{name: a, passwordHash: $2, home: /" + long + "/" + long + ", paths: [{path: /" + long + "/" + long + ", role: ReadOnly}]}"),
		"paths":      user("{name: a, passwordHash: $2, paths: [" + paths(32) + "]}"),
		"nearly":     user("{name: a, passwordHash: $2, home: /.ftpserver, paths: [{path: /x.ftpserver-x, role: ReadOnly}]}"),
	} {
		if _, err := Decode([]byte(data), Strict); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"nothing":              {"", "listen: name the address"},
		"listen without port":  {with("listen", "127.0.0.1"), `listen: "127.0.0.1" is not host:port`},
		"listen on a name":     {with("listen", "localhost:21"), `listen: "localhost" is not an IP address`},
		"listen beyond":        {with("listen", "127.0.0.1:65536"), `listen: "65536" is not a port`},
		"listen on a service":  {with("listen", "127.0.0.1:ftp"), `listen: "ftp" is not a port`},
		"banner of two lines":  {minimal + `banner: "a\r\n220 b"`, "banner: must be one line"},
		"no root":              {with("storage", "{}"), "storage.root: name the directory"},
		"mode Z":               {with("modeZ", "Maybe"), `modeZ: "Maybe" is not one of Deny, Allow`},
		"durability":           {with("storage", "{root: /x, durability: Some}"), `storage.durability: "Some" is not one of Full, None`},
		"uploads":              {with("storage", "{root: /x, uploads: Slow}"), `storage.uploads: "Slow" is not one of Atomic, Direct`},
		"umask":                {with("storage", "{root: /x, umask: u=rwx}"), `storage.umask: "u=rwx" is not three octal digits such as 022`},
		"umask, not octal":     {with("storage", "{root: /x, umask: 089}"), "storage.umask"},
		"umask, short":         {with("storage", "{root: /x, umask: 22}"), "storage.umask"},
		"umask of the owner":   {with("storage", "{root: /x, umask: 277}"), "storage.umask: 277 takes rights from the owner, which is the server: begin with 0"},
		"overwrite":            {with("storage", "{root: /x, overwrite: Never}"), `storage.overwrite: "Never" is not one of Allow, Deny`},
		"hidden files":         {with("storage", "{root: /x, hiddenFiles: No}"), `storage.hiddenFiles: "No" is not one of Show, Hide`},
		"pattern":              {with("storage", "{root: /x, names: {denied: ['a*', '[a']}}"), `storage.names.denied[1]: "[a" is not a pattern of * ? [a-z]`},
		"pattern of a path":    {with("storage", "{root: /x, names: {allowed: ['in/*']}}"), `storage.names.allowed[0]: "in/*" holds a slash`},
		"pattern of nothing":   {with("storage", "{root: /x, names: {allowed: ['']}}"), "storage.names.allowed[0]: must not be empty"},
		"long pattern":         {with("storage", "{root: /x, names: {denied: ["+strings.Repeat("x", 129)+"]}}"), "storage.names.denied[0]: must be at most 128 bytes long, is 129"},
		"many patterns":        {with("storage", "{root: /x, names: {denied: ["+strings.Repeat("x,", 65)+"]}}"), "storage.names.denied: must be at most 64, are 65"},
		"uploads of a path":    {user("{name: a, passwordHash: $2, paths: [{path: /a, role: ReadWrite, uploads: Slow}]}"), `users[0].paths[0].uploads: "Slow" is not one of Atomic, Direct`},
		"overwrite in a path":  {user("{name: a, passwordHash: $2, paths: [{path: /a, role: ReadWrite, overwrite: Never}]}"), `users[0].paths[0].overwrite: "Never" is not one of Allow, Deny`},
		"quota below 0":        {user("{name: a, passwordHash: $2, quota: {bytes: -1}}"), "users[0].quota.bytes: must be 0 (none) or more, is -1"},
		"quota of files":       {user("{name: a, passwordHash: $2, quota: {files: -1}}"), "users[0].quota.files"},
		"quota in units":       {user("{name: a, passwordHash: $2, quota: {bytes: 10Gi}}"), "must be a whole number"},
		"quota of an Admin":    {user("{name: a, passwordHash: $2, role: Admin, quota: {files: 1}}"), "users[0].quota: an Admin works on all"},
		"quota of guests":      {minimal + "anonymous: {quota: {bytes: -1}}", "anonymous.quota.bytes"},
		"downloads too slow":   {minimal + "limits: {downloadRatePerSession: 1023}", "limits.downloadRatePerSession: must be between 1024 and 1099511627776 bytes per second, or 0 (none), is 1023"},
		"uploads too slow":     {minimal + "limits: {uploadRatePerSession: -1}", "limits.uploadRatePerSession: must be between 1024"},
		"downloads too fast":   {user("{name: a, passwordHash: $2, downloadRatePerSession: 1099511627777}"), "users[0].downloadRatePerSession: must be between 1024"},
		"uploads too fast":     {user("{name: a, passwordHash: $2, uploadRatePerSession: 1099511627777}"), "users[0].uploadRatePerSession: must be between 1024"},
		"drain too long":       {minimal + "limits: {drainAtLeast: 26s}", "limits.drainAtLeast: must be between 0s and drainTimeout (25s), is 26s"},
		"drain below 0":        {minimal + "limits: {drainAtLeast: -1s}", "limits.drainAtLeast"},
		"rate in units":        {minimal + "limits: {uploadRatePerSession: 10Mi}", "must be a whole number"},
		"rate of guests":       {minimal + "anonymous: {downloadRatePerSession: 1}", "anonymous.downloadRatePerSession: must be between 1024"},
		"no passive ports":     {with("passive", "{}"), "passive: give range"},
		"range and ports":      {with("passive", "{range: 1-2, ports: [{slot: 0, listen: 1}]}"), "not both"},
		"range backwards":      {with("passive", "{range: 9-8}"), "passive.range"},
		"range beyond":         {with("passive", "{range: 9-65536}"), "passive.range"},
		"range of words":       {with("passive", "{range: a-b}"), "passive.range"},
		"slot":                 {with("passive", "{ports: [{slot: -1, listen: 1}]}"), "passive.ports[0].slot"},
		"port 0":               {with("passive", "{ports: [{slot: 0, listen: 0}]}"), "passive.ports[0].listen"},
		"announce":             {with("passive", "{ports: [{slot: 0, listen: 1, announce: 70000}]}"), "passive.ports[0].announce"},
		"port twice":           {with("passive", "{ports: [{slot: 0, listen: 1}, {slot: 1, listen: 1}, {slot: 0, listen: 1, announce: 5}]}"), "passive.ports[2].listen: port 1 is there twice"},
		"passive IPv6":         {with("passive", "{range: 1-2, addresses: [{address: '::1'}]}"), "clients of IPv6 use EPSV"},
		"passive with a port":  {with("passive", "{range: 1-2, addresses: [{address: 'a:1'}]}"), "passive.addresses[0].address"},
		"no passive address":   {with("passive", "{range: 1-2, addresses: [{}]}"), "passive.addresses[0].address"},
		"CIDR":                 {with("passive", "{range: 1-2, addresses: [{address: 1.2.3.4, clientCIDRs: [10.0.0.1]}]}"), "is not a network"},
		"client addresses":     {with("passive", "{range: 1-2, clientAddresses: Maybe}"), `passive.clientAddresses: "Maybe" is not one of Preserved, Hidden`},
		"unverified data":      {with("passive", "{range: 1-2, unverifiedData: yes please}"), `passive.unverifiedData: "yes please" is not one of Refuse, Allow`},
		"active and hidden":    {with("passive", "{range: 1-2, clientAddresses: Hidden}") + "\nactive: true\n", "active: connects to the client's own address"},
		"proxies":              {minimal + "proxyProtocol: {trusted: [{cidr: 10.0.0.1}]}", `proxyProtocol.trusted[0].cidr: "10.0.0.1" is not a network such as 10.0.0.0/16`},
		"mode of proxies":      {minimal + "proxyProtocol: {trusted: [{cidr: 10.0.0.0/8}, {cidr: '::/0', mode: Maybe}]}", `proxyProtocol.trusted[1].mode: "Maybe" is not one of Required, Optional`},
		"data of proxies":      {minimal + "proxyProtocol: {trusted: [{cidr: 10.0.0.0/8, data: Some}]}", `proxyProtocol.trusted[0].data: "Some" is not one of Announced, Direct`},
		"data sessions":        {minimal + "tls: {dataSessions: Maybe}", `tls.dataSessions: "Maybe" is not one of Auto, Required, Optional`},
		"upload end":           {minimal + "tls: {uploadEnd: Maybe}", `tls.uploadEnd: "Maybe" is not one of Auto, Strict, Lenient`},
		"TLS mode":             {minimal + "tls: {mode: Maybe}", "tls.mode"},
		"TLS version":          {minimal + "tls: {minVersion: '1.1'}", "tls.minVersion"},
		"TLS without any":      {minimal + "tls: {mode: Optional}", "tls.certificates: mode Optional needs at least one"},
		"certificate half":     {minimal + "tls: {certificates: [{certFile: a}]}", "tls.certificates[0]: give certFile and keyFile"},
		"sessions":             {minimal + "limits: {sessions: -1}", "limits.sessions"},
		"sessions per address": {minimal + "limits: {sessionsPerAddress: -1}", "limits.sessionsPerAddress"},
		"idle too short":       {minimal + "limits: {idleTimeout: 10ms}", "limits.idleTimeout: must be between 1s and 24h"},
		"login too long":       {minimal + "limits: {loginTimeout: 25h}", "limits.loginTimeout"},
		"stall negative":       {minimal + "limits: {stallTimeout: -1s}", "limits.stallTimeout"},
		"guessing mode":        {minimal + "limits: {failedLogins: {mode: Maybe}}", `limits.failedLogins.mode: "Maybe" is not one of Lockout, Delay, Off`},
		"delay":                {minimal + "limits: {failedLogins: {delay: 9s}}", "limits.failedLogins.delay: must be between 1ms and maxDelay (8s), is 9s"},
		"no delay":             {minimal + "limits: {failedLogins: {delay: -1s}}", "limits.failedLogins.delay"},
		"longest delay":        {minimal + "limits: {failedLogins: {maxDelay: 16s}}", "limits.failedLogins.maxDelay: must be between 1ms and 15s"},
		"lockout after":        {minimal + "limits: {failedLogins: {lockoutAfter: 2}}", "to lock out nobody, set mode: Delay"},
		"lockout of all":       {minimal + "limits: {failedLogins: {lockoutAfter: 50, addressLockoutAfter: 100}}", "must be more than twice lockoutAfter (50)"},
		"lockout for":          {minimal + "limits: {failedLogins: {lockoutFor: 1ms}}", "limits.failedLogins.lockoutFor"},
		"admin":                {minimal + "admin: {listen: x}", "admin.listen"},
		"status without files": {minimal + "admin: {status: {listen: ':1'}}", "admin.status: give certFile, keyFile and tokenFile"},
		"level":                {minimal + "log: {level: INFO}", "log.level"},
		"xferlog directory":    {minimal + "log: {xferlog: /var/log/}", "log.xferlog: must be a file"},
		"xferlog for all":      {minimal + "log: {xferlog: /srv/ftp/pub/xferlog}", "log.xferlog: must not lie below storage.root"},
		"xferlog by a detour":  {minimal + "log: {xferlog: /srv/x/../ftp/xferlog}", "log.xferlog: must not lie below storage.root"},
		"long welcome":         {minimal + "welcome: \"" + strings.Repeat(`x\n`, 51) + `x"`, "welcome: must be at most 50 lines, are 52"},
		"wide welcome":         {minimal + "welcome: " + strings.Repeat("x", 501), "welcome: line 1 must be at most 500 bytes"},
		"escape in welcome":    {minimal + `welcome: "a\n\e[2J"`, "welcome: line 2 must be"},
		"message elsewhere":    {minimal + "directoryMessage: ../message", "directoryMessage: must be the name of a file"},
		"format":               {minimal + "log: {format: xml}", "log.format"},
		"user without name":    {user("{passwordHash: $2}"), "users[0].name: must not be empty"},
		"user twice":           {user("{name: a, passwordHash: $2}, {name: a, passwordHash: $2}"), `users[1].name: "a" is there twice`},
		"password in clear":    {user("{name: a, passwordHash: hunter2}"), "ftpserver hash-password"},
		"home not absolute":    {user("{name: a, passwordHash: $2, home: a}"), "users[0].home"},
		"home with detour":     {user("{name: a, passwordHash: $2, home: /a/../b}"), "users[0].home"},
		"role":                 {user("{name: a, passwordHash: $2, role: Root}"), "users[0].role"},
		"path not absolute":    {user("{name: a, passwordHash: $2, paths: [{path: in, role: ReadOnly}]}"), `users[0].paths[0].path: "in" must be an absolute path`},
		"path with detour":     {user("{name: a, passwordHash: $2, paths: [{path: /in/, role: ReadOnly}]}"), "users[0].paths[0].path"},
		"path without":         {user("{name: a, passwordHash: $2, paths: [{role: ReadOnly}]}"), "users[0].paths[0].path"},
		"path reserved":        {user("{name: a, passwordHash: $2, paths: [{path: /a/.FtpServer-x/b, role: ReadOnly}]}"), `users[0].paths[0].path: "/a/.FtpServer-x/b" holds a name that begins with .ftpserver-, which is reserved`},
		"path with long name":  {user("{name: a, passwordHash: $2, paths: [{path: /a/" + strings.Repeat("x", 256) + ", role: ReadOnly}]}"), "users[0].paths[0].path: no name in it may be longer than 255 bytes, one is 256"},
		"many paths":           {user("{name: a, passwordHash: $2, paths: [" + paths(33) + "]}"), "users[0].paths: must be at most 32, are 33"},
		"home reserved":        {user("{name: a, passwordHash: $2, home: /.ftpserver-}"), "users[0].home"},
		"home by name":         {user("{name: .FTPSERVER-a, passwordHash: $2}"), "users[0].home"},
		"home with long name":  {user("{name: a, passwordHash: $2, home: /" + strings.Repeat("ä", 128) + "}"), "users[0].home: no name"},
		"anonymous reserved":   {minimal + "anonymous: {home: /pub/.ftpserver-x}", "anonymous.home"},
		"anonymous long name":  {minimal + "anonymous: {home: /" + strings.Repeat("x", 256) + "}", "anonymous.home: no name"},
		"path twice":           {user("{name: a, passwordHash: $2, paths: [{path: /a, role: ReadOnly}, {path: /a, role: ReadWrite}]}"), `users[0].paths[1].path: "/a" is there twice`},
		"path with Admin":      {user("{name: a, passwordHash: $2, paths: [{path: /a, role: Admin}]}"), `users[0].paths[0].role: "Admin" is not one of ReadOnly, ReadWrite, WriteOnly`},
		"path without a role":  {user("{name: a, passwordHash: $2, paths: [{path: /a}]}"), "users[0].paths[0].role"},
		"address for network":  {user("{name: a, passwordHash: $2, allowedCIDRs: [10.0.0.0/8, 10.0.0.1]}"), `users[0].allowedCIDRs: "10.0.0.1" is not a network such as 10.0.0.0/8`},
		"network with a zone":  {user("{name: a, passwordHash: $2, allowedCIDRs: ['fe80::%eth0/64']}"), "users[0].allowedCIDRs"},
		"sessions below 0":     {user("{name: a, passwordHash: $2, maxSessions: -1}"), "users[0].maxSessions: must be 0 (none) or more, is -1"},
		"expiry in words":      {user("{name: a, passwordHash: $2, expiresAt: tomorrow}"), "must be a time such as 2027-01-31T18:00:00Z"},
		"expiry as a number":   {user("{name: a, passwordHash: $2, expiresAt: 1900000000}"), "must be a time such as 2027-01-31T18:00:00Z"},
		"anonymous home":       {minimal + "anonymous: {home: pub}", "anonymous.home"},
		"anonymous role":       {minimal + "anonymous: {role: ReadWrite}", `anonymous.role: "ReadWrite" is not one of ReadOnly, WriteOnly`},
		"anonymous as a word":  {minimal + "anonymous: true", "must be a mapping of fields"},
		"login":                {user("{name: a, passwordHash: $2, login: Maybe}"), "users[0].login"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(tt.data), Strict)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes a password: %v", err)
			}
		})
	}
}

// with is the minimal configuration with another value for one of its fields.
func with(field, value string) string {
	var out []string
	for line := range strings.SplitSeq(minimal, "\n") {
		if !strings.HasPrefix(line, field+":") {
			out = append(out, line)
		}
	}
	return strings.Join(append(out, field+": "+value), "\n")
}

func user(list string) string { return minimal + "users: [" + list + "]" }

func TestErrorsNameEverything(t *testing.T) {
	_, err := Decode([]byte("listen: x\npassive: {range: x}\nlog: {level: x}\n"), Strict)
	for _, field := range []string{"listen:", "passive.range:", "log.level:", "storage.root:"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v: says nothing of %s", err, field)
		}
	}
}

func TestUsernameProblem(t *testing.T) {
	good := []string{"a", "anna.b-c_d@example.com", "Müller", "a b", "...", strings.Repeat("a", MaxUsernameLength)}
	bad := []string{"", ".", "..", "a/b", " a", "a ", "a\n", "a\x00b", "\xff", strings.Repeat("a", MaxUsernameLength+1)}
	for _, name := range good {
		if err := UsernameProblem(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range bad {
		if UsernameProblem(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestPortsOf(t *testing.T) {
	ports := Passive{Ports: []PassivePort{{0, 30000, 31000}, {1, 30000, 0}, {0, 30001, 0}}}
	tests := []struct {
		name    string
		passive Passive
		slot    int
		want    []PassivePort
	}{
		{"range", Passive{Range: "30000-30002"}, 3, []PassivePort{{3, 30000, 30000}, {3, 30001, 30001}, {3, 30002, 30002}}},
		{"one port", Passive{Range: "30000"}, 0, []PassivePort{{0, 30000, 30000}}},
		{"last port", Passive{Range: "65535-65535"}, 0, []PassivePort{{0, 65535, 65535}}},
		{"slot 0", ports, 0, []PassivePort{{0, 30000, 31000}, {0, 30001, 30001}}},
		{"slot 1", ports, 1, []PassivePort{{1, 30000, 30000}}},
		{"slot without", ports, 2, nil},
	}
	for _, tt := range tests {
		if got := tt.passive.PortsOf(tt.slot); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if ports.Ports[1].Announce != 0 {
		t.Error("PortsOf changed the configuration")
	}
}
