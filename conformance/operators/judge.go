package operators

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

const (
	definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	// establishedTimeout bounds the wait for a definition to be served.
	establishedTimeout = 2 * time.Minute
	establishedPause   = 50 * time.Millisecond
	// hashBytes are enough to tell objects apart.
	hashBytes = 8
)

// Answer is what a server says of one object.
type Answer struct {
	// Asked is which object, and what was done to it.
	Asked string `json:"asked"`
	Code  int    `json:"code"`
	// Reason, Message and Causes are those of a refusal; the message goes as far as the causes begin.
	Reason  string   `json:"reason,omitempty"`
	Message string   `json:"message,omitempty"`
	Causes  []string `json:"causes,omitempty"`
	// Object is a digest of what would be stored.
	Object string `json:"object,omitempty"`
}

// kinds are how objects of the installed definitions are reached.
type kinds map[schema.GroupKind]resource

type resource struct {
	plural     string
	namespaced bool
}

// Server is where objects are judged.
type Server struct {
	host   string
	client *http.Client
}

// Connect prepares a client with the credentials of a configuration.
func Connect(config *rest.Config) (*Server, error) {
	client, err := rest.HTTPClientFor(config)
	return &Server{config.Host, client}, err
}

// Judge has the source's samples judged, whose definitions are installed: first the definitions themselves are told.
func (s *Server) Judge(ctx context.Context, source Source, folder string) ([]Answer, error) {
	files, err := source.Definitions(folder)
	if err != nil {
		return nil, err
	}
	answers, known := []Answer{}, kinds{}
	for _, file := range files {
		objects, err := read(file)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			answer, err := s.definition(ctx, object, known)
			if err != nil {
				return nil, err
			}
			answers = append(answers, answer)
		}
	}
	samples, err := source.samplesOf(folder, known)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{}
	for at, given := range samples {
		for _, asked := range slices.Concat(samples[at:at+1], given.damaged(done)) {
			answer, err := s.sample(ctx, asked, known)
			if err != nil {
				return nil, err
			}
			answers = append(answers, answer)
		}
	}
	return answers, nil
}

// definition waits until a definition is served and tells what became of it.
func (s *Server) definition(ctx context.Context, object *unstructured.Unstructured, known kinds) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, establishedTimeout)
	defer cancel()
	name := object.GetName()
	for {
		code, found, err := s.ask(ctx, http.MethodGet, definitionsPath+"/"+name, nil)
		if err != nil {
			return Answer{}, fmt.Errorf("definition %s: %w", name, err)
		}
		if !settled(found) {
			time.Sleep(establishedPause)
			continue
		}
		spec, _ := found["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		plural, _ := names["plural"].(string)
		known[schema.GroupKind{Group: group, Kind: kind}] = resource{plural, spec["scope"] == "Namespaced"}
		told := map[string]any{"spec": spec, "status": withoutTimes(found["status"])}
		return Answer{Asked: name, Code: code, Object: digest(told)}, nil
	}
}

// settled says whether a definition is served and everything is said of it that will be.
func settled(definition map[string]any) bool {
	conditions, _, _ := unstructured.NestedSlice(definition, "status", "conditions")
	holds := func(kind string) bool {
		return slices.ContainsFunc(conditions, func(condition any) bool {
			told, _ := condition.(map[string]any)
			return told["type"] == kind && told["status"] == "True"
		})
	}
	group, _, _ := unstructured.NestedString(definition, "spec", "group")
	// Another controller tells whether a definition may be in a group of Kubernetes' own.
	return holds("Established") && (!strings.HasSuffix(group, ".k8s.io") || holds("KubernetesAPIApprovalPolicyConformant"))
}

// withoutTimes leaves out when conditions changed, and with that their order.
func withoutTimes(status any) any {
	told, _ := status.(map[string]any)
	conditions, _ := told["conditions"].([]any)
	for _, condition := range conditions {
		if condition, ok := condition.(map[string]any); ok {
			delete(condition, "lastTransitionTime")
		}
	}
	slices.SortFunc(conditions, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return status
}

// sample has an object judged as if it were created.
func (s *Server) sample(ctx context.Context, sample sample, known kinds) (Answer, error) {
	kind := sample.object.GroupVersionKind()
	of := known[kind.GroupKind()]
	named(sample.object, of.namespaced)
	path := fmt.Sprintf("/apis/%s/%s", kind.Group, kind.Version)
	if of.namespaced {
		path += "/namespaces/default"
	}
	code, said, err := s.ask(ctx, http.MethodPost, path+"/"+of.plural+"?dryRun=All&fieldValidation=Strict", sample.object.Object)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", sample.name, err)
	}
	answer := Answer{Asked: sample.name, Code: code}
	if code == http.StatusCreated {
		object := &unstructured.Unstructured{Object: said}
		object.SetUID("")
		object.SetCreationTimestamp(metav1.Time{})
		object.SetManagedFields(nil)
		object.SetResourceVersion("")
		answer.Object = digest(said)
		return answer, nil
	}
	answer.refused(said)
	return answer, nil
}

// refused fills in what a Status says. The order of causes is upstream's map's.
func (a *Answer) refused(status map[string]any) {
	a.Reason, _ = status["reason"].(string)
	a.Message, _ = status["message"].(string)
	causes, _, _ := unstructured.NestedSlice(status, "details", "causes")
	for _, cause := range causes {
		said, _ := cause.(map[string]any)
		a.Causes = append(a.Causes, fmt.Sprintf("%v %v: %v", said["reason"], said["field"], said["message"]))
	}
	slices.Sort(a.Causes)
	if before, _, found := strings.Cut(a.Message, " is invalid: "); found && len(a.Causes) > 0 {
		a.Message = before
	}
}

func (s *Server) ask(ctx context.Context, method, path string, body any) (int, map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, s.host+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, nil, err
	}
	said := map[string]any{}
	if json.Unmarshal(answer, &said) != nil {
		// Nobody serves that path.
		said["message"] = string(answer)
	}
	return reply.StatusCode, said, nil
}

func digest(value any) string {
	// A map is written in the order of its names.
	text, _ := json.Marshal(value)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:hashBytes])
}
