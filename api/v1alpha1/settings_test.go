package v1alpha1_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the server does is set with values that it takes, and others are refused
// with what to do.
func TestSettingsAreJudged(t *testing.T) {
	const failed = "spec.limits.failedLogins"
	for name, tc := range map[string]struct {
		base string
		set  []set
		want string // empty: it is accepted
	}{
		"lockouts":                    {server, []set{{failed, fields("lockoutAfter", int64(3), "lockoutFor", "24h")}}, ""},
		"delays only":                 {server, []set{{failed, fields("mode", "Delay")}}, ""},
		"guessing unbounded":          {server, []set{{failed, fields("mode", "None")}}, ""},
		"guessing off":                {server, []set{{failed, fields("mode", "Off")}}, `supported values: "Lockout", "Delay", "None"`},
		"lockout after two":           {server, []set{{failed, fields("lockoutAfter", int64(2))}}, "should be greater than or equal to 3"},
		"lockout after very many":     {server, []set{{failed, fields("lockoutAfter", int64(1001))}}, "should be less than or equal to 1000"},
		"lockout for days":            {server, []set{{failed, fields("lockoutFor", "48h")}}, "lockoutFor must be between 1s and 24h"},
		"lockout time without":        {server, []set{{failed, fields("mode", "Delay", "lockoutFor", "5m")}}, "need failedLogins.mode Lockout: set the mode or remove the fields"},
		"lockout number without":      {server, []set{{failed, fields("mode", "None", "lockoutAfter", int64(5))}}, "need failedLogins.mode Lockout"},
		"quota":                       {user, []set{{"spec.quota", fields("bytes", "1.5Gi", "files", int64(1000))}}, ""},
		"quota of bytes":              {user, []set{{"spec.quota", fields("bytes", int64(1))}}, ""},
		"quota of the most bytes":     {user, []set{{"spec.quota", fields("bytes", "1Ei")}}, ""},
		"quota of files":              {user, []set{{"spec.quota", fields("files", int64(1))}}, ""},
		"quota of nothing":            {user, []set{{"spec.quota", fields()}}, "give quota bytes or files, or leave quota out for no limit"},
		"quota of no bytes":           {user, []set{{"spec.quota", fields("bytes", "0")}}, "bytes must be between 1 and 1Ei, such as 10Gi"},
		"quota of less than a byte":   {user, []set{{"spec.quota", fields("bytes", "500m")}}, "bytes must be between 1 and 1Ei"},
		"quota of negative bytes":     {user, []set{{"spec.quota", fields("bytes", "-1Gi")}}, "bytes must be between 1 and 1Ei"},
		"quota of too many bytes":     {user, []set{{"spec.quota", fields("bytes", "8Ei")}}, "bytes must be between 1 and 1Ei"},
		"quota of no files":           {user, []set{{"spec.quota", fields("files", int64(0))}}, "should be greater than or equal to 1"},
		"quota of an Admin":           {user, []set{{"spec.role", "Admin"}, {"spec.quota", fields("files", int64(9))}}, "an Admin works on all of the server's files and has no quota: remove quota"},
		"quota of guests":             {server, []set{{"spec.anonymous", fields("role", "WriteOnly", "quota", fields("bytes", "1Gi"))}}, ""},
		"quota of guests, of nothing": {server, []set{{"spec.anonymous", fields("quota", fields())}}, "give quota bytes or files"},
	} {
		t.Run(name, func(t *testing.T) {
			obj := object(t, tc.base, append(tc.set, set{"metadata.name", "judged"})...)
			err := kube.Create(t.Context(), obj, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
			switch {
			case tc.want != "":
				refused(t, err, tc.want)
			case err != nil:
				t.Error(err)
			}
		})
	}
}
