package durability

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/harness"
)

const (
	// volume is where the small file system is mounted, in the environment of the process that may.
	volume      = "DURABILITY_VOLUME"
	volumeBytes = 48 << 20
	objectBytes = 300 << 10
	// full is what clients of an etcd that is full are told.
	full = "database space exceeded"
)

// TestFullDisk runs a server on a file system of 48 MB until that is full: by what the server stores, and to the last byte by
// somebody else. What is new is refused, all else goes on, and so does everything once there is room, in the same process.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(volume); dir != "" {
		options := fmt.Sprintf("size=%d,mode=0700", volumeBytes)
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
			t.Fatalf("mount a small file system: %v", err)
		}
		fill(t, dir)
		return
	}
	// In a name space of its own the mount ends with the process; root may make one, and so may others where users may have
	// name spaces of their own.
	same := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	groups := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	var last error
	for _, attributes := range []*syscall.SysProcAttr{
		{Cloneflags: syscall.CLONE_NEWNS},
		{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER, UidMappings: same, GidMappings: groups},
	} {
		inner := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		inner.Env = append(os.Environ(), volume+"="+t.TempDir())
		inner.SysProcAttr = attributes
		output, err := inner.CombinedOutput()
		if errors.Is(err, syscall.EPERM) || strings.Contains(string(output), "mount a small file system: operation not permitted") {
			last = err
			continue
		}
		t.Logf("%s", output)
		if err != nil {
			t.Error(err)
		}
		return
	}
	t.Fatalf("nobody here may mount a file system, not even in a name space of a user's own (%v): run this as root, or allow user name spaces", last)
}

// fill runs a Gatehouse whose data is on the volume, and its log elsewhere.
func fill(t *testing.T, dir string) {
	if err := os.Symlink(filepath.Join(t.TempDir(), "server.log"), filepath.Join(dir, "server.log")); err != nil {
		t.Fatal(err)
	}
	s := harness.StartIn(t, dir, "--controllers=-*")
	maps := s.Client().CoreV1().ConfigMaps("default")
	create := func(n int, bytes int) error {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("c-", n)}, Data: map[string]string{"x": strings.Repeat("x", bytes)}}
		_, err := maps.Create(t.Context(), object, metav1.CreateOptions{})
		return err
	}
	remove := func(n int) {
		if err := maps.Delete(t.Context(), fmt.Sprint("c-", n), metav1.DeleteOptions{}); err != nil {
			t.Errorf("a delete on a full disk: %v", err)
		}
	}
	count := 0
	var refused error
	for ; refused == nil; count++ {
		if count > volumeBytes/objectBytes {
			t.Fatal("the disk is never full")
		}
		refused = create(count, objectBytes)
	}
	count--
	harness.Contains(t, refused.Error(), full)
	held := map[string]bool{}
	for n := range count {
		held[fmt.Sprint("c-", n)] = true
	}
	for n := range 10 {
		remove(n)
		delete(held, fmt.Sprint("c-", n))
	}

	// Somebody else takes what is left.
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, volumeBytes), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	// What deletes gave back may be written again, and no more.
	refused = nil
	for n := 1000; refused == nil; n++ {
		if refused = create(n, objectBytes); refused == nil {
			held[fmt.Sprint("c-", n)] = true
		}
		if n > 1000+10 {
			t.Fatal("a disk without a byte left is never full")
		}
	}
	harness.Contains(t, refused.Error(), full)
	for n := 10; n < 20; n++ {
		remove(n)
		delete(held, fmt.Sprint("c-", n))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "a write when there is room again", func() bool { return create(2000, 10) == nil })
	held["c-2000"] = true
	if !s.Alive() {
		t.Error("the server left")
	}
	for range 2 {
		list, err := s.Client().CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, object := range list.Items {
			if strings.HasPrefix(object.Name, "c-") {
				found++
				if !held[object.Name] {
					t.Errorf("%s is there, and should not be", object.Name)
				}
			}
		}
		if found != len(held) {
			t.Errorf("%d objects are there, not %d", found, len(held))
		}
		s.Kill()
		s.Restart()
	}
	t.Logf("%d objects found room", count)
}
