package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// vsftpd: a local user in its home, without the isolation by namespaces and
// system-call filters that its sessions have by default, as they cost time at
// login.
func vsftpd(e *Env) ([]string, error) {
	c := []string{
		"listen=YES", "listen_ipv6=NO", "background=NO", "listen_address=127.0.0.1", fmt.Sprintf("listen_port=%d", Port),
		"anonymous_enable=NO", "local_enable=YES", "write_enable=YES", "local_umask=022",
		"chroot_local_user=YES", "allow_writeable_chroot=YES", "local_root=" + e.Root,
		"secure_chroot_dir=" + e.Dir, "pam_service_name=vsftpd",
		"seccomp_sandbox=NO", "isolate=NO", "isolate_network=NO", "session_support=NO",
		"xferlog_enable=NO", "syslog_enable=NO", "use_sendfile=YES",
		"max_clients=0", "max_per_ip=0", "idle_session_timeout=3600", "data_connection_timeout=120",
		fmt.Sprintf("pasv_min_port=%d", passiveFirst), fmt.Sprintf("pasv_max_port=%d", passiveLast),
	}
	if e.TLS {
		c = append(c, "ssl_enable=YES", "rsa_cert_file="+e.Cert, "rsa_private_key_file="+e.Key, "ssl_ciphers=ECDHE+AESGCM",
			"ssl_tlsv1=YES", "ssl_sslv2=NO", "ssl_sslv3=NO", "allow_anon_ssl=NO", "require_ssl_reuse=NO",
			"force_local_data_ssl=NO", "force_local_logins_ssl=NO")
	}
	path, err := e.write("vsftpd.conf", strings.Join(c, "\n")+"\n")
	return []string{"/usr/sbin/vsftpd", path}, err
}

// proftpd: a virtual user of AuthUserFile, no PAM, no delay at login.
func proftpd(e *Env) ([]string, error) {
	passwd := fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", User, cryptHash, UserID, UserID, e.Root)
	users, err := e.write("proftpd.passwd", passwd)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(users, 0o600); err != nil {
		return nil, err
	}
	c := []string{
		"ServerType standalone", "ServerName bench", "UseIPv6 off", "DefaultAddress 127.0.0.1", fmt.Sprintf("Port %d", Port),
		"User nobody", "Group nogroup", "UseReverseDNS off", "Umask 022", "DefaultRoot ~", "RequireValidShell off",
		"AuthUserFile " + users, "AuthOrder mod_auth_file.c", "AllowOverwrite on", "AllowStoreRestart on",
		"ScoreboardFile " + filepath.Join(e.Dir, "scoreboard"), "PidFile " + filepath.Join(e.Dir, "proftpd.pid"), "DelayTable none",
		"<IfModule mod_delay.c>", "DelayEngine off", "</IfModule>",
		"TransferLog none", "WtmpLog none", "SystemLog none", "UseSendfile on",
		"MaxInstances none", "TimeoutIdle 3600", "TimeoutNoTransfer 0", "TimeoutStalled 120", "TimeoutLogin 60",
		fmt.Sprintf("PassivePorts %d %d", passiveFirst, passiveLast),
	}
	if e.TLS {
		c = append(c, "LoadModule mod_tls.c", "TLSEngine on", "TLSRequired off", "TLSProtocol TLSv1.2 TLSv1.3",
			"TLSECCertificateFile "+e.Cert, "TLSECCertificateKeyFile "+e.Key, "TLSOptions NoSessionReuseRequired",
			"TLSServerCipherPreference off", "TLSRenegotiate none", "TLSSessionTickets on", "TLSLog none")
	}
	path, err := e.write("proftpd.conf", strings.Join(c, "\n")+"\n")
	return []string{"/usr/sbin/proftpd", "--nodaemon", "--quiet", "--config", path}, err
}

// pureftpd: a virtual user of a PureDB file.
func pureftpd(e *Env) ([]string, error) {
	line := fmt.Sprintf("%s:%s:%d:%d::%s/./::::::::::::\n", User, cryptHash, UserID, UserID, e.Root)
	passwd, err := e.write("pureftpd.passwd", line)
	if err != nil {
		return nil, err
	}
	db := filepath.Join(e.Dir, "pureftpd.pdb")
	if out, err := exec.Command("/usr/bin/pure-pw", "mkdb", db, "-f", passwd).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pure-pw mkdb: %w: %s", err, out)
	}
	args := []string{"/usr/sbin/pure-ftpd", "-4", "-S", fmt.Sprintf("127.0.0.1,%d", Port), "-A", "-E", "-H", "-l", "puredb:" + db,
		"-c", fmt.Sprint(Sessions), "-C", fmt.Sprint(Sessions), "-I", "60", "-f", "none", "-L", "1000000:5", "-U", "022:022",
		"-p", fmt.Sprintf("%d:%d", passiveFirst, passiveLast), "-g", filepath.Join(e.Dir, "pure-ftpd.pid")}
	if e.TLS {
		args = append(args, "-Y", "1", "-2", e.Both)
	}
	return args, nil
}

// pyftpdlib: the asynchronous server, with a password compared in memory.
func pyftpdlib(e *Env) ([]string, error) {
	handler := "FTPHandler"
	tls := ""
	if e.TLS {
		handler = "TLS_FTPHandler"
		tls = fmt.Sprintf("h.certfile = %q\nh.keyfile = %q\nh.get_ssl_context().set_session_id(b'bench')\n", e.Cert, e.Key)
	}
	path, err := e.write("server.py", fmt.Sprintf(`import logging
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import %[1]s as h
from pyftpdlib.servers import FTPServer

logging.basicConfig(level=logging.ERROR)
users = DummyAuthorizer()
users.add_user(%[2]q, %[3]q, %[4]q, perm="elradfmwMT")
h.authorizer = users
h.passive_ports = range(%[5]d, %[6]d)
h.timeout = 3600
%[7]sserver = FTPServer(("127.0.0.1", %[8]d), h)
server.max_cons = 0
server.max_cons_per_ip = 0
server.serve_forever()
`, handler, User, Password, e.Root, passiveFirst, passiveLast, tls, Port))
	return []string{"/usr/bin/python3", "-W", "ignore", path}, err
}

// opensslConfig has all servers encrypt TLS 1.3 alike: some would prefer AES with
// 256 bits, which is slower, and cannot be told otherwise.
const opensslConfig = `openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
Ciphersuites = TLS_AES_128_GCM_SHA256
`

// SystemFiles are what servers with users of the system need below /etc.
func SystemFiles(etc, root string) error {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	for _, dir := range []string{"pam.d", "ssl"} {
		if err := os.MkdirAll(filepath.Join(etc, dir), 0o755); err != nil {
			return err
		}
	}
	for name, content := range map[string]string{
		"passwd":          strings.TrimRight(string(passwd), "\n") + fmt.Sprintf("\n%s:x:%d:%d::%s:/bin/sh\n", User, UserID, UserID, root),
		"shadow":          fmt.Sprintf("root:*:20000::::::\n%s:%s:20000::::::\n", User, cryptHash),
		"pam.d/vsftpd":    "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n",
		"ssl/openssl.cnf": opensslConfig,
	} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return os.Chmod(filepath.Join(etc, "shadow"), 0o600)
}
