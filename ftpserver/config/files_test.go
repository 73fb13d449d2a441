package config

import "testing"

func TestNameOfAndResolve(t *testing.T) {
	tests := []struct{ file, name, path string }{
		{"config.v2.yaml", "config.v2.yaml", "/etc/ftp/config.v2.yaml"},
		{"./users//users-0.v2.yaml", "users/users-0.v2.yaml", "/etc/ftp/users/users-0.v2.yaml"},
		{"../tls/default/tls.crt", "../tls/default/tls.crt", "/etc/tls/default/tls.crt"},
		{"/etc/ftp/tls/tls.crt", "tls/tls.crt", "/etc/ftp/tls/tls.crt"},
		{"/etc/ftp/..data/x", "..data/x", "/etc/ftp/..data/x"},
		{"/etc/ftp2/tls.crt", "/etc/ftp2/tls.crt", "/etc/ftp2/tls.crt"},
		{"/etc/tls/../tls.crt", "/etc/tls.crt", "/etc/tls.crt"},
	}
	for _, tt := range tests {
		if got := NameOf("/etc/ftp", tt.file); got != tt.name {
			t.Errorf("NameOf(%q) = %q, want %q", tt.file, got, tt.name)
		}
		if got := Resolve("/etc/ftp", tt.file); got != tt.path {
			t.Errorf("Resolve(%q) = %q, want %q", tt.file, got, tt.path)
		}
	}
}

// The operator and every release of the server must agree on the shards: the
// numbers are part of the contract.
func TestShardIsPartOfTheContract(t *testing.T) {
	for name, want := range map[string]int{"": 5, "anna": 3, "bert": 6, "Müller": 4} {
		if got := Shard(name); got != want {
			t.Errorf("Shard(%q) = %d, want %d", name, got, want)
		}
	}
	if got := UsersFileName(7); got != "users-7.v2.yaml" {
		t.Errorf("UsersFileName(7) = %q", got)
	}
}
