package e2e

import (
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
)

// liveChanges are the kinds of changes, in the order of a round. It begins
// without the user and ends so.
func liveChanges() []liveChange {
	return slices.Concat(userChanges(), serverChanges(), certificateChanges())
}

func theUser(s *stage) client.Object   { return s.user }
func theServer(s *stage) client.Object { return s.server }

// hold logs the user in, so that it can be seen how that session fares.
func hold(s *stage, _ int) { s.held = s.login(s.user) }

func (s *stage) setUser(edit func(*v1alpha1.FTPUserSpec)) {
	s.t.Helper()
	change(s.t, s.user, func() { edit(&s.user.Spec) })
}

func (s *stage) setServer(edit func(*v1alpha1.FTPServerSpec)) {
	s.t.Helper()
	change(s.t, s.server, func() { edit(&s.server.Spec) })
}

func (s *stage) word(i int) string { return fmt.Sprintf("the word of round %d", i) }

// accepted and refused look whether the user can log in.
func (s *stage) accepted(word string) string { return s.door.accepts("carol", word) }
func (s *stage) refused(word string) string  { return s.door.refuses("carol", word) }

// byCurl looks the same up with a real client.
func (s *stage) byCurl(word string, wanted bool) string {
	c := s.curl
	c.Target.User, c.Target.Password = "carol", word
	if problem := loginProblem(s.t, c); (problem == "") != wanted {
		return fmt.Sprintf("curl: the login is accepted: %t, want %t: %s", !wanted, wanted, problem)
	}
	return ""
}

func userChanges() []liveChange {
	return []liveChange{{
		name: "user added",
		of:   theUser,
		before: func(s *stage, i int) {
			s.secret = passwordSecret(s.server.Namespace, "carol", s.word(i))
			create(s.t, s.secret)
			s.user = newUser(s.server.Namespace, "carol", "files")
			s.user.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "carol"}
		},
		apply:   func(s *stage, _ int) { create(s.t, s.user) },
		effect:  func(s *stage, i int) string { return s.accepted(s.word(i)) },
		confirm: func(s *stage, i int) string { return s.byCurl(s.word(i), true) },
	}, {
		// Its object, the Secret, has no status.
		name:   "password changed",
		before: hold,
		apply: func(s *stage, i int) {
			change(s.t, s.secret, func() { s.secret.Data = map[string][]byte{"password": []byte(s.word(i) + ", renewed")} })
		},
		effect: func(s *stage, i int) string {
			if problem := s.held.ends(lookEvery); problem != "" {
				return problem
			}
			return s.accepted(s.word(i) + ", renewed")
		},
		after: func(s *stage, i int) string { return s.refused(s.word(i)) },
		confirm: func(s *stage, i int) string {
			return s.byCurl(s.word(i), false) + s.byCurl(s.word(i)+", renewed", true)
		},
	}, {
		name: "role changed",
		of:   theUser,
		before: func(s *stage, i int) {
			hold(s, i)
			must(s.t, s.held.do("MKD "+below(i)).is(257)) // for the path rule that comes next
		},
		apply: func(s *stage, _ int) { s.setUser(func(u *v1alpha1.FTPUserSpec) { u.Role = v1alpha1.RoleReadOnly }) },
		effect: func(s *stage, i int) string {
			// A new name each time: one that is left over would be refused too.
			if got := s.held.do("MKD /" + rand.Text()); got.code != 550 {
				return fmt.Sprintf("MKD: %d %s", got.code, got.text)
			}
			return ""
		},
		confirm: func(s *stage, i int) string {
			c := s.curl
			c.Target.User, c.Target.Password = "carol", s.word(i)+", renewed"
			if err := c.Mkdir(soon(s.t), "/by-curl"); err == nil || !strings.Contains(err.Error(), "550") {
				return fmt.Sprintf("curl: want a 550, got %v", err)
			}
			return ""
		},
	}, {
		name:   "path rule added",
		of:     theUser,
		before: hold,
		apply: func(s *stage, i int) {
			s.setUser(func(u *v1alpha1.FTPUserSpec) { u.Paths = []v1alpha1.PathRule{{Path: below(i), Role: "ReadWrite"}} })
		},
		effect: func(s *stage, i int) string {
			// The user is a reader by now, but below the rule's directory.
			if got := s.held.do("MKD " + below(i) + "/" + rand.Text()); got.code != 257 {
				return fmt.Sprintf("MKD: %d %s", got.code, got.text)
			}
			return ""
		},
		confirm: func(s *stage, i int) string {
			c := s.curl
			c.Target.User, c.Target.Password = "carol", s.word(i)+", renewed"
			if err := c.Mkdir(soon(s.t), below(i)+"/by-curl"); err != nil {
				return err.Error()
			}
			return ""
		},
	}, {
		name:   "network forbidden",
		of:     theUser,
		apart:  true, // a session is sent away right after the configuration is swapped
		before: hold,
		apply: func(s *stage, _ int) {
			s.setUser(func(u *v1alpha1.FTPUserSpec) { u.AllowedCIDRs = []string{"198.51.100.0/24"} })
		},
		effect: func(s *stage, _ int) string { return s.held.ends(lookEvery) },
		after: func(s *stage, i int) string {
			if problem := s.refused(s.word(i)+", renewed") + s.byCurl(s.word(i)+", renewed", false); problem != "" {
				return problem
			}
			s.setUser(func(u *v1alpha1.FTPUserSpec) { u.AllowedCIDRs = nil })
			ready(s.t, s.user)
			return ""
		},
	}, {
		name:    "login suspended",
		of:      theUser,
		apart:   true, // a session is sent away right after the configuration is swapped
		before:  hold,
		apply:   func(s *stage, _ int) { s.setUser(func(u *v1alpha1.FTPUserSpec) { u.Login = v1alpha1.LoginSuspended }) },
		effect:  func(s *stage, _ int) string { return s.held.ends(lookEvery) },
		after:   func(s *stage, i int) string { return s.refused(s.word(i) + ", renewed") },
		confirm: func(s *stage, i int) string { return s.byCurl(s.word(i)+", renewed", false) },
	}, {
		name:    "login enabled",
		of:      theUser,
		apply:   func(s *stage, _ int) { s.setUser(func(u *v1alpha1.FTPUserSpec) { u.Login = v1alpha1.LoginEnabled }) },
		effect:  func(s *stage, i int) string { return s.accepted(s.word(i) + ", renewed") },
		confirm: func(s *stage, i int) string { return s.byCurl(s.word(i)+", renewed", true) },
	}, {
		name:   "user removed",
		before: hold,
		apply: func(s *stage, _ int) {
			must(s.t, kube.Delete(soon(s.t), s.user))
			s.user = nil
		},
		effect: func(s *stage, _ int) string { return s.held.ends(lookEvery) },
		after: func(s *stage, i int) string {
			must(s.t, kube.Delete(soon(s.t), s.secret))
			return s.refused(s.word(i) + ", renewed")
		},
		confirm: func(s *stage, i int) string { return s.byCurl(s.word(i)+", renewed", false) },
	}}
}

// below is the directory of a round's path rule.
func below(i int) string { return fmt.Sprintf("/round-%d", i) }

// greets looks what a new connection is greeted with.
func (s *stage) greets(code int) string {
	c, said, err := s.door.greeting()
	if err != nil {
		return err.Error()
	}
	_ = c.Close()
	if err := said.is(code); err != nil {
		return err.Error()
	}
	return ""
}

func serverChanges() []liveChange {
	return []liveChange{{
		name: "limit lowered",
		of:   theServer,
		apply: func(s *stage, _ int) {
			s.setServer(func(f *v1alpha1.FTPServerSpec) { f.Limits.SessionsPerAddress = 1 })
		},
		effect: func(s *stage, _ int) string { return s.greets(421) },
		confirm: func(s *stage, _ int) string {
			if problem := loginProblem(s.t, s.curl); !strings.Contains(problem, "421") {
				return "curl: want a 421, got: " + problem
			}
			return ""
		},
	}, {
		name: "limit lifted",
		of:   theServer,
		apply: func(s *stage, _ int) {
			s.setServer(func(f *v1alpha1.FTPServerSpec) { f.Limits.SessionsPerAddress = 0 })
		},
		effect:  func(s *stage, _ int) string { return s.greets(220) },
		confirm: func(s *stage, _ int) string { return loginProblem(s.t, s.curl) },
	}, {
		name: "passive address",
		of:   theServer,
		apply: func(s *stage, i int) {
			s.setServer(func(f *v1alpha1.FTPServerSpec) {
				f.Passive.Addresses = []v1alpha1.PassiveAddress{{Address: documented(i)}}
			})
		},
		effect: func(s *stage, i int) string {
			// The listing gives the port back. Whether it is quick is no matter here.
			if host, _, err := s.watcher.list("PASV"); host != documented(i) {
				return fmt.Sprintf("PASV answers %s (%v)", host, err)
			}
			return ""
		},
		confirm: func(s *stage, i int) string {
			// Nobody is at that address, so that curl says in vain where it goes.
			c := s.curl
			c.Target.Mode = "PASV"
			if problem := loginProblem(s.t, c); !strings.Contains(problem, documented(i)) {
				return "curl: " + problem
			}
			return ""
		},
	}, {
		name: "certificate's name",
		of:   theServer,
		apply: func(s *stage, i int) {
			s.setServer(func(f *v1alpha1.FTPServerSpec) {
				f.Passive.Addresses = append(f.Passive.Addresses, v1alpha1.PassiveAddress{Address: named(i)})
			})
		},
		effect: func(s *stage, i int) string {
			d := s.door
			d.tls = d.tls.Clone()
			d.tls.ServerName, d.tls.ClientSessionCache = named(i), nil
			c, err := d.open()
			if err != nil {
				return err.Error()
			}
			c.close()
			return ""
		},
		confirm: func(s *stage, i int) string {
			c := s.curl
			c.Target.ServerName = named(i)
			return loginProblem(s.t, c)
		},
	}, {
		name:  "passive ports' numbers",
		of:    theServer,
		apart: true, // the nodes have to route the new numbers
		apply: func(s *stage, i int) {
			s.setServer(func(f *v1alpha1.FTPServerSpec) { f.Passive.Addresses, f.Passive.FirstPort = nil, firstPort(i) })
		},
		effect: func(s *stage, i int) string {
			if _, port, err := s.watcher.list("EPSV"); err != nil || port < int(firstPort(i)) || port >= int(firstPort(i))+64 {
				return fmt.Sprintf("EPSV answers %d (%v)", port, err)
			}
			return ""
		},
		confirm: func(s *stage, _ int) string {
			c := s.curl
			c.Target.Mode = "PASV"
			return loginProblem(s.t, c)
		},
	}, {
		name:  "log level",
		of:    theServer,
		apart: true, // the log takes its time to get here
		apply: func(s *stage, _ int) {
			s.setServer(func(f *v1alpha1.FTPServerSpec) { f.Logging.Level = v1alpha1.LogDebug })
		},
		effect: func(s *stage, i int) string {
			// A command is logged at the level Debug only.
			s.watcher.do(fmt.Sprintf("SIZE /look-%d", i))
			return s.log.has(fmt.Sprintf(`"argument":"/look-%d"`, i))
		},
		confirm: func(s *stage, _ int) string {
			_ = s.curl.Delete(soon(s.t), "/by-curl")
			return s.log.has(`"argument":"/by-curl"`)
		},
		after: func(s *stage, _ int) string {
			s.setServer(func(f *v1alpha1.FTPServerSpec) { f.Logging.Level = v1alpha1.LogInfo })
			return ""
		},
	}}
}

// documented is an address that is nobody's (RFC 5737).
func documented(i int) string { return net.IPv4(198, 51, 100, byte(i%250+1)).String() }

// named is a name that is nobody's (RFC 2606).
func named(i int) string { return fmt.Sprintf("n%d.example.com", i) }

func firstPort(i int) int32 { return 31000 + int32(i%2)*1000 }
