// Package kubelet lets upstream's own kubelet, without containers, join Gatehouse with the rights of a node and nothing more: it
// registers its Node, keeps its Lease, reads what its Pods refer to, tells how they are and ends them.
package kubelet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	nodeutil "k8s.io/kubernetes/pkg/util/node"

	"gatehouse.dev/conformance/harness"
)

func TestMain(m *testing.M) {
	if host := os.Getenv(hostVariable); host != "" {
		fmt.Fprintln(os.Stderr, runKubelet(host, os.Getenv(folderVariable)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// cluster is a server whose only node is a kubelet of its own process.
type cluster struct {
	*testing.T
	// admin may do anything, and node what the kubelet may.
	admin, node *kubernetes.Clientset
	folder      string
}

func start(t *testing.T) *cluster {
	folder := t.TempDir()
	tokens := filepath.Join(folder, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(token+",system:node:"+node+",,system:nodes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := harness.Start(t, "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--token-auth-file", tokens)
	config := rest.AnonymousClientConfig(server.Config)
	config.BearerToken = token
	own, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	run(t, server.Config.Host, folder)
	return &cluster{T: t, admin: server.Client(), node: own, folder: folder}
}

// run starts this program again as a kubelet.
func run(t *testing.T, host, folder string) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(folder, "kubelet.log"))
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(program)
	process.Env = append(os.Environ(), hostVariable+"="+host, folderVariable+"="+folder, "TMPDIR="+folder)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the kubelet said:\n%s", said[max(0, len(said)-10_000):])
		}
	})
}

func TestAKubeletLivesByTheRightsOfANode(t *testing.T) {
	c, ctx := start(t), context.Background()
	c.isReady(ctx)
	c.runsAPod(ctx)
	c.mirrorsAStaticPod(ctx)
}

func (c *cluster) isReady(ctx context.Context) {
	harness.Eventually(c, "the node is ready", func() bool {
		own, err := c.node.CoreV1().Nodes().Get(ctx, node, meta.GetOptions{})
		return err == nil && nodeutil.IsNodeReady(own)
	})
	harness.Eventually(c, "its lease is kept", func() bool {
		lease, err := c.node.CoordinationV1().Leases(core.NamespaceNodeLease).Get(ctx, node, meta.GetOptions{})
		return err == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity == node
	})
}

// runsAPod binds a pod that refers to much, and takes it away again.
func (c *cluster) runsAPod(ctx context.Context) {
	secrets, pods := c.admin.CoreV1().Secrets("default"), c.admin.CoreV1().Pods("default")
	for _, name := range []string{"mounted", "env", "other"} {
		if _, err := secrets.Create(ctx, &core.Secret{ObjectMeta: meta.ObjectMeta{Name: name}, StringData: map[string]string{"A": "b"}}, meta.CreateOptions{}); err != nil {
			c.Fatal(err)
		}
	}
	harness.Eventually(c, "the pod is admitted", func() bool {
		// Its service account may not be there yet.
		_, err := pods.Create(ctx, needy(), meta.CreateOptions{})
		return err == nil
	})
	harness.Eventually(c, "the pod is ready", func() bool {
		pod, err := pods.Get(ctx, "needy", meta.GetOptions{})
		return err == nil && podutil.IsPodReady(pod)
	})
	reads := c.node.CoreV1().Secrets("default")
	if _, err := reads.Get(ctx, "mounted", meta.GetOptions{}); err != nil {
		c.Errorf("what its pod refers to: %v", err)
	}
	if _, err := reads.Get(ctx, "other", meta.GetOptions{}); !errors.IsForbidden(err) {
		c.Errorf("what none of its pods refers to: %v", err)
	}
	if err := pods.Delete(ctx, "needy", meta.DeleteOptions{}); err != nil {
		c.Fatal(err)
	}
	harness.Eventually(c, "the pod has ended", func() bool {
		_, err := pods.Get(ctx, "needy", meta.GetOptions{})
		return errors.IsNotFound(err)
	})
	if _, err := reads.Get(ctx, "mounted", meta.GetOptions{}); !errors.IsForbidden(err) {
		c.Errorf("what a pod referred to that has ended: %v", err)
	}
}

func (c *cluster) mirrorsAStaticPod(ctx context.Context) {
	manifest := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "static", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}`
	if err := os.WriteFile(filepath.Join(static(c.folder), "static.json"), []byte(manifest), 0o600); err != nil {
		c.Fatal(err)
	}
	harness.Eventually(c, "the static pod has a mirror", func() bool {
		pod, err := c.admin.CoreV1().Pods("default").Get(ctx, "static-"+node, meta.GetOptions{})
		return err == nil && pod.Status.Phase == core.PodRunning
	})
}

// needy is a pod that refers to two secrets, and by its service account to a token and the cluster's certificate.
func needy() *core.Pod {
	second := int64(1)
	mounted := core.Volume{Name: "mounted", VolumeSource: core.VolumeSource{Secret: &core.SecretVolumeSource{SecretName: "mounted"}}}
	from := core.EnvFromSource{SecretRef: &core.SecretEnvSource{LocalObjectReference: core.LocalObjectReference{Name: "env"}}}
	return &core.Pod{ObjectMeta: meta.ObjectMeta{Name: "needy"}, Spec: core.PodSpec{
		NodeName: node, TerminationGracePeriodSeconds: &second, Volumes: []core.Volume{mounted},
		Containers: []core.Container{{Name: "c", Image: "i", EnvFrom: []core.EnvFromSource{from},
			VolumeMounts: []core.VolumeMount{{Name: "mounted", MountPath: "/mounted"}}}},
	}}
}
