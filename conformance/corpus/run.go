package corpus

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const (
	// AdminToken is the administrator's.
	AdminToken = "admin-token"
	// Tokens is the file of static tokens that both servers are started with.
	Tokens = AdminToken + ",admin,1,system:masters\nalice-token,alice,2\nbob-token,bob,3,\"developers,testers\"\n"

	// admission is what plugins of both servers are configured with. It concerns the families admissionconfig and eventrates alone.
	admission = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: PodSecurity
  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
    exemptions: {namespaces: [admissionconfig-exempt], usernames: [bob], runtimeClasses: [admissionconfig-exempt]}
- name: ResourceQuota
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ResourceQuotaConfiguration
    limitedResources:
    - resource: pods
      matchContains: [example.com/limited]
      matchScopes: [{scopeName: PriorityClass, operator: In, values: [admissionconfig-limited]}]
- name: PodNodeSelector
  configuration:
    podNodeSelectorPluginConfig: {admissionconfig-nodes: "env=test,zone=a"}
- name: EventRateLimit
  configuration:
    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
    kind: Configuration
    limits: [{type: Namespace, qps: 1, burst: 2}, {type: SourceAndObject, qps: 1, burst: 1}]
`

	// replyTimeout bounds the wait for an answer, and for the events of a watch; what comes later is a difference. No step
	// waits for it on purpose, so it may be as long as a loaded machine needs.
	replyTimeout = 2 * time.Minute
	// untilTimeout bounds the wait for what takes effect a moment later.
	untilTimeout = 2 * time.Minute
	untilPause   = 50 * time.Millisecond
)

// Flags are those that both servers are started with, beside what says where they are; the files that they name are in dir.
func Flags(dir string) ([]string, error) {
	tokens, plugins := filepath.Join(dir, "tokens.csv"), filepath.Join(dir, "admission.yaml")
	for name, text := range map[string]string{tokens: Tokens, plugins: admission} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return []string{"--token-auth-file", tokens, "--enable-bootstrap-token-auth", "--enable-admission-plugins=PodNodeSelector",
		"--admission-control-config-file", plugins}, nil
}

// Server is where requests go.
type Server struct {
	host   string
	client *http.Client
}

// Connect prepares a client that adds nothing of its own to a request.
func Connect(config *rest.Config) (*Server, error) {
	anonymous := rest.AnonymousClientConfig(config)
	anonymous.DisableCompression = true
	transport, err := rest.TransportFor(anonymous)
	if err != nil {
		return nil, err
	}
	return &Server{host: config.Host, client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Run does the steps of a scenario in order and returns the masked answers.
func (s *Server) Run(ctx context.Context, scenario Scenario) ([]Answer, error) {
	scenario.variables = maps.Clone(scenario.variables)
	if scenario.Prepare {
		if err := s.prepare(ctx, scenario.variables["ns"]); err != nil {
			return nil, err
		}
	}
	mask := newMask(scenario)
	var answers []Answer
	for number, step := range scenario.Steps {
		reply, err := s.do(ctx, &scenario, step)
		if err != nil {
			return nil, fmt.Errorf("%s/%s %d %s: %w", scenario.Family, scenario.Name, number+1, step.Do, err)
		}
		if err := scenario.save(step, reply); err != nil {
			return nil, fmt.Errorf("%s/%s %d %s: %w", scenario.Family, scenario.Name, number+1, step.Do, err)
		}
		answers = append(answers, mask.answer(step, reply))
	}
	return answers, nil
}

// prepare makes the namespace and the account that pods need; controllers run on neither server.
func (s *Server) prepare(ctx context.Context, namespace string) error {
	for _, step := range []Step{
		{Do: "POST /api/v1/namespaces", Body: map[string]any{"metadata": map[string]any{"name": namespace}}},
		{Do: "POST /api/v1/namespaces/" + namespace + "/serviceaccounts", Body: map[string]any{"metadata": map[string]any{"name": "default"}}},
	} {
		reply, err := s.do(ctx, &Scenario{}, step)
		if err != nil {
			return err
		}
		if reply.code != http.StatusCreated {
			return fmt.Errorf("%s: %d %s", step.Do, reply.code, reply.body)
		}
	}
	return nil
}

// reply is an answer as it came.
type reply struct {
	code   int
	header http.Header
	body   []byte
}

func (s *Server) do(ctx context.Context, scenario *Scenario, step Step) (reply, error) {
	deadline := time.Now().Add(untilTimeout)
	for {
		got, err := s.once(ctx, scenario, step)
		if err != nil || step.Until == 0 || got.code == step.Until || time.Now().After(deadline) {
			return got, err
		}
		time.Sleep(untilPause)
	}
}

func (s *Server) once(ctx context.Context, scenario *Scenario, step Step) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	request, err := s.request(ctx, scenario, step)
	if err != nil {
		return reply{}, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	got := reply{code: response.StatusCode, header: response.Header}
	body := io.Reader(response.Body)
	if response.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return reply{}, err
		}
	}
	if step.Events > 0 && response.StatusCode == http.StatusOK {
		got.body, err = events(body, step.Events)
	} else if got.body, err = io.ReadAll(body); errors.Is(err, context.DeadlineExceeded) {
		got.body, err = append(got.body, "…"...), nil
	}
	return got, err
}

// events reads so many lines; fewer when the watch ends or is silent for too long.
func events(body io.Reader, count int) ([]byte, error) {
	var lines bytes.Buffer
	reader := bufio.NewReader(body)
	for range count {
		line, err := reader.ReadBytes('\n')
		lines.Write(line)
		if errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) {
			lines.WriteString("…\n")
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

func (s *Server) request(ctx context.Context, scenario *Scenario, step Step) (*http.Request, error) {
	do, target, _ := strings.Cut(scenario.expand(step.Do), " ")
	method, form, _ := strings.Cut(do, ":")
	body, contentType, err := scenario.body(step, form)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, s.host, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(target, "?")
	request.URL.RawQuery = query
	if request.URL.Path, err = url.PathUnescape(path); err != nil {
		return nil, err
	}
	request.URL.RawPath = path
	request.Header.Set("User-Agent", "corpus")
	accept := step.Accept
	if method == http.MethodGet || method == http.MethodDelete {
		accept = cmpOr(accept, form)
	}
	request.Header.Set("Accept", cmpOr(forms[accept], accept, forms["json"]))
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if step.As != "nobody" {
		request.Header.Set("Authorization", "Bearer "+cmpOr(step.As, "admin")+"-token")
	}
	for name, value := range step.Headers {
		request.Header[http.CanonicalHeaderKey(name)] = strings.Split(scenario.expand(value), "\n")
	}
	return request, nil
}

func cmpOr(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// body is what is sent, and its media type.
func (s *Scenario) body(step Step, form string) (body []byte, contentType string, err error) {
	if step.Body == nil && step.Raw == nil {
		return nil, "", nil
	}
	contentType = cmpOr(forms[form], form, forms["json"])
	if strings.HasPrefix(step.Do, "DELETE") {
		contentType = forms["json"]
	}
	if step.Raw != nil {
		text := strings.Replace(s.expand(*step.Raw), "$fill", strings.Repeat("x", step.Fill), 1)
		return []byte(text), contentType, nil
	}
	if body, err = json.Marshal(step.Body); err != nil {
		return nil, "", err
	}
	body = bytes.Replace([]byte(s.expand(string(body))), []byte("$fill"), bytes.Repeat([]byte("x"), step.Fill), 1)
	switch contentType {
	case forms["yaml"], forms["apply"]:
		body, err = yaml.JSONToYAML(body)
	case forms["protobuf"]:
		body, err = toProtobuf(body)
	}
	return body, contentType, err
}

// save keeps what later steps name.
func (s *Scenario) save(step Step, got reply) error {
	if len(step.Save) == 0 {
		return nil
	}
	line, _, _ := bytes.Cut(got.body, []byte("\n"))
	var object any
	if err := json.Unmarshal(line, &object); err != nil {
		return fmt.Errorf("save from %q: %w", got.body, err)
	}
	for name, path := range step.Save {
		value := object
		for _, part := range strings.Split(path, ".") {
			switch at := value.(type) {
			case map[string]any:
				value = at[part]
			case []any:
				if index, err := strconv.Atoi(part); err == nil && index < len(at) {
					value = at[index]
				}
			}
		}
		// What is not there is a difference for later steps to show, not a reason to stop.
		text, _ := value.(string)
		s.variables[name] = text
	}
	return nil
}
