package servers

import (
	"fmt"
	"path/filepath"
)

// ours has the passwords checked by argon2id, remembered as always. Log level
// Warn leaves out the line of each transfer, which the others do not write either.
func ours(e *Env) ([]string, error) {
	tls := ""
	if e.TLS {
		tls = fmt.Sprintf("tls:\n  mode: Optional\n  certificates: [{certFile: %s, keyFile: %s}]\n", e.Cert, e.Key)
	}
	path, err := e.write("ours.yaml", fmt.Sprintf(`listen: 127.0.0.1:%d
passive: {range: 30000-30063}
%sstorage: {root: %s, durability: %s}
users:
  - {name: %s, passwordHash: %q, home: /, role: ReadWrite}
limits: {idleTimeout: 1h, downloadRatePerSession: %d, uploadRatePerSession: %d}
log: {level: Warn}
`, Port, tls, e.Root, e.Durability, User, e.Hash, e.Rate, e.Rate))
	return []string{filepath.Join(e.Bin, "ftpserver"), "serve", "--config", path}, err
}

// ftpserverlib is a small server on that library, given the fast ways: bare
// files, so that plain transfers stay in the kernel, and a password that is
// compared in memory.
func ftpserverlib(e *Env) ([]string, error) {
	args := []string{filepath.Join(e.Bin, "peer"), "-listen", fmt.Sprintf("127.0.0.1:%d", Port), "-root", e.Root,
		"-user", User, "-password", Password, "-ports", fmt.Sprintf("%d-%d", passiveFirst, passiveLast)}
	if e.TLS {
		args = append(args, "-cert", e.Cert, "-key", e.Key)
	}
	return args, nil
}

func limit(e *Env) ([]string, error) {
	return []string{filepath.Join(e.Bin, "bench"), "limit", "-listen", fmt.Sprintf("127.0.0.1:%d", Port), "-root", e.Root}, nil
}
