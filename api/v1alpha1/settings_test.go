package v1alpha1_test

import (
	"fmt"
	"strings"
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

		"rates":                {server, []set{{"spec.limits", fields("downloadRatePerSession", "10Mi", "uploadRatePerSession", "1.5M")}}, ""},
		"rates, the lowest":    {server, []set{{"spec.limits", fields("downloadRatePerSession", int64(1024), "uploadRatePerSession", "1Ki")}}, ""},
		"rates, the highest":   {user, []set{{"spec.limits", fields("downloadRatePerSession", "1Ti", "uploadRatePerSession", "1Ti")}}, ""},
		"rates of guests":      {server, []set{{"spec.anonymous", fields("limits", fields("downloadRatePerSession", "1Mi"))}}, ""},
		"downloads too slow":   {server, []set{{"spec.limits", fields("downloadRatePerSession", "1023")}}, "downloadRatePerSession must be between 1Ki and 1Ti bytes per second, such as 10Mi"},
		"downloads of nothing": {user, []set{{"spec.limits", fields("downloadRatePerSession", int64(0))}}, "leave it out for no limit here"},
		"downloads too fast":   {user, []set{{"spec.limits", fields("downloadRatePerSession", "2Ti")}}, "downloadRatePerSession must be between 1Ki and 1Ti"},
		"uploads too slow":     {user, []set{{"spec.limits", fields("uploadRatePerSession", "-10Mi")}}, "uploadRatePerSession must be between 1Ki and 1Ti bytes per second, such as 10Mi"},
		"uploads too fast":     {server, []set{{"spec.limits", fields("uploadRatePerSession", "2Ti")}}, "uploadRatePerSession must be between 1Ki and 1Ti"},
		"uploads of guests":    {server, []set{{"spec.anonymous", fields("limits", fields("uploadRatePerSession", "1"))}}, "uploadRatePerSession must be between 1Ki and 1Ti"},

		"front":                     {server, []set{{"spec.front", fields()}}, ""},
		"front behind a balancer":   {server, []set{{"spec.front", fields()}, {"spec.service", fields("type", "LoadBalancer", "externalTrafficPolicy", "Cluster")}}, ""},
		"front on one node":         {server, []set{{"spec.front", fields()}, {"spec.service", fields("type", "LoadBalancer")}}, "front behind a LoadBalancer or NodePort needs service.externalTrafficPolicy Cluster"},
		"front of none":             {server, []set{{"spec.front", fields("replicas", int64(0))}}, "should be greater than or equal to 1"},
		"front of very many":        {server, []set{{"spec.front", fields("replicas", int64(17))}}, "should be less than or equal to 16"},
		"front without connections": {server, []set{{"spec.front", fields("connectionsPerReplica", int64(0))}}, "should be greater than or equal to 1"},
		"front, at once":            {server, []set{{"spec.front", fields("slowStart", "0s")}}, ""},
		"front, very slow":          {server, []set{{"spec.front", fields("slowStart", "2h")}}, "slowStart must be between 0s and 1h"},
		"front, shares":             {server, []set{{"spec.passive.slots", int64(2)}, {"spec.front", fields("slots", list(fields("slot", int64(0), "weight", int64(0)), fields("slot", int64(1), "role", "Backup")))}}, ""},
		"front, share of no slot":   {server, []set{{"spec.passive.slots", int64(2)}, {"spec.front", fields("slots", list(fields("slot", int64(2))))}}, ""},
		"front, share past all":     {server, []set{{"spec.front", fields("slots", list(fields("slot", int64(64))))}}, "should be less than or equal to 63"},
		"front, share of nobody":    {server, []set{{"spec.front", fields("slots", list(fields("weight", int64(1))))}}, "slots[0].slot: Required value"},
		"front, shares twice":       {server, []set{{"spec.front", fields("slots", list(fields("slot", int64(0)), fields("slot", int64(0))))}}, "Duplicate value"},
		"front, too much weight":    {server, []set{{"spec.front", fields("slots", list(fields("slot", int64(0), "weight", int64(257))))}}, "should be less than or equal to 256"},
		"front, role":               {server, []set{{"spec.front", fields("slots", list(fields("slot", int64(0), "role", "Spare")))}}, `supported values: "Active", "Backup"`},
		"profiles of AppArmor":      {server, []set{{"spec.pod.annotations", fields("container.apparmor.security.beta.kubernetes.io/ftpserver", "localhost/ftp", "container.apparmor.security.beta.kubernetes.io/haproxy", "runtime/default")}}, ""},
		"networks but for parts":    {server, []set{{"spec.networkPolicy", fields("ftpFrom", list(fields("ipBlock", fields("cidr", "198.51.100.0/24", "except", list("198.51.100.64/26", "198.51.100.1/32"))), fields("ipBlock", fields("cidr", "2001:db8::/32", "except", list("2001:db8:1::/48")))))}}, ""},
		"many networks": {server, []set{{"spec.networkPolicy", fields("ftpFrom", many(16, func(int) any {
			return except("10.0.0.0/8", many(64, func(i int) any { return fmt.Sprintf("10.%d.0.0/16", i) })...)["ftpFrom"].([]any)[0]
		}))}}, ""},
		"front and headers":         {server, []set{{"spec.front", fields()}, {"spec.service.proxyProtocol", fields("trusted", list(fields("cidr", "10.0.0.0/8", "mode", "Required"), fields("cidr", "fd00::/8")))}}, ""},
		"front and perhaps headers": {server, []set{{"spec.front", fields()}, {"spec.service.proxyProtocol", fields("trusted", list(fields("cidr", "10.0.0.0/8", "mode", "Optional")))}}, "front cannot tell whether a connection begins with a PROXY header: leave out mode Optional"},

		"data protection":           {server, []set{{"spec.tls", fields("mode", "Optional", "dataProtection", "Required")}}, ""},
		"data protection unsaid":    {server, []set{{"spec.tls", fields("mode", "Disabled")}}, ""},
		"data protection of a kind": {server, []set{{"spec.tls", fields("dataProtection", "Private")}}, `supported values: "Required", "Optional"`},
		"data protection of none":   {server, []set{{"spec.tls", fields("mode", "Disabled", "dataProtection", "Optional")}}, "dataProtection needs TLS: set tls.mode"},
		"data sessions of none":     {server, []set{{"spec.tls", fields("mode", "Disabled", "dataSessions", "Required")}}, "dataSessions needs TLS: set tls.mode"},
		"upload end of none":        {server, []set{{"spec.tls", fields("mode", "Disabled", "uploadEnd", "Strict")}}, "uploadEnd needs TLS: set tls.mode"},
		"version of none":           {server, []set{{"spec.tls", fields("mode", "Disabled", "minVersion", "1.3")}}, "minVersion needs TLS: set tls.mode"},
		"certificates may stay":     {server, []set{{"spec.tls", fields("mode", "Disabled", "certificates", list(certificate("a")))}}, ""},
		"data sessions":             {server, []set{{"spec.tls", fields("dataSessions", "Required")}}, ""},
		"data sessions of a kind":   {server, []set{{"spec.tls", fields("dataSessions", "None")}}, `supported values: "Auto", "Required", "Optional"`},
		"upload end":                {server, []set{{"spec.tls", fields("uploadEnd", "Strict")}}, ""},
		"upload end of a kind":      {server, []set{{"spec.tls", fields("uploadEnd", "Loose")}}, `supported values: "Auto", "Strict", "Lenient"`},

		"implicit TLS":                   {server, []set{{"spec.tls.implicit", fields()}}, ""},
		"implicit TLS on a port":         {server, []set{{"spec.tls.implicit", fields("port", int64(2990))}}, ""},
		"implicit TLS without TLS":       {server, []set{{"spec.tls", fields("mode", "Disabled", "implicit", fields())}}, "implicit needs TLS: set tls.mode"},
		"implicit TLS on no port":        {server, []set{{"spec.tls.implicit", fields("port", int64(0))}}, "should be greater than or equal to 1"},
		"implicit TLS past the last":     {server, []set{{"spec.tls.implicit", fields("port", int64(65536))}}, "should be less than or equal to 65535"},
		"implicit TLS on 21":             {server, []set{{"spec.tls.implicit", fields("port", int64(21))}}, "tls.implicit.port is service.port as well"},
		"control on 990 as well":         {server, []set{{"spec.tls.implicit", fields()}, {"spec.service", fields("port", int64(990))}}, "choose another, such as 990"},
		"implicit TLS among passive":     {server, []set{{"spec.tls.implicit", fields("port", int64(30007))}}, "tls.implicit.port lies among the passive ports: move"},
		"implicit TLS behind passive":    {server, []set{{"spec.tls.implicit", fields("port", int64(30008))}}, ""},
		"implicit TLS among node ports":  {server, []set{{"spec.tls.implicit", fields("port", int64(31000))}, {"spec.service", fields("type", "NodePort")}}, "tls.implicit.port must lie outside of 30000 to 32767"},
		"implicit TLS before node ports": {server, []set{{"spec.tls.implicit", fields()}, {"spec.service", fields("type", "NodePort")}}, ""},

		"direct uploads":          {server, []set{{"spec.files", fields("uploads", "Direct")}}, ""},
		"uploads of a kind":       {server, []set{{"spec.files", fields("uploads", "Fast")}}, `supported values: "Atomic", "Direct"`},
		"overwriting denied":      {server, []set{{"spec.files", fields("overwrite", "Deny")}}, ""},
		"overwriting of a kind":   {server, []set{{"spec.files", fields("overwrite", "Never")}}, `supported values: "Allow", "Deny"`},
		"hidden":                  {server, []set{{"spec.files", fields("hidden", "Hide")}}, ""},
		"hidden of a kind":        {server, []set{{"spec.files", fields("hidden", "No")}}, `supported values: "Show", "Hide"`},
		"umask":                   {server, []set{{"spec.files", fields("umask", "027")}}, ""},
		"umask of four digits":    {server, []set{{"spec.files", fields("umask", "0077")}}, ""},
		"umask as a number":       {server, []set{{"spec.files", fields("umask", int64(27))}}, "must be of type string"},
		"umask of two digits":     {server, []set{{"spec.files", fields("umask", "27")}}, "begin with 0"},
		"umask without the owner": {server, []set{{"spec.files", fields("umask", "127")}}, "leave the owner's rights"},
		"umask of nine":           {server, []set{{"spec.files", fields("umask", "029")}}, "umask must be octal digits in quotes"},
		"names": {server, []set{{"spec.files.names", fields(
			"allowed", list("*.pdf", "[0-9]*", "[^a-z]?", `a\[b`, "a]", "*ü*"), "denied", list(".*"))}}, ""},
		"name patterns, many":          {server, []set{{"spec.files.names", fields("denied", many(64, func(i int) any { return fmt.Sprint(i, strings.Repeat("a", 126)) }))}}, ""},
		"name patterns, too many":      {server, []set{{"spec.files.names", fields("denied", many(65, func(i int) any { return fmt.Sprint(i) }))}}, "Too many"},
		"name pattern of nothing":      {server, []set{{"spec.files.names", fields("denied", list(""))}}, "at least 1 chars long"},
		"name pattern too long":        {server, []set{{"spec.files.names", fields("denied", list(strings.Repeat("ü", 65)))}}, "at most 128 bytes"},
		"name pattern with a slash":    {server, []set{{"spec.files.names", fields("denied", list("a/b"))}}, "denied must be patterns"},
		"name pattern not closed":      {server, []set{{"spec.files.names", fields("allowed", list("[a"))}}, "allowed must be patterns"},
		"name pattern of no range":     {server, []set{{"spec.files.names", fields("allowed", list("[a-]"))}}, "each [ closed by ]"},
		"name pattern of an empty set": {server, []set{{"spec.files.names", fields("allowed", list("[]"))}}, "allowed must be patterns"},
		"name pattern ends in a quote": {server, []set{{"spec.files.names", fields("allowed", list(`a\`))}}, "allowed must be patterns"},
		"no name patterns":             {server, []set{{"spec.files.names", fields("allowed", list())}}, "at least 1 items"},
		"path with settings":           {user, []set{{"spec.paths", list(fields("path", "/logs", "role", "ReadWrite", "uploads", "Direct", "overwrite", "Deny"))}}, ""},
		"path with uploads of a kind":  {user, []set{{"spec.paths", list(fields("path", "/logs", "role", "ReadWrite", "uploads", "Fast"))}}, `supported values: "Atomic", "Direct"`},
		"path with overwrite":          {user, []set{{"spec.paths", list(fields("path", "/logs", "role", "ReadWrite", "overwrite", "No"))}}, `supported values: "Allow", "Deny"`},
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
