package e2e

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/ftp-operator/ftp-operator/test/figures"
)

// shortest is the length of the shortest text that is looked for. What is
// shorter would be found by chance.
const shortest = 8

// noteSecret takes note of what is secret in a Secret. Certificates, user names
// and the configuration are not; of a file of users, the hashes are.
func (e *evidence) noteSecret(s *corev1.Secret) {
	for key, value := range s.Data {
		origin := fmt.Sprintf("%s of the Secret %s/%s", key, s.Namespace, s.Name)
		switch {
		case strings.HasSuffix(key, ".crt"), key == "username", strings.HasPrefix(key, "config."):
		case strings.HasPrefix(key, "users-"):
			for _, hash := range passwordHash.FindAllString(string(value), -1) {
				e.noteText(hash, origin)
				e.noteText(hash[strings.LastIndex(hash, "$")+1:], origin)
			}
		case strings.Contains(string(value), "PRIVATE KEY-----"):
			for _, line := range privateLines(value) {
				e.noteText(line, origin)
			}
		default:
			if text := strings.TrimSpace(string(value)); utf8.ValidString(text) {
				e.noteText(text, origin)
			}
			e.noteText(string(value), origin)
			e.noteText(base64.StdEncoding.EncodeToString(value), origin)
			e.noteText(base64.RawURLEncoding.EncodeToString(value), origin)
			e.noteText(hex.EncodeToString(value), origin)
		}
	}
}

// privateLines are the lines of a private key in PEM, without those in which
// only its public half stands: a certificate may hold the very same line.
func privateLines(key []byte) (out []string) {
	var public []byte
	if block, _ := pem.Decode(key); block != nil {
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			public, _ = x509.MarshalPKIXPublicKey(parsed.(crypto.Signer).Public())
		}
	}
	for line := range strings.Lines(string(key)) {
		line = strings.TrimSpace(line)
		content, err := base64.StdEncoding.DecodeString(line)
		if err == nil && len(content) > 0 && !bytes.Contains(public, content) {
			out = append(out, line)
		}
	}
	return out
}

var passwordHash = regexp.MustCompile(`\$(?:argon2id|2[abxy]?|6)\$[^\s"']+`)

func (e *evidence) noteText(text, origin string) {
	if len(text) < shortest {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secrets[text] = origin
}

// search finds, in all the evidence, the texts. It returns where, for the
// origin of each: never the text itself.
func (e *evidence) search(texts map[string]string) (map[string][]string, error) {
	byStart := map[string][]string{}
	for text := range texts {
		byStart[text[:shortest]] = append(byStart[text[:shortest]], text)
	}
	found := map[string][]string{}
	err := filepath.WalkDir(e.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, hit := strings.TrimPrefix(path, e.dir+"/"), map[string]bool{}
		all := string(content)
		for i := 0; i+shortest <= len(all); i++ {
			for _, text := range byStart[all[i:i+shortest]] {
				if strings.HasPrefix(all[i:], text) && !hit[texts[text]] {
					hit[texts[text]] = true
					found[texts[text]] = append(found[texts[text]], name)
				}
			}
		}
		return nil
	})
	return found, err
}

// othersEnded is set when all other tests have ended.
var othersEnded bool

// TestNoSecretLeaks: nothing that this run has made and that is secret stands
// anywhere but in Secrets. It plants a secret, and knows marks in each kind of
// evidence, which the same search must find. It comes last: see run.
func TestNoSecretLeaks(t *testing.T) {
	if !othersEnded {
		t.Skip("comes when all others have ended")
	}
	planted := plant(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := seen.leaving(ctx, operatorNamespace); err != nil {
		t.Error(err)
	}
	seen.mu.Lock()
	texts := maps.Clone(seen.secrets)
	servers := slices.ContainsFunc(slices.Collect(maps.Values(texts)), func(origin string) bool { return strings.HasPrefix(origin, "status-token of") })
	seen.mu.Unlock()
	const mark = "mark: "
	texts[`"kind":"Deployment"`] = mark + evidenceObjects
	texts[`"msg":"Starting"`] = mark + evidenceOperator
	texts["rest_client_requests_total"] = mark + evidenceMetrics
	if len(node) > 0 {
		texts["--leader-elect"] = mark + evidenceProcesses
	}
	if servers {
		texts[`"msg":"Configuration loaded"`] = mark + evidenceServers
	}
	found, err := seen.search(texts)
	must(t, err)
	secrets := 0
	for text, origin := range texts {
		folder, isMark := strings.CutPrefix(origin, mark)
		isPlanted := text == planted
		where := found[origin]
		switch {
		case isMark && !slices.ContainsFunc(where, func(f string) bool { return strings.HasPrefix(f, folder+"/") }):
			t.Errorf("The search finds nothing in the %s: it can't be trusted", folder)
		case isPlanted && len(where) == 0:
			t.Error("The search does not find the planted secret: it can't be trusted")
		case !isMark:
			secrets++
		}
	}
	for origin, where := range found {
		if !strings.HasPrefix(origin, mark) && !strings.Contains(origin, "/"+plantedName) {
			t.Errorf("%s stands in %v", origin, where)
		}
	}
	figures.Record(t, fmt.Sprintf("Looked for %d texts of secrets in %d MiB", secrets, seen.size(t)>>20))
}

const plantedName = "planted"

// TestPrivateLines: of a private key, the lines with the private half are looked
// for, and none of those that a certificate may show.
func TestPrivateLines(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	// A scalar of 32 bytes ends in the second line of 48; the third is public.
	if got := privateLines(text); !slices.Equal(got, all[1:3]) {
		t.Errorf("%d lines are looked for, want the first two of %d", len(got), len(all)-2)
	}
}

// plant puts a secret where it does not belong, and returns it.
func plant(t *testing.T) string {
	t.Helper()
	ns := newNamespace(t)
	secret := passwordSecret(ns, plantedName, "planted on purpose, "+ns)
	text := string(secret.Data["password"])
	create(t, secret, &corev1.ConfigMap{ObjectMeta: objectMeta(ns, "beside"), Data: map[string]string{"leaked": "here: " + text + "!"}})
	eventually(t, func() string {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if seen.secrets[text] == "" {
			return "the planted secret was not noted"
		}
		return ""
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must(t, seen.leaving(ctx, ns))
	return text
}

func (e *evidence) size(t *testing.T) (n int64) {
	t.Helper()
	must(t, filepath.WalkDir(e.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	}))
	return n
}
