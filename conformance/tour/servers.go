package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/peer"
)

const (
	readyTimeout = 3 * time.Minute
	// adminToken is in hack/testdata/auth-tokens.csv.
	adminToken = "admin-token"
	// upstream is the name of the real server; the other is Gatehouse.
	upstream = "kube-apiserver"
)

// programs are what the suite needs, and the folder of upstream's module.
type programs struct {
	folder, source, apiserver, etcd, controllerManager string
}

// build makes those that the servers need, which takes many minutes the first time.
func build(ctx context.Context, module string, names []string) (built programs, err error) {
	if built.folder, err = filepath.Abs(filepath.Join(module, "..", ".build")); err != nil {
		return built, err
	}
	if slices.Contains(names, upstream) {
		if built.apiserver, built.etcd, err = peer.Build(ctx, module, built.folder); err != nil {
			return built, err
		}
	}
	built.controllerManager = filepath.Join(built.folder, "kube-controller-manager")
	for _, name := range []string{"kubectl", "kubectl-convert", "kube-controller-manager"} {
		if err := peer.BuildKubernetes(ctx, module, built.folder, name); err != nil {
			return built, err
		}
	}
	built.source, err = peer.Source(module, "k8s.io/kubernetes")
	return built, err
}

// tree makes a folder that looks like upstream's and can be written to, as the suite does beside its scripts.
func tree(dir string, built programs) (string, error) {
	suite := filepath.Join(dir, "kubernetes")
	for _, name := range []string{"_output", "tmp"} {
		if err := os.MkdirAll(filepath.Join(suite, name), 0o755); err != nil {
			return "", err
		}
	}
	links := map[string]string{filepath.Join("_output", "bin"): built.folder}
	for _, name := range []string{"api", "cluster", "hack", "test", "third_party", "cmd"} {
		links[name] = filepath.Join(built.source, name)
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(suite, name)); err != nil {
			return "", err
		}
	}
	return suite, nil
}

// start runs a server with the flags that upstream's suite gives it, and returns its port.
func start(ctx context.Context, o options, built programs, name, dir, suite string) (port string, stop func(), err error) {
	free, err := peer.FreePort()
	if err != nil {
		return "", nil, err
	}
	port = fmt.Sprint(free)
	data := filepath.Join(suite, "hack", "testdata")
	flags := []string{"--bind-address=127.0.0.1", "--secure-port=" + port, "--cert-dir=" + filepath.Join(suite, "tmp"),
		"--authorization-mode=RBAC,AlwaysAllow", "--enable-admission-plugins=LimitRanger,ResourceQuota",
		"--disable-admission-plugins=ServiceAccount,DefaultStorageClass,DefaultTolerationSeconds,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,StorageObjectInUseProtection",
		"--runtime-config=api/v1", "--service-account-issuer=" + peer.Issuer, "--service-account-key-file=" + filepath.Join(data, "ca/ca.key"),
		"--service-account-signing-key-file=" + filepath.Join(data, "ca/ca.key"), "--service-cluster-ip-range=10.0.0.0/24",
		"--client-ca-file=" + filepath.Join(data, "ca/ca.crt"), "--token-auth-file=" + filepath.Join(data, "auth-tokens.csv")}
	program, own, store := o.gatehouse, []string{"serve", "--data-dir=" + filepath.Join(dir, "data"), "--controllers=-*"}, func() {}
	if name == upstream {
		etcd, err := peer.StartEtcd(ctx, built.etcd, dir)
		if err != nil {
			return "", nil, err
		}
		program, own, store = built.apiserver, []string{"--etcd-servers=" + etcd.URL}, etcd.Stop
	}
	process, err := peer.Launch(dir, program, append(own, flags...)...)
	if err != nil {
		store()
		return "", nil, err
	}
	stop = func() { peer.Kill(process); store() }
	config := &rest.Config{Host: "https://127.0.0.1:" + port, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	client, err := rest.HTTPClientFor(config)
	if err == nil {
		err = eventually(ctx, name+" is ready", func() error { return peer.Ready(ctx, client, config.Host) })
	}
	if err != nil {
		stop()
	}
	return port, stop, err
}

// startControllerManager runs the real one and waits until the first service account is there.
func startControllerManager(ctx context.Context, built programs, dir, suite, port string) (stop func(), err error) {
	kubeconfig := filepath.Join(dir, "controller-manager.kubeconfig")
	kubectl := func(args ...string) error {
		out, err := exec.CommandContext(ctx, filepath.Join(built.folder, "kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	for _, args := range [][]string{
		{"set-cluster", "local", "--insecure-skip-tls-verify", "--server=https://127.0.0.1:" + port},
		{"set-credentials", "admin", "--token=" + adminToken},
		{"set-context", "local", "--cluster=local", "--user=admin"}, {"use-context", "local"},
	} {
		if err := kubectl(append([]string{"config"}, args...)...); err != nil {
			return nil, err
		}
	}
	ca := filepath.Join(suite, "hack/testdata/ca/ca")
	process, err := peer.Launch(dir, built.controllerManager, "--kubeconfig="+kubeconfig, "--secure-port=0",
		"--cluster-signing-cert-file="+ca+".crt", "--cluster-signing-key-file="+ca+".key")
	if err != nil {
		return nil, err
	}
	stop = func() { peer.Kill(process) }
	err = eventually(ctx, "the controllers work", func() error { return kubectl("get", "serviceaccount", "default", "--namespace=default") })
	if err != nil {
		stop()
	}
	return stop, err
}

func eventually(ctx context.Context, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it did not come to pass that %s: %w", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
