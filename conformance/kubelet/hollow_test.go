package kubelet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	cri "k8s.io/cri-client/pkg"
	"k8s.io/cri-client/pkg/fake"
	cadvisor "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubemark"
)

const (
	// hostVariable makes this program a kubelet of the server that it names, and folderVariable says where its files lie.
	hostVariable, folderVariable = "KUBELET_OF", "KUBELET_FOLDER"
	node, token                  = "hollow", "hollow-token"
	maxPods                      = 20
	connectTimeout               = 15 * time.Second
)

// static is the folder of a kubelet's static pods.
func static(folder string) string { return filepath.Join(folder, "static") }

// runKubelet is upstream's kubelet with everything real but what would run containers. It returns only when it cannot begin.
func runKubelet(host, folder string) error {
	ctx := context.Background()
	config := &rest.Config{Host: host, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	endpoint, err := fake.GenerateEndpoint()
	if err != nil {
		return err
	}
	runtime := fake.NewFakeRemoteRuntime()
	if err := runtime.Start(endpoint); err != nil {
		return fmt.Errorf("start the runtime: %w", err)
	}
	service, err := cri.NewRemoteRuntimeServiceBuilder().WithEndpoint(endpoint).WithConnectionTimeout(connectTimeout).Build(ctx)
	if err != nil {
		return fmt.Errorf("reach the runtime: %w", err)
	}
	flags, settings := kubemark.GetHollowKubeletConfig(&kubemark.HollowKubeletOptions{NodeName: node, MaxPods: maxPods})
	settings.EnableServer = false
	settings.StaticPodPath = static(folder)
	settings.FileCheckFrequency.Duration = time.Second
	settings.SyncFrequency.Duration = time.Second
	if err := os.MkdirAll(settings.StaticPodPath, 0o755); err != nil {
		return err
	}
	kubemark.NewHollowKubelet(flags, settings, client, client, &cadvisor.Fake{NodeName: node}, runtime.ImageService, service,
		cm.NewStubContainerManager()).Run(ctx)
	return nil
}
