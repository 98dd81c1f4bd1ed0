package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Assets makes the folder that envtest takes its programs from ($KUBEBUILDER_ASSETS): Gatehouse under the name
// kube-apiserver, a stand-in for etcd, and the real kubectl. It returns the environment that uses it.
func Assets(t testing.TB) []string {
	t.Helper()
	folder := t.TempDir()
	launcher := filepath.Join(folder, "kube-apiserver")
	build := exec.Command("go", "build", "-o", launcher, "./envtest/assets")
	build.Dir = filepath.Join(Root(t), "conformance")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the launcher: %v\n%s", err, output)
	}
	for name, program := range map[string]string{"etcd": launcher, "kubectl": Kubectl(t)} {
		if err := os.Symlink(program, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return append(os.Environ(), "KUBEBUILDER_ASSETS="+folder, "GATEHOUSE="+Gatehouse(t))
}

// AssetsOnEtcd makes such a folder with nothing in between: Gatehouse itself under the name kube-apiserver, and a real etcd, to which
// envtest's own flags lead it.
func AssetsOnEtcd(t testing.TB, etcd string) []string {
	t.Helper()
	folder := t.TempDir()
	for name, program := range map[string]string{"kube-apiserver": Gatehouse(t), "etcd": etcd, "kubectl": Kubectl(t)} {
		if err := os.Symlink(program, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return append(os.Environ(), "KUBEBUILDER_ASSETS="+folder)
}
