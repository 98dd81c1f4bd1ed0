// Command cel asks upstream's CEL what it says of each expression in gateway/cel/tests/answers: the issues of compiling, or
// the type, the estimated cost, the value or why there is none, and the actual cost. It writes the answers beside the questions.
// The expressions are ours; the answers are what a client of kube-apiserver would meet.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

// Answer is one line: the data that the expression is about, the expression, and what upstream says.
type Answer struct {
	On     string `json:"on"`
	Expr   string `json:"expr"`
	Issues string `json:"issues,omitempty"`
	Type   string `json:"type,omitempty"`
	// Cost is the least and the most that it can cost.
	Cost *[2]uint64 `json:"cost,omitempty"`
	// Value as render prints it, or Failed.
	Value  string  `json:"value,omitempty"`
	Failed string  `json:"failed,omitempty"`
	Actual *uint64 `json:"actual,omitempty"`
}

// Data is a schema with a value and the value before it.
type Data struct {
	Schema json.RawMessage `json:"schema"`
	Self   any             `json:"self"`
	Old    any             `json:"oldSelf"`
}

func main() {
	folder := flag.String("folder", "../gateway/cel/tests/answers", "folder of the answers")
	flag.Parse()
	answered, err := answer(*folder)
	if err == nil {
		err = os.WriteFile(filepath.Join(*folder, "answers.jsonl"), answered, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cel:", err)
		os.Exit(1)
	}
}

// answer yields the file of answers as upstream answers today.
func answer(folder string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(folder, "data.json"))
	if err != nil {
		return nil, err
	}
	data := map[string]Data{}
	if err := json.Unmarshal(text, &data); err != nil {
		return nil, err
	}
	subjects := map[string]*subject{}
	for name, d := range data {
		if subjects[name], err = newSubject(d); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	lines, err := os.ReadFile(filepath.Join(folder, "answers.jsonl"))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	scanner := bufio.NewScanner(bytes.NewReader(lines))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var asked Answer
		if err := json.Unmarshal(scanner.Bytes(), &asked); err != nil {
			return nil, fmt.Errorf("%s: %w", scanner.Text(), err)
		}
		about, known := subjects[asked.On]
		if !known {
			return nil, fmt.Errorf("no data %q", asked.On)
		}
		if err := encoder.Encode(about.ask(asked)); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), scanner.Err()
}

// subject is data with the environment that sees it.
type subject struct {
	env       *cel.Env
	estimator *library.CostEstimator
	self, old ref.Val
}

func newSubject(d Data) (*subject, error) {
	var external apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(d.Schema, &external); err != nil {
		return nil, err
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&external, &internal, nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(&internal)
	if err != nil {
		return nil, err
	}
	declared := model.SchemaDeclType(structural, false)
	scoped := declared.MaybeAssignTypeName("selfType")
	set, err := environment.MustBaseEnvSet(version.MajorMinor(1, 37)).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions:        []cel.EnvOption{cel.Variable("self", scoped.CelType()), cel.Variable("oldSelf", scoped.CelType())},
		DeclTypes:         []*apiservercel.DeclType{scoped},
	})
	if err != nil {
		return nil, err
	}
	return &subject{
		env:       set.StoredExpressionsEnv(),
		estimator: &library.CostEstimator{SizeEstimator: &sizes{root: declared}},
		self:      common.UnstructuredToVal(whole(d.Self), &model.Structural{Structural: structural}),
		old:       common.UnstructuredToVal(whole(d.Old), &model.Structural{Structural: structural}),
	}, nil
}

// whole turns numbers without a fraction into integers, as the server reads them.
func whole(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = whole(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = whole(inner)
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return value
}

func (s *subject) ask(asked Answer) Answer {
	answer := Answer{On: asked.On, Expr: asked.Expr}
	compiled, issues := s.env.Compile(asked.Expr)
	if issues != nil && issues.Err() != nil {
		answer.Issues = issues.String()
		return answer
	}
	answer.Type = cel.FormatCELType(compiled.OutputType())
	if estimate, err := s.env.EstimateCost(compiled, s.estimator); err == nil {
		answer.Cost = &[2]uint64{estimate.Min, estimate.Max}
	}
	program, err := s.env.Program(compiled, cel.CostLimit(celconfig.PerCallLimit), cel.CostTracking(s.estimator))
	if err != nil {
		return Answer{On: asked.On, Expr: asked.Expr, Failed: "program instantiation failed: " + err.Error()}
	}
	value, details, err := program.Eval(map[string]any{"self": s.self, "oldSelf": s.old})
	if err != nil {
		answer.Failed = err.Error()
	} else {
		answer.Value = render(value)
	}
	if details != nil {
		answer.Actual = details.ActualCost()
	}
	return answer
}

// sizes answers for the data that the declared type describes; every variable is of that type.
type sizes struct {
	root *apiservercel.DeclType
}

func (s *sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	if len(node.Path()) == 0 {
		return nil
	}
	at := s.root
	for _, step := range node.Path()[1:] {
		switch step {
		case "@items", "@values":
			at = at.ElemType
		case "@keys":
			at = at.KeyType
		default:
			field, known := at.Fields[step]
			if !known {
				return nil
			}
			at = field.Type
		}
		if at == nil {
			return nil
		}
	}
	return &checker.SizeEstimate{Max: uint64(at.MaxElements)}
}

func (s *sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// render prints a value so that both languages print the same.
func render(value ref.Val) string {
	switch v := value.(type) {
	case types.String:
		return strconv.Quote(string(v))
	case types.Bytes:
		return "b" + hex.EncodeToString(v)
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10) + "u"
	case types.Double:
		return "double " + string(v.ConvertToType(types.StringType).(types.String))
	case types.Timestamp, types.Duration:
		return v.Type().TypeName() + " " + string(v.ConvertToType(types.StringType).(types.String))
	case types.Null:
		return "null"
	case *types.Optional:
		if !v.HasValue() {
			return "optional.none()"
		}
		return "optional(" + render(v.GetValue()) + ")"
	case traits.Lister:
		var items []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			items = append(items, render(it.Next()))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case traits.Mapper:
		var entries []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			entries = append(entries, render(key)+": "+render(v.Get(key)))
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ", ") + "}"
	case *types.Type:
		return "type " + v.TypeName()
	case apiservercel.Quantity:
		return "kubernetes.Quantity " + v.String()
	case *apiservercel.Quantity:
		return "kubernetes.Quantity " + v.String()
	case apiservercel.URL:
		return "kubernetes.URL " + v.String()
	case apiservercel.IP:
		return "net.IP " + v.String()
	case apiservercel.CIDR:
		return "net.CIDR " + v.String()
	case apiservercel.Semver:
		return "kubernetes.Semver " + v.String()
	case apiservercel.Format:
		return "kubernetes.NamedFormat " + v.Name
	}
	return fmt.Sprint(value.Value())
}
