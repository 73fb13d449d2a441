package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ftp-operator/ftp-operator/api/v1alpha1"
	"github.com/ftp-operator/ftp-operator/test/ftpclient"
)

// process is a running program, as its node shows it.
type process struct {
	status  map[string]string // of /proc/PID/status
	environ []string          // names only
	command []string
	mounts  []mount
	token   string // the path of a Kubernetes token that it can read, if any
}

type mount struct{ point, options string }

// TestRestricted: the pods run under the restricted Pod Security profile, which
// all the namespaces of these tests enforce, with the identities that spec.pod
// gives. What holds is read off the running processes.
func TestRestricted(t *testing.T) {
	t.Parallel()
	if len(node) == 0 {
		t.Skip("FTP_NODE does not say how to run a command in a node")
	}
	const uid, gid, other = 23456, 34567, 45678
	server, user := serving(t, func(s *v1alpha1.FTPServer) {
		s.Spec.Pod.RunAsUser, s.Spec.Pod.FSGroup, s.Spec.Pod.SupplementalGroups = uid, gid, []int64{other}
	})
	pod := pods(t, server)[0]
	p := processOf(t, &pod, "ftpserver")
	four := func(id int) string { return fmt.Sprintf("%d %d %d %d", id, id, id, id) }
	for property, rows := range map[string][2]string{
		"user, real, effective, saved and for files":  {p.status["Uid"], four(uid)},
		"group, real, effective, saved and for files": {p.status["Gid"], four(gid)},
		"further groups":          {p.status["Groups"], fmt.Sprintf("%d %d", gid, other)},
		"Kubernetes token":        {p.token, ""},
		"environment of its own":  {strings.Join(p.environ, " "), ""},
		"command line":            {strings.Join(p.command[1:], " "), "serve --config /etc/ftpserver/config --slot 0"},
		"writable mounts":         {strings.Join(p.writable(), " "), "/srv/ftp"},
		"owner of what is stored": {stored(t, &pod, server, user), fmt.Sprintf("%d %d", uid, gid)},
	} {
		if rows[0] != rows[1] {
			t.Errorf("%s: %q, want %q", property, rows[0], rows[1])
		}
	}
	p.hardened(t, "ftpserver")
	processOf(t, operatorPod(t), "ftp-operator").hardened(t, "ftp-operator")
	noWarning(t, server)
}

// hardened checks what holds for both programs.
func (p process) hardened(t *testing.T, program string) {
	t.Helper()
	none := strings.Repeat("0", 16)
	for property, want := range map[string]string{
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
		"NoNewPrivs": "1", // no setuid program gives it more
		"Seccomp":    "2", // a filter, the runtime's default one
	} {
		if p.status[property] != want {
			t.Errorf("%s: %s is %q, want %q", program, property, p.status[property], want)
		}
	}
	if uid := p.status["Uid"]; uid == "" || strings.HasPrefix(uid, "0 ") {
		t.Errorf("%s runs as the user %q", program, uid)
	}
	if root := p.mounts[slices.IndexFunc(p.mounts, func(m mount) bool { return m.point == "/" })]; !slices.Contains(strings.Split(root.options, ","), "ro") {
		t.Errorf("%s: its root file system is mounted %s", program, root.options)
	}
}

// writable are the mounts that hold files and can be written to, without those
// that every container has from its runtime.
func (p process) writable() (out []string) {
	for _, m := range p.mounts {
		runtime := m.point == "/proc" || m.point == "/dev" || strings.HasPrefix(m.point, "/proc/") || strings.HasPrefix(m.point, "/dev/") ||
			slices.Contains([]string{"/sys/fs/cgroup", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}, m.point)
		if !runtime && slices.Contains(strings.Split(m.options, ","), "rw") {
			out = append(out, m.point)
		}
	}
	return out
}

// inNode runs a script in the node of a pod and returns what it prints.
func inNode(t *testing.T, pod *corev1.Pod, script string, args ...string) string {
	t.Helper()
	return onNode(t, pod.Spec.NodeName, script, args...)
}

// onNode runs a script in the node of that name and returns what it prints.
func onNode(t *testing.T, name, script string, args ...string) string {
	t.Helper()
	command := slices.Concat(node, []string{nodeNumber(name), "sh", "-c", script, "sh"}, args)
	cmd := exec.CommandContext(soon(t), command[0], command[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("In the node %s: %v: %s", name, err, stderr.String())
	}
	return string(out)
}

// findProcess prints the ID of the program that runs in a pod.
const findProcess = `
for d in /proc/[0-9]*; do
	case $(readlink "$d/exe") in */"$2") ;; *) continue ;; esac
	if grep -q "$1" "$d/cgroup"; then pid=${d#/proc/}; fi
done
test -n "$pid" || { echo "no process $2 in the pod $1" >&2; exit 1; }
`

func processOf(t *testing.T, pod *corev1.Pod, program string) process {
	t.Helper()
	show := func(script string) string { return inNode(t, pod, findProcess+script, string(pod.UID), program) }
	p := process{status: map[string]string{}}
	for line := range strings.Lines(show(`cat "/proc/$pid/status"`)) {
		name, value, _ := strings.Cut(line, ":")
		p.status[name] = strings.Join(strings.Fields(value), " ")
	}
	for _, variable := range strings.Split(show(`cat "/proc/$pid/environ"`), "\x00") {
		name, _, _ := strings.Cut(variable, "=")
		// Kubernetes and the runtime give these to every container.
		if name != "" && name != "PATH" && name != "HOSTNAME" && name != "HOME" && !strings.HasPrefix(name, "KUBERNETES_") {
			p.environ = append(p.environ, name)
		}
	}
	p.command = strings.Split(strings.TrimSuffix(show(`cat "/proc/$pid/cmdline"`), "\x00"), "\x00")
	for line := range strings.Lines(show(`cat "/proc/$pid/mountinfo"`)) {
		if f := strings.Fields(line); len(f) > 5 {
			p.mounts = append(p.mounts, mount{f[4], f[5]})
		}
	}
	p.token = strings.TrimSpace(show(`ls -d "/proc/$pid/root/var/run/secrets" "/proc/$pid/root/run/secrets" 2>/dev/null || true`))
	return p
}

// stored uploads a file, and tells the user and the group that it belongs to.
func stored(t *testing.T, pod *corev1.Pod, s *v1alpha1.FTPServer, u *v1alpha1.FTPUser) string {
	t.Helper()
	local := randomFile(t, 1000)
	c := connection(t, ftpclient.Curl{}, s, u)
	must(t, c.Upload(soon(t), local, "/owned"))
	holds(t, c, "/owned", local)
	file := path.Join("/srv/ftp", u.Status.Username, "owned")
	return strings.TrimSpace(inNode(t, pod, findProcess+`stat -c '%u %g' "/proc/$pid/root$3"`, string(pod.UID), "ftpserver", file))
}

// noWarning asks the API server what it thinks of the server's Deployment under
// the restricted profile: nothing. Of one that would be root it thinks something.
func noWarning(t *testing.T, s *v1alpha1.FTPServer) {
	t.Helper()
	said := &sayings{}
	cfg := rest.CopyConfig(cluster)
	cfg.WarningHandler = said
	strict, err := client.New(cfg, client.Options{Scheme: kube.Scheme()})
	must(t, err)
	deployment := &appsv1.Deployment{}
	must(t, kube.Get(soon(t), key(s.Namespace, s.Name+"-0"), deployment))
	try := func(edit func(*corev1.PodSpec)) []string {
		said.all = nil
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "try"}, Spec: *deployment.Spec.DeepCopy()}
		edit(&d.Spec.Template.Spec)
		must(t, strict.Create(soon(t), d, client.DryRunAll))
		return said.all
	}
	if warnings := try(func(*corev1.PodSpec) {}); len(warnings) > 0 {
		t.Errorf("The API server warns of the Deployment: %v", warnings)
	}
	if warnings := try(func(p *corev1.PodSpec) { p.SecurityContext.RunAsNonRoot = ptr.To(false) }); len(warnings) == 0 {
		t.Error("The API server does not warn of a Deployment that may be root: warnings are not seen")
	}
}

// sayings are the API server's warnings.
type sayings struct{ all []string }

// HandleWarningHeader takes note of one.
func (s *sayings) HandleWarningHeader(_ int, _, text string) { s.all = append(s.all, text) }
