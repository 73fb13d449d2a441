package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// repeat makes a text of n parts that differ by their number.
func repeat(n int, form string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form, i)
	}
	return b.String()
}

// hostileFiles are configurations that would cost a reader dear, or that say
// something else than they seem to, with the beginning of the error.
func hostileFiles() map[string]struct{ file, want string } {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	blocks := ""
	for i := range 1400 {
		blocks += strings.Repeat(" ", i) + "a:\n"
	}
	many := "the file holds too many values: spread users over the 8 files"
	return map[string]struct{ file, want string }{
		"aliases of aliases":  {bomb + "hosts: *z\n" + minimal, "line 1: the field a is not known"},
		"aliases of a list":   {"hosts: &h [" + strings.Repeat("a.example,", 5000) + "]\nusers: [" + strings.Repeat("{paths: *h},", 20_000) + "]", "the file is not YAML: document contains excessive aliasing"},
		"aliases of a user":   {"users:\n- &u {name: a, passwordHash: $6$, paths: [" + strings.Repeat("{path: /a},", 5000) + "]}\n" + strings.Repeat("- *u\n", 20_000), "the file is not YAML: document contains excessive aliasing"},
		"an alias of itself":  {"users: &u [*u]", "line 1: must be a mapping of fields"},
		"a tower of lists":    {strings.Repeat("[", 30_000), "the file is not YAML: exceeded max depth"},
		"a tower of mappings": {strings.Repeat("{a: ", 8000), "the file is not YAML: "},
		"a tower of blocks":   {blocks, "line 1: the field a is not known"},
		"a tower of dashes":   {strings.Repeat("- ", 100_000), "the file is not YAML: exceeded max depth"},
		"fields without end":  {repeat(80_000, "k%d: 1\n"), "line 1: a mapping has 80000 fields: there are at most 200"},
		"fields in a line":    {"tls: {" + repeat(50_000, "k%d: 1,") + "}", "line 1: a mapping has 50000 fields"},
		"merges":              {"<<: [" + strings.Repeat("{listen: a},", 40_000) + "]", "listen: "},
		"values without end":  {"users: [" + strings.Repeat("a,", 500_000) + "]", many},
		"users of nothing":    {"users: [" + strings.Repeat("{},", 200_000) + "]", many},
		"comments":            {strings.Repeat("#\n", 1<<20), many},
		"keys of keys":        {"{" + strings.Repeat("? ", 100_000) + "}", "the file is not YAML: "},
		"more than a file":    {"#" + strings.Repeat("x", MaxFileSize), "the file must be at most 4194304 bytes long, is 4194305"},
		"100 MiB":             {strings.Repeat("listen: 127.0.0.1:21\n", 5<<20), "the file must be at most"},
		"the same twice":      {minimal + "listen: 0.0.0.0:21\n", "line 5: mapping key \"listen\" already defined at line 2"},
		"a second document":   {minimal + "---\n" + minimal, "the file holds more than one YAML document"},
		"NUL":                 {"listen: \"127.0.0.1:21\x00\"\n", "the file is not YAML: control characters are not allowed"},
		"NUL, escaped":        {`listen: "127.0.0.1:21\0"`, `listen: "21\x00" is not a port`},
		"no UTF-8":            {"listen: \xff\xfe\xfd\n", "the file is not YAML: "},
		"line breaks":         {"banner: \"a\\r\\n230 Logged in\"\n" + minimal, "banner: must be one line"},
		"wrong types":         {"listen: [1]\nusers: 5\npassive: text\nstorage: true\n", "line 1: must be text\nline 2: must be a list\nline 3: must be a mapping"},
		"an object":           {"listen: !!python/object/apply:os.system [id]\n", "line 1: must be text"},
		"binary":              {"listen: !!binary zzz=\n", `listen: "\xcf<" is not host:port`},
		"a huge number":       {minimal + "limits: {sessions: 99999999999999999999999999}\n", "line 5: must be a whole number"},
		"a number of digits":  {minimal + "limits: {sessions: " + strings.Repeat("9", 1<<20) + "}\n", "line 5: must be a whole number"},
		"a negative number":   {minimal + "limits: {sessions: -1}\n", "limits.sessions: "},
		"infinity":            {minimal + "limits: {sessions: .inf}\n", "line 5: must be a whole number"},
		"a long duration":     {minimal + "limits: {idleTimeout: 99999999999999h}\n", "line 5: must be a duration"},
		"a range of ports":    {"listen: :21\npassive: {range: 1-99999999999}\nstorage: {root: /srv}\n", "passive.range: "},
		"a long value":        {"listen: \"" + strings.Repeat("x", 1<<20) + "\"\n", "listen: \"xxx"},
		"a home above":        {minimal + "users: [{name: a, passwordHash: $6$, home: /../etc}]", "users[0].home: "},
		"a home with a NUL":   {minimal + `users: [{name: a, passwordHash: $6$, home: "/a\0b"}]`, "users[0].home: "},
		"a name with a break": {minimal + `users: [{name: "a\nb", passwordHash: $6$}]`, `users[0].name: "a\nb" must not`},
		"a name with ESC":     {minimal + `users: [{name: "a\e[2J", passwordHash: $6$}]`, `users[0].name: "a\x1b[2J" must not`},
		"a name with U+0085":  {minimal + `users: [{name: "a\Nb", passwordHash: $6$}]`, `users[0].name: "a\u0085b" must not`},
		"a name of a path":    {minimal + "users: [{name: ../root, passwordHash: $6$}]", "users[0].name: "},
		"a long name":         {minimal + "users: [{name: " + strings.Repeat("a", 1<<20) + ", passwordHash: $6$}]", "users[0].name: must be at most 128 bytes"},
		"no password":         {minimal + "users: [{name: a, passwordHash: \"\"}]", "users[0].passwordHash: must be a hash"},
	}
}

// bounded fails where reading a file took much memory for its size, or its error
// is more than anybody reads.
func bounded(t *testing.T, size int, read func() error) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := read()
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 512<<20 {
		t.Errorf("%d bytes have taken %d MiB", size, took>>20)
	}
	if err != nil && len(err.Error()) > (maxProblems+1)*(maxProblem+10) {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	return err
}

// TestAttackHostileConfig: whatever is in a configuration or in a file of users,
// it is read or refused, with an error that says why, in bounded time and memory.
func TestAttackHostileConfig(t *testing.T) {
	for name, c := range hostileFiles() {
		t.Run(name, func(t *testing.T) {
			for _, s := range []Strictness{Strict, Lenient} {
				err := bounded(t, len(c.file), func() error { _, err := Decode([]byte(c.file), s); return err })
				if s == Lenient && strings.HasPrefix(c.want, "line 1: the field") {
					continue // which it is to ignore, at no cost
				}
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("the error is %.200v, want %s", err, c.want)
				}
				_ = bounded(t, len(c.file), func() error { _, err := DecodeUsers([]byte(c.file), s); return err })
			}
		})
	}
}

// TestAttackHostileUsers: a million users in one file are refused, as many as one
// is for are read; of what is wrong with all of them, as much is told as is read.
func TestAttackHostileUsers(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"as many as there may be": {"users:\n" + repeat(12_000, "- {name: user-%d, uid: 5f0c3f0e-0000-4000-8000-000000000000, passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$nUxirfVK2I/vOT6f2ly2wSgjwZ1oqwTLCmrcpDyjicA', home: /partners/user, role: ReadWrite, login: Enabled}\n"), ""},
		"a million":               {"users:\n" + repeat(1_000_000, "- {name: u%d, passwordHash: $6$}\n"), "the file must be at most 4194304 bytes long"},
		"a million at once":       {"users: [" + strings.Repeat("{},", 1_000_000) + "]", "the file holds too many values"},
		"all of one name":         {"users:\n" + repeat(20_000, "- {name: same, passwordHash: $6$%d}\n"), `users[1].name: "same" is there twice`},
		"all wrong":               {"users:\n" + repeat(20_000, "- {name: a/%d, passwordHash: x}\n"), `users[0].name: "a/0" must not contain a slash`},
	} {
		t.Run(name, func(t *testing.T) {
			err := bounded(t, len(c.file), func() error { _, err := DecodeUsers([]byte(c.file), Strict); return err })
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
				t.Errorf("the error is %.200v, want %s", err, c.want)
			}
			if strings.HasPrefix(name, "all") && !strings.Contains(err.Error(), "\nand ") {
				t.Errorf("the error does not say that there is more: %.200v", err)
			}
		})
	}
}
