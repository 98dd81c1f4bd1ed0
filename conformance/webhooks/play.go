// Package webhooks puts writes before admission webhooks, on Gatehouse and on the real kube-apiserver alike: cases are data
// (cases.yaml), and what clients, webhooks and the audit log get to see is written down. `go run ./record -only webhooks`
// asks the real server and writes answers.txt; the test asks Gatehouse and compares.
package webhooks

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const (
	// Tokens is the file of static tokens that both servers are started with.
	Tokens = "admin-token,admin,1,system:masters\n"
	// AuditPolicy has both servers record everything.
	AuditPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Request}]\n"

	markerPath    = "/marker"
	markerMessage = "in force"
	// patience bounds every wait for a condition.
	patience = 60 * time.Second
	pause    = 20 * time.Millisecond
)

//go:embed cases.yaml
var casesText []byte

// Case is webhooks with their answers, and requests.
type Case struct {
	Name string `json:"name"`
	// Mutating and Validating are the webhooks of one configuration each: what differs from a webhook about creates of config
	// maps at its own path.
	Mutating   []map[string]any `json:"mutating"`
	Validating []map[string]any `json:"validating"`
	// Answers are by path; allowed unless told otherwise.
	Answers map[string]Answer `json:"answers"`
	// Before is made when no webhook is there yet.
	Before []Request `json:"before"`
	// Requests are made in order.
	Requests []Request `json:"requests"`
}

// Request is "METHOD path", with a body.
type Request struct {
	Do    string         `json:"do"`
	Type  string         `json:"type"`
	Body  map[string]any `json:"body"`
	Patch any            `json:"patch"`
}

// Stage is a server under test with its webhooks.
type Stage struct {
	client   *http.Client
	host     string
	hooks    *Hooks
	auditLog string
}

// New prepares to play on a server whose administrator has the token of Tokens and whose audit log is this file.
func New(config *rest.Config, hooks *Hooks, auditLog string) (*Stage, error) {
	config = rest.AnonymousClientConfig(config)
	config.BearerToken = "admin-token"
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	return &Stage{client: &http.Client{Transport: transport}, host: config.Host, hooks: hooks, auditLog: auditLog}, nil
}

// Cases reads them all.
func Cases() ([]Case, error) {
	var cases []Case
	return cases, yaml.UnmarshalStrict(casesText, &cases)
}

// Play plays one case and gives what was seen.
func (s *Stage) Play(ctx context.Context, c Case) (string, error) {
	namespace := "case-" + c.Name
	var out strings.Builder
	fmt.Fprintf(&out, "== %s\n", c.Name)
	before := append([]Request{
		{Do: "POST /api/v1/namespaces", Body: map[string]any{"metadata": map[string]any{"name": namespace}}},
		{Do: "POST /api/v1/namespaces/$ns/serviceaccounts", Body: map[string]any{"metadata": map[string]any{"name": "default"}}},
	}, c.Before...)
	for _, request := range before {
		reply, err := s.send(ctx, namespace, request)
		if err != nil {
			return "", err
		}
		// A controller may have been faster with the service account.
		if reply.code >= 400 && reply.code != http.StatusConflict {
			return "", fmt.Errorf("%s: %s: %d %s", c.Name, request.Do, reply.code, reply.body)
		}
	}
	s.hooks.Say(c.Answers)
	remove, err := s.configure(ctx, namespace, c)
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.Name, err)
	}
	for _, request := range c.Requests {
		s.hooks.Asked()
		reply, err := s.send(ctx, namespace, request)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.Name, err)
		}
		if err := s.tell(&out, namespace, request, reply); err != nil {
			return "", fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return s.mask(namespace, out.String()), remove()
}

// configure puts the webhooks in place and waits until they are in force; what it gives takes them away again.
func (s *Stage) configure(ctx context.Context, namespace string, c Case) (remove func() error, err error) {
	kinds := []struct {
		kind, plural, name string
		hooks              []map[string]any
	}{
		{"MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "hook", c.Mutating},
		{"ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "check", c.Validating},
	}
	var made []string
	for _, kind := range kinds {
		if len(kind.hooks) == 0 {
			continue
		}
		var hooks []any
		for i, hook := range kind.hooks {
			hooks = append(hooks, s.hook(namespace, fmt.Sprintf("%s-%d", kind.name, i), hook))
		}
		// It marks that the configuration is in force, for objects that nobody else makes.
		hooks = append(hooks, s.hook(namespace, "marker", map[string]any{"objectSelector": map[string]any{"matchLabels": map[string]any{"marker": kind.plural}}}))
		path := "/apis/admissionregistration.k8s.io/v1/" + kind.plural
		body := map[string]any{"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind.kind, "metadata": map[string]any{"name": namespace}, "webhooks": hooks}
		reply, err := s.send(ctx, namespace, Request{Do: "POST " + path, Body: body})
		if err != nil {
			return nil, err
		}
		if reply.code != http.StatusCreated {
			return nil, fmt.Errorf("%s: %d %s", path, reply.code, reply.body)
		}
		if err := s.await(ctx, namespace, kind.plural, true); err != nil {
			return nil, err
		}
		made = append(made, kind.plural)
	}
	return func() error {
		for _, plural := range made {
			if _, err := s.send(ctx, namespace, Request{Do: "DELETE /apis/admissionregistration.k8s.io/v1/" + plural + "/" + namespace}); err != nil {
				return err
			}
			if err := s.await(ctx, namespace, plural, false); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// await waits until the marker of a configuration tells that it is in force, or that it is not.
func (s *Stage) await(ctx context.Context, namespace, plural string, inForce bool) error {
	marker := map[string]any{"metadata": map[string]any{"name": "marker", "labels": map[string]any{"marker": plural}}}
	deadline := time.Now().Add(patience)
	for {
		reply, err := s.send(ctx, namespace, Request{Do: "POST /api/v1/namespaces/default/configmaps?dryRun=All", Body: marker})
		if err != nil {
			return err
		}
		if strings.Contains(string(reply.body), markerMessage) == inForce {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s of %s: in force was to become %v; the last answer is %s", plural, namespace, inForce, reply.body)
		}
		time.Sleep(pause)
	}
}

func (s *Stage) hook(namespace, name string, differs map[string]any) map[string]any {
	hook := map[string]any{
		"name":                    name + ".hooks.example.com",
		"clientConfig":            map[string]any{"url": s.hooks.URL + "/" + name, "caBundle": base64.StdEncoding.EncodeToString(s.hooks.Authority)},
		"rules":                   []any{map[string]any{"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"configmaps"}}},
		"sideEffects":             "None",
		"admissionReviewVersions": []any{"v1", "v1beta1"},
		"namespaceSelector":       map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": namespace}},
	}
	if name == "marker" {
		hook["namespaceSelector"] = map[string]any{}
	}
	for key, value := range differs {
		if key == "service" {
			port := strings.TrimPrefix(s.hooks.URL, "https://127.0.0.1:")
			hook["clientConfig"] = map[string]any{"caBundle": base64.StdEncoding.EncodeToString(s.hooks.Authority), "service": map[string]any{"namespace": namespace, "name": value, "port": json.Number(port), "path": "/" + name}}
			continue
		}
		if key == "clientConfig" {
			hook["clientConfig"].(map[string]any)["caBundle"] = base64.StdEncoding.EncodeToString(s.hooks.Other)
			continue
		}
		hook[key] = value
	}
	return hook
}

type reply struct {
	code   int
	header http.Header
	body   []byte
}

func (s *Stage) send(ctx context.Context, namespace string, request Request) (reply, error) {
	method, path, _ := strings.Cut(request.Do, " ")
	var content any
	if request.Body != nil {
		content = request.Body
	} else {
		content = request.Patch
	}
	var body io.Reader
	if content != nil {
		text, err := json.Marshal(content)
		if err != nil {
			return reply{}, err
		}
		text = bytes.ReplaceAll(text, []byte("$ns"), []byte(namespace))
		text = bytes.ReplaceAll(text, []byte("\"$port\""), []byte(strings.TrimPrefix(s.hooks.URL, "https://127.0.0.1:")))
		body = bytes.NewReader(text)
	}
	sent, err := http.NewRequestWithContext(ctx, method, s.host+strings.ReplaceAll(path, "$ns", namespace), body)
	if err != nil {
		return reply{}, err
	}
	sent.Header.Set("User-Agent", "conformance")
	sent.Header.Set("Content-Type", "application/json")
	if request.Type != "" {
		sent.Header.Set("Content-Type", request.Type)
	}
	got, err := s.client.Do(sent)
	if err != nil {
		return reply{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return reply{got.StatusCode, got.Header, text}, err
}

// tell writes down what was seen of a request: the answer, what webhooks were asked, what the audit log keeps.
func (s *Stage) tell(out *strings.Builder, namespace string, request Request, reply reply) error {
	fmt.Fprintf(out, "> %s\n%d %s\n", request.Do, reply.code, plain(reply.body))
	for _, warning := range reply.header.Values("Warning") {
		fmt.Fprintf(out, "warning %s\n", warning)
	}
	asked := s.hooks.Asked()
	// Validating webhooks are called at once.
	slices.SortStableFunc(asked, func(a, b Asked) int { return strings.Compare(a.Path, b.Path) })
	for _, one := range asked {
		text, err := json.Marshal(one.Review)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "asked %s %s\n", one.Path, plain(text))
	}
	annotations, err := s.annotations(reply.header.Get("Audit-Id"))
	if err != nil {
		return err
	}
	for _, annotation := range annotations {
		fmt.Fprintf(out, "audit %s\n", annotation)
	}
	return nil
}

// annotations waits for the audit log's record of a request and gives what webhooks left there.
func (s *Stage) annotations(id string) ([]string, error) {
	deadline := time.Now().Add(patience)
	for {
		text, err := os.ReadFile(s.auditLog)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		for line := range bytes.Lines(text) {
			if !bytes.Contains(line, []byte(id)) {
				continue
			}
			var event struct {
				AuditID     string            `json:"auditID"`
				Stage       string            `json:"stage"`
				Annotations map[string]string `json:"annotations"`
			}
			if json.Unmarshal(line, &event) != nil || event.AuditID != id || event.Stage != "ResponseComplete" {
				continue
			}
			var found []string
			for key, value := range event.Annotations {
				if strings.Contains(key, "webhook.admission.k8s.io/") || strings.Contains(key, "hooks.example.com/") {
					found = append(found, key+" "+value)
				}
			}
			slices.Sort(found)
			return found, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the audit log %s has no complete record of request %s", s.auditLog, id)
		}
		time.Sleep(pause)
	}
}

// plain writes JSON with sorted keys and without what no two servers have alike.
func plain(text []byte) string {
	var value any
	if json.Unmarshal(text, &value) != nil {
		return strings.TrimSpace(string(text))
	}
	prune(value)
	sorted, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(sorted)
}

func prune(value any) {
	switch value := value.(type) {
	case map[string]any:
		delete(value, "managedFields")
		for _, key := range []string{"uid", "creationTimestamp", "resourceVersion", "deletionTimestamp"} {
			if _, ok := value[key].(string); ok {
				value[key] = "…"
			}
		}
		for _, member := range value {
			prune(member)
		}
	case []any:
		for _, item := range value {
			prune(item)
		}
	}
}

var (
	generated = regexp.MustCompile(`\b(gen-)[a-z0-9]{5}\b`)
	quotedUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	ports     = regexp.MustCompile(`(\.svc:|localhost:|service port )\d+`)
)

func (s *Stage) mask(namespace, text string) string {
	text = strings.ReplaceAll(text, strings.TrimPrefix(s.hooks.URL, "https://"), "$hooks")
	text = strings.ReplaceAll(text, namespace, "$ns")
	text = generated.ReplaceAllString(text, "${1}$$name")
	text = quotedUID.ReplaceAllString(text, "$$uid")
	text = addresses.ReplaceAllString(text, "$$address")
	return ports.ReplaceAllString(text, "${1}$$port")
}

// Names are those of the services by which webhooks are called.
func Names() []string {
	return []string{"hooks.case-service.svc"}
}
