package harness

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// assetsVariable is where envtest looks for its programs, and what marks everything that it starts.
const assetsVariable = "KUBEBUILDER_ASSETS="

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
	t.Cleanup(func() { endUsersOf(t, folder) })
	return append(os.Environ(), assetsVariable+folder, "GATEHOUSE="+Gatehouse(t))
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
	t.Cleanup(func() { endUsersOf(t, folder) })
	return append(os.Environ(), assetsVariable+folder)
}

// endUsersOf ends what a suite left running of the programs of a folder: one of controller-runtime's forgets control planes, by
// putting the next into the variable from which it would stop the one before. Where there is no /proc nobody is found.
func endUsersOf(t testing.TB, folder string) {
	t.Helper()
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environments {
		// Whoever has ended meanwhile, or is another user's, is none.
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, text...), []byte("\x00"+assetsVariable+folder+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		if process, err := os.FindProcess(pid); err == nil && process.Kill() == nil {
			t.Logf("process %d was left running and is ended", pid)
		}
	}
}
