// Package docs_test holds the documentation against the code.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEveryReasonIsExplained: each reason in the API has its row, with what to
// do, and no row explains a reason that is none.
func TestEveryReasonIsExplained(t *testing.T) {
	page := read(t, "troubleshoot.md")
	reasons := map[string]bool{}
	for _, m := range regexp.MustCompile(`Reason = "(\w+)"`).FindAllStringSubmatch(read(t, "../api/v1alpha1/conditions.go"), -1) {
		reasons[m[1]] = true
		if !strings.Contains(page, "| `"+m[1]+"` |") {
			t.Errorf("docs/troubleshoot.md does not explain the reason %s", m[1])
		}
	}
	if len(reasons) == 0 {
		t.Fatal("found no reasons in the API")
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(page, -1) {
		if !reasons[m[1]] {
			t.Errorf("docs/troubleshoot.md explains %s, which is no reason", m[1])
		}
	}
}

// TestEveryRightIsExplained: each verb on each resource that the operator's roles
// hold has a row that says what for, and no row explains a right that it has not.
func TestEveryRightIsExplained(t *testing.T) {
	page := read(t, "security.md")
	for heading, file := range map[string]string{
		"### In the namespaces that it serves": "../config/rbac/role.yaml",
		"### In its own namespace":             "../config/rbac/own/role.yaml",
	} {
		granted, explained := rights(t, file), explainedRights(t, page, heading)
		for right := range granted {
			if !explained[right] {
				t.Errorf("docs/security.md does not say under %q what the operator needs the right %q for", heading, right)
			}
		}
		for right := range explained {
			if !granted[right] {
				t.Errorf("docs/security.md explains under %q the right %q, which %s does not grant", heading, right, file)
			}
		}
	}
}

// rights are those that a role grants: "get secrets".
func rights(t *testing.T, file string) map[string]bool {
	t.Helper()
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte(read(t, file)), &role); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				out[verb+" "+resource] = true
			}
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s grants nothing", file)
	}
	return out
}

// explainedRights are those of the table under a heading: a row names resources,
// verbs, and what they are for.
func explainedRights(t *testing.T, page, heading string) map[string]bool {
	t.Helper()
	_, section, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/security.md has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	out := map[string]bool{}
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| (`.+?) \\| (`.+?) \\| *(.*?) *\\|$").FindAllStringSubmatch(section, -1) {
		if row[3] == "" {
			t.Errorf("docs/security.md says under %q nothing for %s", heading, row[0])
		}
		for _, resource := range quoted.FindAllStringSubmatch(row[1], -1) {
			for _, verb := range quoted.FindAllStringSubmatch(row[2], -1) {
				out[verb[1]+" "+resource[1]] = true
			}
		}
	}
	return out
}

// TestEveryMetricIsExplained: each metric of either program has its row, and no
// row explains a metric that there is not.
func TestEveryMetricIsExplained(t *testing.T) {
	metrics := map[string]bool{"ftpserver_sessions": true} // its name is made with the states
	each(t, "../ftpserver/telemetry", ".go", func(file string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, m := range regexp.MustCompile(`(?:counter|gauge|histogram)(?:Desc)?\("(\w+)"`).FindAllStringSubmatch(read(t, file), -1) {
			metrics["ftpserver_"+m[1]] = true
		}
	})
	if len(metrics) < 10 {
		t.Fatalf("found %d metrics of the server", len(metrics))
	}
	before := len(metrics)
	each(t, "../controllers", ".go", func(file string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		for _, m := range regexp.MustCompile(`"(ftp_operator_\w+)"`).FindAllStringSubmatch(read(t, file), -1) {
			metrics[m[1]] = true
		}
	})
	if len(metrics) == before {
		t.Fatal("found no metrics of the operator")
	}
	explained := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`ftp.*?) \\|").FindAllStringSubmatch(read(t, "operate.md"), -1) {
		for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			explained[m[1]] = true
			if !metrics[m[1]] {
				t.Errorf("docs/operate.md explains %s, which is no metric", m[1])
			}
		}
	}
	for m := range metrics {
		if !explained[m] {
			t.Errorf("docs/operate.md does not explain the metric %s", m)
		}
	}
}

// TestPromisesAreHeld: every test that a page names exists.
func TestPromisesAreHeld(t *testing.T) {
	tests := map[string]bool{}
	each(t, "..", "_test.go", func(file string) {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, file), -1) {
			tests[m[1]] = true
		}
	})
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(read(t, page), -1) {
			if !tests[m[1]] {
				t.Errorf("%s names %s, and there is no such test", page, m[1])
			}
		}
	}
}

// TestLinks: every link to a file of the project leads somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"../README.md", "../CONTRIBUTING.md"}
	each(t, ".", ".md", func(file string) { found = append(found, file) })
	return found
}

func each(t *testing.T, root, suffix string, visit func(file string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if path == filepath.Join("..", "bin") { // what is built, and changes meanwhile
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			visit(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
