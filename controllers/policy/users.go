package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/ftpserver/config"
)

const (
	// shardBudget is what the users of one shard may take, in bytes: a Secret
	// holds 1 MiB at most.
	shardBudget = 960 << 10
	// userOverhead is what a user takes besides its name and home, at most.
	userOverhead = 400
	// ruleOverhead and cidrOverhead are what a path rule takes besides its path
	// and its settings, and a network at all.
	ruleOverhead = 40
	// settingOverhead is what a setting of a path rule takes.
	settingOverhead = 28
	cidrOverhead    = 60
	// narrowOverhead is what else can narrow a login, but for a quota.
	narrowOverhead = 80
	quotaOverhead  = 80
	rateOverhead   = 50
)

// entrySize is the most that a user takes of its shard, in bytes: its entry is
// there in two versions of the contract.
func entrySize(u *v1alpha1.FTPUser) int {
	size := 2 * (userOverhead + 2*written(u.Username()) + written(u.Spec.Home))
	for _, p := range u.Spec.Paths {
		size += ruleOverhead + written(p.Path)
		if p.Uploads != "" {
			size += settingOverhead
		}
		if p.Overwrite != "" {
			size += settingOverhead
		}
	}
	if u.Spec.Quota != (v1alpha1.QuotaSpec{}) {
		size += quotaOverhead
	}
	if u.Spec.Limits.RatesSpec != (v1alpha1.RatesSpec{}) {
		size += 2 * rateOverhead
	}
	return size + cidrOverhead*len(u.Spec.AllowedCIDRs) + narrowOverhead
}

// written is the most bytes that a text takes in YAML, where what is not
// printable there is escaped, as \U0001F600.
func written(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case r == '"', r == '\'', r == '\\':
			n += 2
		case r > unicode.MaxLatin1 && r <= 0xD7FF, r >= ' ' && r <= '~', r > 0xDFFF && r < 0xFEFF:
			n += utf8.RuneLen(r)
		default:
			n += len(`\U0001F600`)
		}
	}
	return n
}

// AcceptUsers decides which FTPUsers the server takes, by UID. Older ones come
// first, by creation time and then by namespace and name, so that a younger one
// never takes anything from an older. Where the addresses of clients are hidden,
// users with allowedCIDRs are not taken, and their logins and their space are kept
// for them.
func AcceptUsers(users []*v1alpha1.FTPUser, clients v1alpha1.ClientAddresses) map[types.UID]Finding {
	byAge := slices.Clone(users)
	slices.SortFunc(byAge, older)
	out := make(map[types.UID]Finding, len(users))
	owner := map[string]*v1alpha1.FTPUser{}
	var used [config.UserShards]int
	for _, u := range byAge {
		name := u.Username()
		if err := config.UsernameProblem(name); err != nil {
			out[u.UID] = no(v1alpha1.ReasonInvalidSpec, fmt.Sprintf("username: %v: set spec.username in a new FTPUser", err))
			continue
		}
		// The schema refuses this before; should it not, the user's file must not
		// be refused for it, with everybody else who is in it.
		if err := UserEntry(u, "").Problem(); err != nil {
			out[u.UID] = no(v1alpha1.ReasonInvalidSpec, fmt.Sprintf("The server would refuse it: %v", err))
			continue
		}
		if first := owner[name]; first != nil {
			out[u.UID] = no(v1alpha1.ReasonUsernameConflict,
				fmt.Sprintf("The login %q belongs to the older FTPUser %s: delete either, or make a new FTPUser with another spec.username", name, first.Name))
			continue
		}
		shard, size := config.Shard(name), entrySize(u)
		if used[shard]+size > shardBudget {
			out[u.UID] = no(v1alpha1.ReasonServerFull, "The server has no space for more users: use another FTPServer")
			continue
		}
		used[shard] += size
		owner[name] = u
		if len(u.Spec.AllowedCIDRs) > 0 && clients == v1alpha1.ClientAddressesHidden {
			out[u.UID] = networksUnknown
			continue
		}
		out[u.UID] = yes(v1alpha1.ReasonAccepted, "The server has taken the user")
	}
	return out
}

// networksUnknown is the finding for a user with allowedCIDRs on a server that
// sees no addresses.
var networksUnknown = no(v1alpha1.ReasonClientAddressesHidden,
	"The server does not see the addresses of its clients (its condition ClientAddressesKnown says why and what to do), so that nobody is in allowedCIDRs: have it see them, or remove allowedCIDRs")

func older(a, b *v1alpha1.FTPUser) int {
	return cmp.Or(
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}

// UserEntry is the user as the server sees it.
func UserEntry(u *v1alpha1.FTPUser, passwordHash string) config.User {
	entry := config.User{
		Name:         u.Username(),
		UID:          string(u.UID),
		PasswordHash: passwordHash,
		Home:         u.Spec.Home,
		Role:         config.Role(u.Spec.Role),
		Login:        config.Login(u.Spec.Login),
		AllowedCIDRs: u.Spec.AllowedCIDRs,
		MaxSessions:  int(u.Spec.Limits.SessionsPerReplica),
		Quota:        config.Quota{Bytes: u.Spec.Quota.InBytes(), Files: u.Spec.Quota.Files},
	}
	entry.DownloadRatePerSession, entry.UploadRatePerSession = u.Spec.Limits.InBytes()
	for _, p := range u.Spec.Paths {
		entry.Paths = append(entry.Paths, config.PathRule{
			Path: p.Path, Role: config.Role(p.Role), Uploads: config.Uploads(p.Uploads), Overwrite: config.Overwrite(p.Overwrite),
		})
	}
	if at := u.Spec.ExpiresAt; at != nil {
		entry.ExpiresAt = at.UTC()
		if at.IsZero() { // to the server that would be: never
			entry.Login = config.LoginSuspended
		}
	}
	return entry
}

// Expired tells whether the login has ended by its time.
func Expired(u *v1alpha1.FTPUser, now time.Time) bool {
	at := u.Spec.ExpiresAt
	return at != nil && !now.Before(at.Time)
}

// PasswordRef is where a user's password is: where the spec says, or in the
// Secret that the operator makes.
func PasswordRef(u *v1alpha1.FTPUser, generated v1alpha1.SecretKeyReference) v1alpha1.SecretKeyReference {
	if ref := u.Spec.PasswordSecretRef; ref != nil {
		return *ref
	}
	return generated
}
