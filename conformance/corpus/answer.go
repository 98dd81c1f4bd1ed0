package corpus

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Answer is what a client saw, masked.
type Answer struct {
	Code    int
	Headers []string
	Body    string
}

// usual are the headers of nearly every answer; files tell only where one differs.
var usual = []string{
	"Audit-Id: <set>", "Cache-Control: no-cache, private", "Content-Type: application/json",
	"X-Kubernetes-Pf-Flowschema-Uid: <set>", "X-Kubernetes-Pf-Prioritylevel-Uid: <set>",
}

// Write puts the answers of each family into a file of the folder: a line for the scenario, then for each step its number
// and code, the headers that are unusual (`+`) or missing (`-`), and the body behind blanks. A body that the scenario had
// before is `= number`.
func Write(folder string, scenarios []Scenario, answers [][]Answer) error {
	texts := map[string]*bytes.Buffer{}
	for i, scenario := range scenarios {
		text := texts[scenario.Family]
		if text == nil {
			text = &bytes.Buffer{}
			texts[scenario.Family] = text
		}
		fmt.Fprintf(text, "# %s\n", scenario.Name)
		before := map[string]int{}
		for number, answer := range answers[i] {
			answer.write(text, number+1, before)
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for family, text := range texts {
		if err := os.WriteFile(filepath.Join(folder, family+".txt"), text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (a Answer) write(text *bytes.Buffer, number int, before map[string]int) {
	fmt.Fprintf(text, "%d %d\n", number, a.Code)
	for _, line := range a.Headers {
		if !slices.Contains(usual, line) {
			fmt.Fprintf(text, "+%s\n", line)
		}
	}
	for _, line := range usual {
		if !slices.Contains(a.Headers, line) {
			fmt.Fprintf(text, "-%s\n", line)
		}
	}
	if same, known := before[a.Body]; known && len(a.Body) > 40 {
		fmt.Fprintf(text, "= %d\n", same)
		return
	}
	before[a.Body] = number
	if a.Body != "" {
		fmt.Fprintf(text, " %s\n", strings.ReplaceAll(a.Body, "\n", "\n "))
	}
}

// Read gives the recorded answers of every scenario, by family and name.
func Read(folder string) (map[string][]Answer, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("no answers are recorded: %w", err)
	}
	all := map[string][]Answer{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		if err := read(strings.TrimSuffix(entry.Name(), ".txt"), string(text), all); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
	}
	return all, nil
}

func read(family, text string, all map[string][]Answer) error {
	name, started := "", false
	var current *Answer
	for number, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		kind, rest := line[:min(1, len(line))], line[min(1, len(line)):]
		answers := all[name]
		if kind != "#" && kind >= "1" && kind <= "9" {
			_, code, _ := strings.Cut(line, " ")
			parsed, err := strconv.Atoi(code)
			if err != nil {
				return fmt.Errorf("line %d: %w", number+1, err)
			}
			all[name] = append(answers, Answer{Code: parsed, Headers: slices.Clone(usual)})
			current, started = &all[name][len(answers)], false
			continue
		}
		switch kind {
		case "#":
			name = family + "/" + strings.TrimSpace(rest)
		case "+":
			current.Headers = append(current.Headers, rest)
			slices.Sort(current.Headers)
		case "-":
			current.Headers = slices.DeleteFunc(current.Headers, func(h string) bool { return h == rest })
		case "=":
			same, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil || same > len(answers) {
				return fmt.Errorf("line %d: no step %q", number+1, rest)
			}
			current.Body = answers[same-1].Body
		case " ":
			if started {
				current.Body += "\n"
			}
			current.Body, started = current.Body+rest, true
		default:
			return fmt.Errorf("line %d: %q", number+1, cmp.Or(line, "empty"))
		}
	}
	return nil
}
