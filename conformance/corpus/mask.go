package corpus

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// recent is how far from now a time may lie to count as one that the server chose.
const recent = 3 * time.Hour

var (
	uuid      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	instant   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	generated = regexp.MustCompile(`(gen-|kube-api-access-|Not Valid-|x{50})[bcdfghjklmnpqrstvwxz2456789]{5}\b`)
	token     = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	address   = regexp.MustCompile(`\b10\.0\.\d{1,3}\.\d{1,3}\b`)
	nodePort  = regexp.MustCompile(`\b3[0-2]\d{3}\b`)
	// A list has no name before its revision; an object has.
	listRevision = regexp.MustCompile(`("metadata": ?\{\s*(?:"continue":"[^"]*",)?(?:"remainingItemCount":\d+,)?"resourceVersion": ?"|(?:^|\n)metadata:\n  (?:continue: [^\n]+\n  )?(?:remainingItemCount: \d+\n  )?resourceVersion: ")\d+"`)
	revision     = regexp.MustCompile(`("resourceVersion\\*": ?\\*"|resourceVersion: ")(\d+)`)
	told         = regexp.MustCompile(`(current: |resource version: |resource version |revision |record \(|ResourceVersion in object meta: )\d+`)
	continuation = regexp.MustCompile(`("continue": ?"|continue: )([\w=-]+)`)
	// How a scheme is called hangs on how the program was built: it is the file that made it, as the compiler saw its path.
	scheme  = regexp.MustCompile(`in scheme (\\*")[^"\\]+`)
	reached = regexp.MustCompile(`(serverAddress"?: ?"?)[0-9.:]+`)
	filling = regexp.MustCompile(`x{1000,}`)
	content = regexp.MustCompile(`hash=[0-9A-F]{128}`)
	word    = regexp.MustCompile(`\w+(\.\w+)*`)
	// An age is short for what the server made and years for a fixed day: both grow from one run to the next.
	age = regexp.MustCompile(`("|- )\d+(s|m|m\d+s|d|y|y\d+d)("|\n)`)
)

// mask replaces what two servers, or one server twice, cannot say alike: uids, times, revisions, names and addresses that
// the server chose. What is the same in several answers of a scenario stays recognizably the same.
type mask struct {
	seen map[string]string
	// said are the words of every request: what a client chose is compared.
	said map[string]bool
}

func newMask(scenario Scenario) *mask {
	text, _ := json.Marshal(scenario.Steps)
	said := map[string]bool{}
	// A revision that the server chose may well be a part of a uid that the client named: a uid is one word.
	for _, word := range append(uuid.FindAllString(string(text), -1), word.FindAllString(uuid.ReplaceAllString(string(text), ""), -1)...) {
		said[word] = true
	}
	return &mask{map[string]string{}, said}
}

func (m *mask) answer(step Step, got reply) Answer {
	answer := Answer{Code: got.code, Headers: m.headers(got.header), Body: m.body(got)}
	if step.Head {
		answer.Body = ""
	}
	if step.Shuffled {
		answer.Body = sortCauses(answer.Body)
	}
	return answer
}

// sortCauses puts the causes of a Status into an order that does not hang on chance.
func sortCauses(body string) string {
	var status metav1.Status
	if err := json.Unmarshal([]byte(body), &status); err != nil || status.Details == nil || len(status.Details.Causes) < 2 {
		return body
	}
	slices.SortFunc(status.Details.Causes, func(a, b metav1.StatusCause) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Message, b.Message))
	})
	head, _, _ := strings.Cut(status.Message, "[")
	status.Message = head + "[…]"
	sorted, err := json.Marshal(status)
	if err != nil {
		return body
	}
	return string(sorted) + "\n"
}

// headers are those that a client sees, one a line, sorted.
func (m *mask) headers(header http.Header) []string {
	var lines []string
	for name, values := range header {
		for _, value := range values {
			switch name {
			case "Date", "Content-Length":
				continue
			case "Audit-Id", "Etag", "X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid", "Last-Modified", "Process-Start-Time-Unix":
				value = "<set>"
			}
			lines = append(lines, name+": "+m.text(value))
		}
	}
	slices.Sort(lines)
	return lines
}

func (m *mask) body(got reply) string {
	if strings.HasPrefix(got.header.Get("Content-Type"), forms["protobuf"]) {
		return sortOwners(m.text(fromProtobuf(got.body)))
	}
	return sortOwners(m.text(string(got.body)))
}

func (m *mask) text(text string) string {
	text = filling.ReplaceAllStringFunc(text, func(found string) string { return fmt.Sprintf("<%d x>", len(found)) })
	text = continuation.ReplaceAllStringFunc(text, func(found string) string {
		parts := continuation.FindStringSubmatch(found)
		return parts[1] + position(parts[2])
	})
	text = scheme.ReplaceAllString(text, "in scheme $1<file>")
	text = reached.ReplaceAllString(text, "$1<address>")
	text = content.ReplaceAllString(text, "hash=<hash>")
	text = uuid.ReplaceAllStringFunc(text, func(found string) string { return m.ordinal("uid", found) })
	text = instant.ReplaceAllStringFunc(text, moment)
	text = generated.ReplaceAllString(text, "$1<5>")
	text = token.ReplaceAllString(text, "<token>")
	text = listRevision.ReplaceAllString(text, `$1<now>"`)
	text = revision.ReplaceAllStringFunc(text, func(found string) string {
		parts := revision.FindStringSubmatch(found)
		return parts[1] + m.ordinal("rv", parts[2])
	})
	text = told.ReplaceAllStringFunc(text, func(found string) string {
		if m.chosen(strings.TrimLeft(found, "abcdefghijklmnopqrstuvwxyz: (")) {
			return found
		}
		return strings.TrimRight(found, "0123456789") + "<rv>"
	})
	for pattern, name := range map[*regexp.Regexp]string{address: "<ip>", nodePort: "<port>"} {
		text = pattern.ReplaceAllStringFunc(text, func(found string) string {
			if m.chosen(found) {
				return found
			}
			return name
		})
	}
	if strings.Contains(text, `"kind":"Table"`) || strings.Contains(text, "kind: Table") {
		text = age.ReplaceAllString(text, "$1<age>$3")
	}
	return text
}

func (m *mask) chosen(text string) bool { return m.said[text] }

// ordinal names the first value of a kind 1, the second 2, …, unless a client chose it.
func (m *mask) ordinal(kind, value string) string {
	if kind == "uid" && m.chosen(value) || value == "0" || value == "1" {
		return value
	}
	name, known := m.seen[kind+value]
	if !known {
		m.seen[kind] = m.seen[kind] + "."
		name = fmt.Sprintf("<%s%d>", kind, len(m.seen[kind]))
		m.seen[kind+value] = name
	}
	return name
}

// moment masks a time of the server's, and keeps how exact it is.
func moment(found string) string {
	at, err := time.Parse(time.RFC3339, found)
	if err != nil || time.Since(at).Abs() > recent {
		return found
	}
	if _, fraction, exact := strings.Cut(found, "."); exact {
		return fmt.Sprintf("<time.%d>", len(fraction)-1)
	}
	return "<time>"
}

// position shows what lies in a continue token, whose revision is the server's.
func position(text string) string {
	decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return text
	}
	var inside struct {
		Version string `json:"v"`
		Start   string `json:"start"`
	}
	if err := json.Unmarshal(decoded, &inside); err != nil {
		return text
	}
	return fmt.Sprintf("<%s from %s>", inside.Version, strings.ReplaceAll(inside.Start, "\u0000", "|"))
}
