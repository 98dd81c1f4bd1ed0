package aggregation

import (
	"context"
	"net"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/kube-openapi/pkg/common"
	generated "k8s.io/kubernetes/pkg/generated/openapi"
	metricsinstall "k8s.io/metrics/pkg/apis/metrics/install"

	"gatehouse.dev/conformance/harness"
)

// extension is a server of k8s.io/apiserver that asks Gatehouse who its callers are and what they may do.
type extension struct {
	port      int
	authority []byte
}

// startExtension serves crates and metrics under the name of a service until the test ends.
func startExtension(t *testing.T, server *harness.Server, service string) *extension {
	t.Helper()
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	addCrates(scheme)
	metricsinstall.Install(scheme)
	codecs := serializer.NewCodecFactory(scheme)

	names := []string{service + ".svc"}
	certificate, key, authority := certificates(t, names)
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := options.NewSecureServingOptions()
	secure.Listener, secure.BindPort = listener, listener.Addr().(*net.TCPAddr).Port
	secure.ServerCert.CertKey = options.CertKey{CertFile: file(t, certificate), KeyFile: file(t, key)}
	authentication, authorization := options.NewDelegatingAuthenticationOptions(), options.NewDelegatingAuthorizationOptions()
	authentication.RemoteKubeConfigFile, authorization.RemoteKubeConfigFile = server.Kubeconfig, server.Kubeconfig

	config := genericserver.NewConfig(codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	config.OpenAPIConfig = genericserver.DefaultOpenAPIConfig(definitions, openapi.NewDefinitionNamer(scheme))
	config.OpenAPIV3Config = genericserver.DefaultOpenAPIV3Config(definitions, openapi.NewDefinitionNamer(scheme))
	config.OpenAPIConfig.Info.Title, config.OpenAPIV3Config.Info.Title = "extension", "extension"
	config.ExternalAddress = listener.Addr().String()
	check(t, secure.WithLoopback().ApplyTo(&config.SecureServing, &config.LoopbackClientConfig))
	check(t, authentication.ApplyTo(&config.Authentication, config.SecureServing, config.OpenAPIConfig))
	check(t, authorization.ApplyTo(&config.Authorization))
	made, err := config.Complete(nil).New("extension", genericserver.NewEmptyDelegate())
	check(t, err)
	storages := map[string]map[string]rest.Storage{
		crateGroup:       {"crates": newCrates()},
		"metrics.k8s.io": {"nodes": nodeMetrics{}},
	}
	versions := map[string]string{crateGroup: "v1", "metrics.k8s.io": "v1beta1"}
	for group, storage := range storages {
		info := genericserver.NewDefaultAPIGroupInfo(group, scheme, metav1.ParameterCodec, codecs)
		info.VersionedResourcesStorageMap[versions[group]] = storage
		check(t, made.InstallAPIGroup(&info))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- made.PrepareRun().RunWithContext(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the extension server ended: %v", err)
		}
	})
	return &extension{port: secure.BindPort, authority: authority}
}

// definitions describes crates beside everything that Kubernetes describes.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := generated.GetOpenAPIDefinitions(ref)
	for name, definition := range crateDefinitions(ref) {
		all[name] = definition
	}
	return all
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
