package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s.io/utils/ptr"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/controllers/policy"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

var noon = metav1.NewTime(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC))

func user(name, username string, age time.Duration) *v1alpha1.FTPUser {
	u := &v1alpha1.FTPUser{}
	u.Name, u.UID, u.Spec.Username = name, types.UID(name), username
	u.CreationTimestamp = metav1.NewTime(noon.Add(-age))
	return u
}

func TestAcceptUsers(t *testing.T) {
	for name, tc := range map[string]struct {
		users []*v1alpha1.FTPUser
		want  map[types.UID]v1alpha1.Reason
	}{
		"different logins": {
			[]*v1alpha1.FTPUser{user("a", "", 0), user("b", "", 0)},
			map[types.UID]v1alpha1.Reason{"a": v1alpha1.ReasonAccepted, "b": v1alpha1.ReasonAccepted},
		},
		"the older has it": {
			[]*v1alpha1.FTPUser{user("a", "x", 0), user("b", "x", time.Hour)},
			map[types.UID]v1alpha1.Reason{"a": v1alpha1.ReasonUsernameConflict, "b": v1alpha1.ReasonAccepted},
		},
		"of the same age, the first by name": {
			[]*v1alpha1.FTPUser{user("b", "x", 0), user("a", "x", 0)},
			map[types.UID]v1alpha1.Reason{"a": v1alpha1.ReasonAccepted, "b": v1alpha1.ReasonUsernameConflict},
		},
		"a login given and one from the name": {
			[]*v1alpha1.FTPUser{user("x", "", 0), user("b", "x", time.Hour)},
			map[types.UID]v1alpha1.Reason{"x": v1alpha1.ReasonUsernameConflict, "b": v1alpha1.ReasonAccepted},
		},
		"three": {
			[]*v1alpha1.FTPUser{user("a", "x", 1), user("b", "x", 2*time.Second), user("c", "x", time.Second)},
			map[types.UID]v1alpha1.Reason{"a": v1alpha1.ReasonUsernameConflict, "b": v1alpha1.ReasonAccepted, "c": v1alpha1.ReasonUsernameConflict},
		},
		"a login that the server would refuse takes nothing": {
			[]*v1alpha1.FTPUser{user("a", "x/y", time.Hour), user("b", "x", 0)},
			map[types.UID]v1alpha1.Reason{"a": v1alpha1.ReasonInvalidSpec, "b": v1alpha1.ReasonAccepted},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := policy.AcceptUsers(tc.users, v1alpha1.ClientAddressesPreserved)
			for uid, want := range tc.want {
				if got[uid].Reason != want {
					t.Errorf("%s: %s (%s), want %s", uid, got[uid].Reason, got[uid].Message, want)
				}
			}
		})
	}
}

// Nobody is in a network where addresses are hidden. Whoever is refused for that
// keeps login and space, so that nobody has to leave when the addresses are back.
func TestNetworksWhereAddressesAreHidden(t *testing.T) {
	narrow, younger, plain := user("a", "x", time.Hour), user("b", "x", 0), user("c", "", 0)
	narrow.Spec.AllowedCIDRs = []string{"10.0.0.0/8"}
	users := []*v1alpha1.FTPUser{narrow, younger, plain}
	for clients, want := range map[v1alpha1.ClientAddresses]v1alpha1.Reason{
		v1alpha1.ClientAddressesHidden:    v1alpha1.ReasonClientAddressesHidden,
		v1alpha1.ClientAddressesPreserved: v1alpha1.ReasonAccepted,
	} {
		got := policy.AcceptUsers(users, clients)
		if got["a"].Reason != want || got["b"].Reason != v1alpha1.ReasonUsernameConflict || !got["c"].OK() {
			t.Errorf("%s: %+v", clients, got)
		}
	}
	var conditions []metav1.Condition
	refused := policy.AcceptUsers(users, v1alpha1.ClientAddressesHidden)["a"]
	policy.SetConditions(&conditions, 1, []policy.Named{{Type: v1alpha1.ConditionAccepted, Finding: refused}}, finding("True", v1alpha1.ReasonReady))
	if got := summary(conditions); !strings.Contains(got, "Stalled=True/ClientAddressesHidden") {
		t.Errorf("only an edit helps, and it is told as %s", got)
	}
}

// The users of a shard must fit into a Secret, in both versions of the contract
// and whatever they look like: those that do not are told, and are the youngest.
func TestServerFull(t *testing.T) {
	until := metav1.Now()
	for name, tc := range map[string]struct {
		users int
		edit  func(*v1alpha1.FTPUserSpec)
	}{
		"plain":      {12_000, func(*v1alpha1.FTPUserSpec) {}},
		"long homes": {12_000, func(s *v1alpha1.FTPUserSpec) { s.Home = strings.Repeat("/h", 250) }},
		"narrowed": {12_000, func(s *v1alpha1.FTPUserSpec) {
			s.ExpiresAt, s.Limits.SessionsPerReplica = &until, 100_000
			s.Quota = v1alpha1.QuotaSpec{Bytes: ptr.To(resource.MustParse("1Ei")), Files: 1_000_000_000_000}
			most := resource.MustParse("1Ti")
			s.Limits.DownloadRatePerSession, s.Limits.UploadRatePerSession = &most, &most
		}},
		"many paths":          {3_000, func(s *v1alpha1.FTPUserSpec) { s.Paths = rules(32, 500) }},
		"short paths":         {6_000, func(s *v1alpha1.FTPUserSpec) { s.Paths = rules(32, 2) }},
		"paths with settings": {6_000, func(s *v1alpha1.FTPUserSpec) { s.Paths = withSettings(rules(32, 2)) }},
		"emoji":               {3_000, func(s *v1alpha1.FTPUserSpec) { s.Home, s.Paths = strings.Repeat("/\U0001F600", 250), emoji(32) }},
		"quotes":              {6_000, func(s *v1alpha1.FTPUserSpec) { s.Home = strings.Repeat("/'", 250) }},
		"many networks":       {6_000, func(s *v1alpha1.FTPUserSpec) { s.AllowedCIDRs = networks(32) }},
	} {
		t.Run(name, func(t *testing.T) {
			var users []*v1alpha1.FTPUser
			for i := range tc.users {
				u := user(fmt.Sprintf("user-%05d", i), "", time.Duration(tc.users-i)*time.Second)
				tc.edit(&u.Spec)
				users = append(users, u)
			}
			fills(t, users)
		})
	}
}

func rules(n, length int) []v1alpha1.PathRule {
	out := make([]v1alpha1.PathRule, n)
	for i := range out {
		out[i] = v1alpha1.PathRule{Path: fmt.Sprintf("/%02d%s", i, strings.Repeat("/p", length/2)), Role: "ReadWrite"}
	}
	return out
}

func withSettings(rules []v1alpha1.PathRule) []v1alpha1.PathRule {
	for i := range rules {
		rules[i].Uploads, rules[i].Overwrite = v1alpha1.UploadsDirect, v1alpha1.OverwriteAllow
	}
	return rules
}

func emoji(n int) []v1alpha1.PathRule {
	out := rules(n, 2)
	for i := range out {
		out[i].Path += strings.Repeat("/\U0001F600", 100)
	}
	return out
}

func networks(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("1111:2222:3333:4444:5555:6666:7777:88%02x/128", i)
	}
	return out
}

// fills finds that the users fill each shard to the half at least, and that
// nobody is taken beyond its end.
func fills(t *testing.T, users []*v1alpha1.FTPUser) {
	t.Helper()
	got := policy.AcceptUsers(users, v1alpha1.ClientAddressesPreserved)
	var size [config.UserShards]int
	full := [config.UserShards]bool{}
	for _, u := range users {
		shard := config.Shard(u.Name)
		switch f := got[u.UID]; f.Reason {
		case v1alpha1.ReasonAccepted:
			if full[shard] {
				t.Fatalf("%s was taken although an older one was not", u.Name)
			}
			entry := policy.UserEntry(u, strings.Repeat("h", 210))
			entry.UID = strings.Repeat("u", 36)
			size[shard] += entrySize(t, entry) + entrySize(t, config.PreviousUsers([]config.User{entry}, false)...)
		case v1alpha1.ReasonServerFull:
			full[shard] = true
		default:
			t.Fatalf("%s: %s", u.Name, f.Reason)
		}
	}
	for i, n := range size {
		if !full[i] || n > 1<<20 || n < 1<<19 {
			t.Errorf("shard %d holds %d bytes, full: %v", i, n, full[i])
		}
	}
}

func entrySize(t *testing.T, users ...config.User) int {
	t.Helper()
	data, err := config.Encode(config.UsersFile{Users: users})
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

// What the schema should refuse, and a server would with all of the file, is not
// taken; a time that would mean "never" there means "over".
func TestUserThatAServerWouldRefuse(t *testing.T) {
	at := func(when string) *v1alpha1.FTPUser {
		parsed, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		u := user("a", "", 0)
		u.Spec.ExpiresAt = &metav1.Time{Time: parsed}
		return u
	}
	bad := user("a", "", 0)
	bad.Spec.Home = "no/path"
	for name, u := range map[string]*v1alpha1.FTPUser{"too late": at("9999-12-31T23:59:59-05:00"), "a home": bad} {
		if got := policy.AcceptUsers([]*v1alpha1.FTPUser{u}, v1alpha1.ClientAddressesPreserved)["a"]; got.Reason != v1alpha1.ReasonInvalidSpec {
			t.Errorf("%s: %+v", name, got)
		}
	}
	zero := at("0001-01-01T00:00:00Z")
	if got := policy.AcceptUsers([]*v1alpha1.FTPUser{zero}, v1alpha1.ClientAddressesPreserved)["a"]; !got.OK() {
		t.Errorf("got %+v", got)
	}
	if got := policy.UserEntry(zero, "").Login; got != config.LoginSuspended {
		t.Errorf("a login that ended in the year 1 is %s", got)
	}
}

// The quota reaches the server in bytes, and one that an Admin can't have does not
// take the file of all others down with it.
func TestQuotaOfAUser(t *testing.T) {
	u := user("a", "", 0)
	if got := policy.UserEntry(u, "").Quota; got != (config.Quota{}) {
		t.Errorf("none is %+v", got)
	}
	for in, want := range map[string]int64{"10Gi": 10 << 30, "1500m": 2, "1Ei": 1 << 60, "5M": 5_000_000} {
		u.Spec.Quota = v1alpha1.QuotaSpec{Bytes: ptr.To(resource.MustParse(in)), Files: 7}
		if got := policy.UserEntry(u, "").Quota; got != (config.Quota{Bytes: want, Files: 7}) {
			t.Errorf("%s is %+v", in, got)
		}
	}
	u.Spec.Role = v1alpha1.RoleAdmin
	if got := policy.AcceptUsers([]*v1alpha1.FTPUser{u}, v1alpha1.ClientAddressesPreserved)["a"]; got.Reason != v1alpha1.ReasonInvalidSpec {
		t.Errorf("an Admin with a quota: %+v", got)
	}
}

// Rates reach the server in bytes per second.
func TestRatesOfAUser(t *testing.T) {
	u := user("a", "", 0)
	if got := policy.UserEntry(u, "").Rates; got != (config.Rates{}) {
		t.Errorf("none are %+v", got)
	}
	u.Spec.Limits.DownloadRatePerSession = ptr.To(resource.MustParse("1.5Mi"))
	u.Spec.Limits.UploadRatePerSession = ptr.To(resource.MustParse("2000.5"))
	if got := policy.UserEntry(u, "").Rates; got != (config.Rates{DownloadRatePerSession: 3 << 19, UploadRatePerSession: 2001}) {
		t.Errorf("they are %+v", got)
	}
}

func TestReadPassword(t *testing.T) {
	ref := v1alpha1.SecretKeyReference{Name: "s", Key: "k"}
	good := func(string) error { return nil }
	bad := func(string) error { return errors.New("too costly") }
	for name, tc := range map[string]struct {
		value string
		found bool
		check func(string) error
		want  v1alpha1.Reason
		is    policy.Password
	}{
		"plain":                  {"hunter2", true, bad, v1alpha1.ReasonResolvedRefs, policy.Password{Value: "hunter2"}},
		"a line's end":           {"hunter2\n", true, bad, v1alpha1.ReasonResolvedRefs, policy.Password{Value: "hunter2"}},
		"another line's end":     {"hunter2\r\n", true, bad, v1alpha1.ReasonResolvedRefs, policy.Password{Value: "hunter2"}},
		"spaces belong to it":    {" hunter2 ", true, bad, v1alpha1.ReasonResolvedRefs, policy.Password{Value: " hunter2 "}},
		"a dollar is no hash":    {"$2 bills", true, bad, v1alpha1.ReasonResolvedRefs, policy.Password{Value: "$2 bills"}},
		"argon2id":               {"$argon2id$v", true, good, v1alpha1.ReasonResolvedRefs, policy.Password{Value: "$argon2id$v", IsHash: true}},
		"bcrypt":                 {"$2b$10$v\n", true, good, v1alpha1.ReasonResolvedRefs, policy.Password{Value: "$2b$10$v", IsHash: true}},
		"SHA-512 crypt":          {"$6$v", true, good, v1alpha1.ReasonResolvedRefs, policy.Password{Value: "$6$v", IsHash: true}},
		"a hash that is refused": {"$2b$99$v", true, bad, v1alpha1.ReasonInvalidPassword, policy.Password{}},
		"no key":                 {"", false, good, v1alpha1.ReasonSecretKeyNotFound, policy.Password{}},
		"empty":                  {"", true, good, v1alpha1.ReasonSecretKeyNotFound, policy.Password{}},
		"only a line's end":      {"\n", true, good, v1alpha1.ReasonSecretKeyNotFound, policy.Password{}},
		"two lines":              {"a\nb", true, good, v1alpha1.ReasonInvalidPassword, policy.Password{}},
		"not UTF-8":              {"a\xff", true, good, v1alpha1.ReasonInvalidPassword, policy.Password{}},
		"too long":               {strings.Repeat("a", 513), true, good, v1alpha1.ReasonInvalidPassword, policy.Password{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, finding := policy.ReadPassword(ref, []byte(tc.value), tc.found, tc.check)
			if finding.Reason != tc.want || got != tc.is {
				t.Errorf("got %+v, %s; want %+v, %s", got, finding.Reason, tc.is, tc.want)
			}
			if v := strings.TrimSpace(tc.value); !finding.OK() && v != "" && strings.Contains(finding.Message, v) {
				t.Errorf("the message quotes the value: %s", finding.Message)
			}
		})
	}
}
