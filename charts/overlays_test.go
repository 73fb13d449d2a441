package charts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOverlays: the kustomizations in docs/install.md set what they say.
func TestOverlays(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/install.md"))
	if err != nil {
		t.Fatal(err)
	}
	overlays := regexp.MustCompile("(?s)```yaml\n([^`]*resources: \\[ftp-operator/config/(\\w+)\\].*?)```").FindAllStringSubmatch(string(page), -1)
	if len(overlays) != 2 {
		t.Fatalf("docs/install.md shows %d overlays", len(overlays))
	}
	for _, overlay := range overlays {
		t.Run(overlay[2], func(t *testing.T) {
			dir := t.TempDir()
			here, err := filepath.Abs(root)
			if err != nil {
				t.Fatal(err)
			}
			up, err := filepath.Rel(dir, here)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(overlay[1], "[ftp-operator/", "["+up+"/", 1)
			if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			container := containers(t, kustomize(t, dir)["Deployment ftp-operator"])[0].(map[string]any)
			want := map[string]string{"SERVER_IMAGE": "REGISTRY/ftpserver:v0.1.0", "FRONT_IMAGE": "REGISTRY/ftp-front:v0.1.0"}
			if overlay[2] == "namespaced" {
				want["NAMESPACES"] = "team-a,team-b"
			}
			for _, e := range container["env"].([]any) {
				e := e.(map[string]any)
				if name := fmt.Sprint(e["name"]); want[name] != "" && want[name] != e["value"] {
					t.Errorf("%s is %v", name, e["value"])
				}
				delete(want, fmt.Sprint(e["name"]))
			}
			if len(want) > 0 || container["image"] != "REGISTRY/ftp-operator:v0.1.0" {
				t.Errorf("it lacks %v, and the operator's image is %v", want, container["image"])
			}
		})
	}
}
