// Package corpus holds requests, and what the real kube-apiserver answered to each. Requests are data: scenarios written
// out (scenarios/), and families that are derived from a few objects (kinds.yaml, rules/). `go run ./record` asks the real
// server and writes answers/; the test asks Gatehouse and compares. It knows HTTP and nothing of Gatehouse's insides.
package corpus

import (
	"cmp"
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed scenarios kinds rules
var files embed.FS

// Scenario is a sequence of requests that depends on nothing but itself: it has a namespace of its own, `$ns`, and what it
// makes outside of namespaces is named after it.
type Scenario struct {
	// Family is the file of its answers.
	Family string
	Name   string
	Steps  []Step
	// Prepare says that the namespace and its default ServiceAccount are made first.
	Prepare bool

	variables map[string]string
}

// Step is one request. Every text in it may name variables: `$ns`, those of `let`, and those saved by steps before.
type Step struct {
	// Do is "METHOD path", or "METHOD:form path": a media type that the answer shall have (GET, DELETE) or that the body has.
	Do string `json:"do"`
	// Body is sent as JSON unless the form says otherwise.
	Body any `json:"body,omitempty"`
	// Raw is sent as it is, instead of Body.
	Raw *string `json:"raw,omitempty"`
	// Fill puts a string of so many bytes in place of `$fill`.
	Fill int `json:"fill,omitempty"`
	// Accept is the media type asked for, by its short name or in full.
	Accept string `json:"accept,omitempty"`
	// Headers win over those of the step's own; each line of a value is a header of that name.
	Headers map[string]string `json:"headers,omitempty"`
	// As is who asks: admin unless told otherwise, nobody for no credential.
	As string `json:"as,omitempty"`
	// Save keeps parts of the answer, by dotted path, for later steps.
	Save map[string]string `json:"save,omitempty"`
	// Events is how many events of a watch are read before it is closed.
	Events int `json:"events,omitempty"`
	// Until repeats the request until it is answered with this code; for what takes effect a moment later.
	Until int `json:"until,omitempty"`
	// Shuffled says that upstream tells of several faults in an order that is another each time: causes are sorted, and the
	// message that strings them together is cut where they begin.
	Shuffled bool `json:"shuffled,omitempty"`
	// Head leaves the body out of the comparison, for what is compared elsewhere.
	Head bool `json:"head,omitempty"`
}

// forms are short names of media types.
var forms = map[string]string{
	"json": "application/json", "yaml": "application/yaml", "protobuf": "application/vnd.kubernetes.protobuf", "cbor": "application/cbor",
	"merge": "application/merge-patch+json", "jsonpatch": "application/json-patch+json",
	"strategic": "application/strategic-merge-patch+json", "apply": "application/apply-patch+yaml",
	"table":         "application/json;as=Table;v=v1;g=meta.k8s.io",
	"partial":       "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
	"partiallist":   "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
	"partialbuf":    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
	"discovery":     "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
	"discoverybuf":  "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
	"discoverybeta": "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
}

// Load reads every scenario, in a fixed order.
func Load() ([]Scenario, error) {
	var all []Scenario
	for _, load := range []struct {
		folder string
		read   func(family string, text []byte) ([]Scenario, error)
	}{{"scenarios", written}, {"kinds", kinds}, {"rules", rules}} {
		entries, err := files.ReadDir(load.folder)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			text, err := files.ReadFile(path.Join(load.folder, entry.Name()))
			if err != nil {
				return nil, err
			}
			family := load.folder + "-" + strings.TrimSuffix(entry.Name(), ".yaml")
			if load.folder == "scenarios" {
				family = strings.TrimSuffix(entry.Name(), ".yaml")
			}
			some, err := load.read(family, text)
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", load.folder, entry.Name(), err)
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

// written reads scenarios that are written out.
func written(family string, text []byte) ([]Scenario, error) {
	var file struct {
		Let       map[string]string `json:"let"`
		Scenarios map[string][]Step `json:"scenarios"`
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, err
	}
	var all []Scenario
	for name, steps := range file.Scenarios {
		all = append(all, New(family, name, file.Let, steps))
	}
	slices.SortFunc(all, func(a, b Scenario) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// New makes a scenario with variables of its own. What its steps do in the namespace `$ns` has that made first.
func New(family, name string, let map[string]string, steps []Step) Scenario {
	made := Scenario{Family: family, Name: name, Steps: steps, variables: map[string]string{"ns": family + "-" + name}}
	for variable, value := range let {
		made.variables[variable] = value
	}
	for _, step := range steps {
		made.Prepare = made.Prepare || strings.Contains(made.expand(step.Do), "/namespaces/"+made.variables["ns"]+"/")
	}
	return made
}

var variable = regexp.MustCompile(`\$[a-zA-Z][a-zA-Z0-9]*`)

// expand puts the values of known variables; `$patch` and its like stay.
func (s *Scenario) expand(text string) string {
	for range 2 { // a variable of `let` may name $ns
		text = variable.ReplaceAllStringFunc(text, func(name string) string {
			if value, known := s.variables[name[1:]]; known {
				return value
			}
			return name
		})
	}
	return text
}
