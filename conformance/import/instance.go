package main

import (
	"fmt"
	"net"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"google.golang.org/grpc"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	apiservicerest "k8s.io/kube-aggregator/pkg/registry/apiservice/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/controlplane"
	controlplaneapiserver "k8s.io/kubernetes/pkg/controlplane/apiserver"
	"k8s.io/kubernetes/pkg/controlplane/reconcilers"
	"k8s.io/kubernetes/pkg/kubeapiserver"
	kubeletclient "k8s.io/kubernetes/pkg/kubelet/client"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

// served is one resource or subresource that a kube-apiserver with default flags serves.
type served struct {
	gv      schema.GroupVersion
	path    string // "pods" or "pods/status"
	storage rest.Storage
	store   *genericregistry.Store // nil for what is not stored
	scheme  *runtime.Scheme
}

// restOptions answers every registry with the real storage factory's layout and no storage behind it.
type restOptions struct {
	*serverstorage.DefaultStorageFactory
	// grouped is the layout of the servers for extensions, which put the group before the resource.
	grouped bool
}

func (o restOptions) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	config, err := o.NewConfig(resource, example)
	if err != nil {
		return generic.RESTOptions{}, err
	}
	none := func(*storagebackend.ConfigForResource, string, func(runtime.Object) (string, error), func() runtime.Object, func() runtime.Object, storage.AttrFunc, storage.IndexerFuncs, *cache.Indexers) (storage.Interface, factory.DestroyFunc, error) {
		return nil, func() {}, nil
	}
	prefix := o.ResourcePrefix(resource)
	if o.grouped {
		prefix = resource.Group + "/" + resource.Resource
	}
	return generic.RESTOptions{StorageConfig: config, Decorator: none, ResourcePrefix: prefix}, nil
}

// silentEtcd listens like an etcd that nobody asks anything: the node port allocator waits for a connection.
var silentEtcd = sync.OnceValues(func() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen in place of etcd: %w", err)
	}
	go func() { _ = grpc.NewServer().Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
})

func storageFactory(codecs runtime.StorageSerializer, scheme *runtime.Scheme) (restOptions, error) {
	config := kubeapiserver.NewStorageFactoryConfig()
	config.APIResourceConfig = controlplane.DefaultAPIResourceConfigSource()
	config.Serializer = codecs
	if scheme != legacyscheme.Scheme {
		config.DefaultResourceEncoding = serverstorage.NewDefaultResourceEncodingConfig(scheme)
	}
	etcd := genericoptions.NewEtcdOptions(storagebackend.NewDefaultConfig("/registry", nil))
	address, err := silentEtcd()
	if err != nil {
		return restOptions{}, err
	}
	etcd.StorageConfig.Transport.ServerList = []string{address}
	etcd.StorageConfig.CompactionInterval = 0
	made, err := config.Complete(etcd).New()
	return restOptions{made, scheme != legacyscheme.Scheme}, err
}

// groups are the API groups of an instance with default flags, in the order of upstream's own list.
func groups() ([]genericapiserver.APIGroupInfo, error) {
	options, err := storageFactory(legacyscheme.Codecs, legacyscheme.Scheme)
	if err != nil {
		return nil, err
	}
	enabled := controlplane.DefaultAPIResourceConfigSource()
	providers, err := providers(options)
	if err != nil {
		return nil, err
	}
	expiry, err := genericapiserver.NewResourceExpirationEvaluatorFromOptions(genericapiserver.ResourceExpirationEvaluatorOptions{CurrentVersion: compatibility.DefaultBuildEffectiveVersion().EmulationVersion()})
	if err != nil {
		return nil, err
	}
	var all []genericapiserver.APIGroupInfo
	for _, provider := range providers {
		info, err := provider.NewRESTStorage(enabled, options)
		if err != nil {
			return nil, fmt.Errorf("build group %q: %w", provider.GroupName(), err)
		}
		if err := expiry.RemoveUnavailableKinds(provider.GroupName(), info.Scheme, info.VersionedResourcesStorageMap, enabled); err != nil {
			return nil, err
		}
		if len(info.VersionedResourcesStorageMap) > 0 {
			all = append(all, info)
		}
	}
	return withExtensions(all)
}

func withExtensions(all []genericapiserver.APIGroupInfo) ([]genericapiserver.APIGroupInfo, error) {
	options, err := storageFactory(apiextensionsserver.Codecs, apiextensionsserver.Scheme)
	if err != nil {
		return nil, err
	}
	crds, err := customresourcedefinition.NewREST(apiextensionsserver.Scheme, options)
	if err != nil {
		return nil, err
	}
	info := genericapiserver.NewDefaultAPIGroupInfo(apiextensions.GroupName, apiextensionsserver.Scheme, runtime.NewParameterCodec(apiextensionsserver.Scheme), apiextensionsserver.Codecs)
	info.VersionedResourcesStorageMap["v1"] = map[string]rest.Storage{
		"customresourcedefinitions":        crds,
		"customresourcedefinitions/status": customresourcedefinition.NewStatusREST(apiextensionsserver.Scheme, crds),
	}
	options, err = storageFactory(aggregatorscheme.Codecs, aggregatorscheme.Scheme)
	if err != nil {
		return nil, err
	}
	enabled := serverstorage.NewResourceConfig()
	enabled.EnableVersions(schema.GroupVersion{Group: "apiregistration.k8s.io", Version: "v1"})
	return append(all, info, apiservicerest.NewRESTStorage(enabled, options, false)), nil
}

// noTokens stands for the signer whose presence makes `serviceaccounts/token` served; nobody asks it for a token here.
type noTokens struct{ serviceaccount.TokenGenerator }

func providers(options restOptions) ([]controlplaneapiserver.RESTStorageProvider, error) {
	_, network, err := net.ParseCIDR("10.0.0.0/24")
	if err != nil {
		return nil, err
	}
	loopback := &restclient.Config{Host: "127.0.0.1:1"}
	client, err := kubernetes.NewForConfig(loopback)
	if err != nil {
		return nil, err
	}
	generic := genericapiserver.NewConfig(legacyscheme.Codecs)
	generic.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	generic.ExternalAddress = "127.0.0.1:443"
	generic.LoopbackClientConfig = loopback
	generic.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	shared := informers.NewSharedInformerFactory(client, 0)
	config := controlplane.Config{
		ControlPlane: controlplaneapiserver.Config{Generic: generic, Extra: controlplaneapiserver.Extra{
			APIResourceConfigSource: controlplane.DefaultAPIResourceConfigSource(),
			StorageFactory:          options,
			EventTTL:                time.Hour,
			ServiceAccountIssuer:    noTokens{},
			VersionedInformers:      shared,
		}},
		Extra: controlplane.Extra{
			KubeletClientConfig:    kubeletclient.KubeletClientConfig{Port: 10250},
			ServiceIPRange:         *network,
			APIServerServiceIP:     net.ParseIP("10.0.0.1"),
			EndpointReconcilerType: reconcilers.NoneEndpointReconcilerType,
		},
	}
	return config.Complete().StorageProviders(client)
}

// storeOf finds the generic store inside a storage; status and scale storages keep it in an unexported field.
func storeOf(value reflect.Value) *genericregistry.Store {
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
		if value.IsNil() {
			return nil
		}
		if store, ok := value.Interface().(*genericregistry.Store); ok {
			return store
		}
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct || !value.CanAddr() {
		return nil
	}
	for _, name := range []string{"Store", "store", "StandardStorage"} {
		field := value.FieldByName(name)
		if !field.IsValid() {
			continue
		}
		field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
		if field.Kind() == reflect.Struct {
			field = field.Addr()
		}
		if found := storeOf(field); found != nil {
			return found
		}
	}
	return nil
}
