package corpus

import (
	"bytes"
	"encoding/json"
	"fmt"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// types are those of every kind that clients speak in protobuf.
var types = func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientscheme.AddToScheme(scheme))
	utilruntime.Must(apidiscovery.AddToScheme(scheme))
	utilruntime.Must(apiextensions.AddToScheme(scheme))
	utilruntime.Must(apiregistration.AddToScheme(scheme))
	utilruntime.Must(metav1.AddMetaToScheme(scheme))
	return scheme
}()

var wire = protobuf.NewSerializer(types, types)

// toProtobuf encodes an object that is given as JSON, as a typed Go client would.
func toProtobuf(text []byte) ([]byte, error) {
	var kind metav1.TypeMeta
	if err := json.Unmarshal(text, &kind); err != nil {
		return nil, err
	}
	object, err := types.New(kind.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, object); err != nil {
		return nil, err
	}
	object.GetObjectKind().SetGroupVersionKind(kind.GroupVersionKind())
	var out bytes.Buffer
	err = wire.Encode(object, &out)
	return out.Bytes(), err
}

// fromProtobuf shows an answer in protobuf as JSON. That its bytes are upstream's is tested elsewhere, on golden files;
// here revisions of any length lie within.
func fromProtobuf(body []byte) string {
	object, kind, err := wire.Decode(body, nil, nil)
	if err != nil {
		return fmt.Sprintf("not protobuf: %v", err)
	}
	object.GetObjectKind().SetGroupVersionKind(*kind)
	text, err := json.Marshal(object)
	if err != nil {
		return fmt.Sprintf("not JSON: %v", err)
	}
	return string(text)
}
