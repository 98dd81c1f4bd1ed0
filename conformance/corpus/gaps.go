package corpus

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// unsorted heads the differences that nobody has looked at yet.
const unsorted = "# Not sorted by cause yet."

// Gaps are the known differences, in groups that say why.
type Gaps struct {
	lines []string
}

// ReadGaps reads the list; one that does not exist is empty.
func ReadGaps(file string) (Gaps, error) {
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return Gaps{}, nil
	}
	return Gaps{strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}, err
}

// Known are the listed differences.
func (g Gaps) Known() map[string]bool {
	known := map[string]bool{}
	for _, line := range g.lines {
		if line != "" && !strings.HasPrefix(line, "#") {
			known[line] = true
		}
	}
	return known
}

// Update writes the list as it is now: what is gone leaves its group, what is new is to be sorted by a person.
func (g Gaps) Update(file string, now map[string]bool) error {
	var kept []string
	left := maps.Clone(now)
	for _, line := range g.lines {
		if strings.HasPrefix(line, "#") || line == "" || now[line] {
			kept = append(kept, line)
		}
		delete(left, line)
	}
	if len(left) > 0 && !slices.Contains(kept, unsorted) {
		kept = append(kept, unsorted)
	}
	kept = append(kept, slices.Sorted(maps.Keys(left))...)
	return os.WriteFile(file, []byte(strings.Join(kept, "\n")+"\n"), 0o644)
}

// name is a difference as a line of the list.
func name(scenario Scenario, step int, what []string) string {
	return fmt.Sprintf("%s/%s %d: %s", scenario.Family, scenario.Name, step, strings.Join(what, ", "))
}
