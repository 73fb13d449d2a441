package clients

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

// implicitPort is where the server serves implicit TLS.
func (s *server) implicitPort() string {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.log.wait(s.t, "Serving", nil).text("implicitTLS"))
	if err != nil {
		s.t.Fatal(err)
	}
	return port
}

// program runs a client and returns what it says.
func runProgram(t *testing.T, stdin io.Reader, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is needed: %v", name, err)
	}
	cmd := exec.CommandContext(soon(t), name, args...)
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := runProgram(t, nil, name, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return out
}

func mustWrite(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestImplicitTLS: clients that begin with TLS, on a port of its own, verified,
// in both versions.
func TestImplicitTLS(t *testing.T) {
	s := newServer(t, config.TLSRequired, func(c *config.Config) { c.TLS.Implicit.Listen = "127.0.0.1:0" })
	s.start()
	port, ca := s.implicitPort(), filepath.Join(s.dir, "ca.crt")
	local := mustWrite(t, filepath.Join(t.TempDir(), "local"), strings.Repeat("content\n", 100_000))
	for _, version := range []string{"1.2", "1.3"} {
		base := "ftps://127.0.0.1:" + port + "/"
		curl := []string{"-sS", "--cacert", ca, "--tlsv" + version, "--tls-max", version, "-u", "alice:" + password}
		mustRun(t, "curl", append(curl, "-T", local, base+"curl")...)
		back := filepath.Join(t.TempDir(), "back")
		mustRun(t, "curl", append(curl, "-o", back, base+"curl")...)
		if content(t, back) != content(t, local) {
			t.Errorf("curl %s: the content differs", version)
		}
	}
	back := filepath.Join(t.TempDir(), "back")
	mustRun(t, "lftp", "-u", "alice,"+password, "-e",
		"set ssl:ca-file "+ca+"; set net:max-retries 1; put "+local+" -o lftp; get lftp -o "+back+"; bye", "ftps://127.0.0.1:"+port)
	if content(t, back) != content(t, local) {
		t.Error("lftp: the content differs")
	}
	for _, e := range s.log.find("Transfer", nil) {
		if e["tls"] != true {
			t.Errorf("a transfer in clear: %v", e)
		}
	}
}

// TestImplicitTLSComesAndGoes: with the configuration, while a session that came
// by it goes on.
func TestImplicitTLSComesAndGoes(t *testing.T) {
	s := newServer(t, config.TLSRequired, nil)
	s.start()
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0].Listen)
	s.cfg.TLS.Implicit.Listen = address
	s.writeConfig()
	s.log.wait(t, "Port for implicit TLS changed", func(e entry) bool { return e["implicitTLS"] == address })
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	must(t, err)
	defer func() { _ = conn.Close() }()
	session := textproto.NewConn(conn)
	_, _, err = session.ReadResponse(220)
	must(t, err)

	s.cfg.TLS.Implicit.Listen = ""
	s.writeConfig()
	s.log.wait(t, "Port for implicit TLS changed", func(e entry) bool { return e["implicitTLS"] == "" })
	if again, err := net.Dial("tcp", address); err == nil {
		_ = again.Close()
		t.Error("the port is still there")
	}
	must(t, session.PrintfLine("NOOP"))
	_, _, err = session.ReadResponse(200)
	must(t, err)
}

// clientPair writes a client's certificate and key, and its authority.
func clientPair(t *testing.T, dir, name string) (ca, cert, key string) {
	t.Helper()
	caKey, authority := newKey(t), certificateTemplate(10)
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	authority.Subject = pkix.Name{CommonName: "clients"}
	leafKey, leaf := newKey(t), certificateTemplate(11)
	leaf.Subject, leaf.ExtKeyUsage = pkix.Name{CommonName: name}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, cert, key = filepath.Join(dir, "clients.crt"), filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	writePEM(t, ca, "CERTIFICATE", sign(t, authority, authority, caKey, caKey))
	writePEM(t, cert, "CERTIFICATE", sign(t, leaf, authority, leafKey, caKey))
	writePEM(t, key, "PRIVATE KEY", der)
	return ca, cert, key
}

// TestClientCertificates: with a certificate alone, in both versions of TLS, on
// both ports; and no data without it.
func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	authority, cert, key := clientPair(t, dir, "alice")
	s := newServer(t, config.TLSRequired, func(c *config.Config) {
		c.TLS.Implicit.Listen = "127.0.0.1:0"
		c.TLS.ClientCertificates = config.ClientCertificates{Mode: config.ClientCertificatesRequired, CAFile: authority}
		c.Users[0].ClientCertificates = []config.ClientCertificate{{CommonName: "alice"}}
		c.Users[0].CertificateLogin = config.CertificateLoginWithoutPassword
	})
	s.start()
	local := mustWrite(t, filepath.Join(dir, "local"), "content")
	for _, base := range []string{fmt.Sprintf("ftp://127.0.0.1:%d/", s.port), "ftps://127.0.0.1:" + s.implicitPort() + "/"} {
		for _, version := range []string{"1.2", "1.3"} {
			curl := []string{"-sS", "--ssl-reqd", "--cacert", filepath.Join(s.dir, "ca.crt"), "--tlsv" + version, "--tls-max", version, "-u", "alice:none"}
			with := append(append([]string{}, curl...), "--cert", cert, "--key", key)
			mustRun(t, "curl", append(with, "-T", local, base+"file")...)
			if got := mustRun(t, "curl", append(with, base+"file")...); got != "content" {
				t.Errorf("%s, %s: %q", base, version, got)
			}
			if out, err := runProgram(t, nil, "curl", append(curl, base+"file")...); err == nil {
				t.Errorf("%s, %s: without a certificate: %q", base, version, out)
			}
		}
	}
}

// TestStapleAsOpenSSLSeesIt, on both ports, once the responder has answered.
func TestStapleAsOpenSSLSeesIt(t *testing.T) {
	s := newServer(t, config.TLSRequired, func(c *config.Config) {
		c.TLS.OCSPStapling, c.TLS.Implicit.Listen = config.StaplingEnabled, "127.0.0.1:0"
	})
	s.certifyWithResponder()
	s.start()
	s.log.wait(t, "OCSP staple fetched", nil)
	for name, args := range map[string][]string{
		"explicit": {"-starttls", "ftp", "-connect", fmt.Sprintf("127.0.0.1:%d", s.port)},
		"implicit": {"-connect", "127.0.0.1:" + s.implicitPort()},
	} {
		out, _ := runProgram(t, strings.NewReader("QUIT\n"), "openssl", append([]string{"s_client", "-status", "-CAfile", filepath.Join(s.dir, "ca.crt")}, args...)...)
		for _, want := range []string{"OCSP Response Status: successful", "Cert Status: good", "Verify return code: 0 (ok)"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is missing in\n%s", name, want, out)
			}
		}
	}
}

// certifyWithResponder replaces the server's certificate by one with its issuer
// behind it, which names a responder of the test.
func (s *server) certifyWithResponder() {
	s.t.Helper()
	caKey, ca := newKey(s.t), certificateTemplate(20)
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	ca.Subject = pkix.Name{CommonName: "test CA with a responder"}
	caDER := sign(s.t, ca, ca, caKey, caKey)
	issuer, err := x509.ParseCertificate(caDER)
	if err != nil {
		s.t.Fatal(err)
	}
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerOCSP(s.t, w, r, issuer, caKey) }))
	s.t.Cleanup(responder.Close)

	key, leaf := newKey(s.t), certificateTemplate(21)
	leaf.IPAddresses, leaf.OCSPServer = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{responder.URL}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	writePEM(s.t, filepath.Join(s.dir, "ca.crt"), "CERTIFICATE", caDER)
	writePEM(s.t, filepath.Join(s.dir, "tls.crt"), "CERTIFICATE", sign(s.t, leaf, issuer, key, caKey))
	writePEM(s.t, filepath.Join(s.dir, "tls.key"), "PRIVATE KEY", keyDER)
	mustWrite(s.t, filepath.Join(s.dir, "tls.crt"), content(s.t, filepath.Join(s.dir, "tls.crt"))+content(s.t, filepath.Join(s.dir, "ca.crt")))
}

func answerOCSP(t *testing.T, w io.Writer, r *http.Request, issuer *x509.Certificate, key *ecdsa.PrivateKey) {
	body, _ := io.ReadAll(r.Body)
	question, err := ocsp.ParseRequest(body)
	if err != nil {
		t.Error(err)
		return
	}
	der, err := ocsp.CreateResponse(issuer, issuer, ocsp.Response{
		Status: ocsp.Good, SerialNumber: question.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour),
	}, key)
	if err != nil {
		t.Error(err)
	}
	_, _ = w.Write(der)
}

// TestNoRenegotiation: a client that asks for it in TLS 1.2 is refused, and costs
// nobody else anything.
func TestNoRenegotiation(t *testing.T) {
	s := newServer(t, config.TLSRequired, func(c *config.Config) { c.TLS.Implicit.Listen = "127.0.0.1:0" })
	s.start()
	in, typed := io.Pipe()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:"+s.implicitPort())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.log.wait(t, "Control connection secured", nil)
	_, _ = io.WriteString(typed, "R\n")
	s.log.wait(t, "Session closed", nil)
	_ = typed.Close()
	_ = cmd.Wait()
	if !strings.Contains(out.String(), "RENEGOTIATING") || len(s.log.find("Control connection secured", nil)) != 1 {
		t.Errorf("it was not refused:\n%s", out.String())
	}
	conn, err := tls.Dial("tcp", "127.0.0.1:"+s.implicitPort(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
