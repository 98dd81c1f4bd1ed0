package corpus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// print shows both answers of a step for a person to look at.
func print(t *testing.T, scenario Scenario, number int, got, want Answer) {
	full := scenario.Family + "/" + scenario.Name
	if *show != full && *show != fmt.Sprintf("%s %d", full, number+1) {
		return
	}
	t.Logf("%s %d %s\n--- Gatehouse %d\n%s\n--- upstream %d\n%s", full, number+1, scenario.Steps[number].Do,
		got.Code, spread(got), want.Code, spread(want))
}

func spread(answer Answer) string {
	text := strings.Join(answer.Headers, "\n") + "\n"
	for _, line := range strings.Split(answer.Body, "\n") {
		var indented bytes.Buffer
		if json.Indent(&indented, []byte(line), "", "  ") == nil {
			line = indented.String()
		}
		text += line + "\n"
	}
	return text
}
