package corpus

import (
	"regexp"
	"slices"
	"strings"
)

// managedFields in JSON, or in JSON that a message quotes.
var managedFields = regexp.MustCompile(`\bmanagedFields\\*": ?\[`)

// sortOwners puts the entries of managedFields in order of their text, in JSON and in YAML. A server sorts them by time to
// the second: whether two writes fell into the same one is nothing to compare.
func sortOwners(text string) string {
	return sortOwnersOfYAML(sortOwnersOfJSON(text))
}

func sortOwnersOfJSON(text string) string {
	var out strings.Builder
	for {
		at := managedFields.FindStringIndex(text)
		if at == nil {
			return out.String() + text
		}
		out.WriteString(text[:at[1]])
		entries, length := split(text[at[1]:])
		// What stands around an entry stays where it is.
		cores := make([]string, len(entries))
		for i, entry := range entries {
			cores[i] = strings.TrimSpace(entry)
		}
		slices.Sort(cores)
		for i, entry := range entries {
			if core := strings.TrimSpace(entry); core != "" {
				entries[i] = strings.Replace(entry, core, cores[i], 1)
			}
		}
		out.WriteString(strings.Join(entries, ","))
		text = text[at[1]+length:]
	}
}

// split cuts the inside of a list at its own commas, up to its end, and tells how long it is. Brackets in names of fields
// (`k:{"name":"a"}`) are balanced.
func split(text string) (entries []string, length int) {
	depth, begin := 0, 0
	for i, char := range text {
		switch char {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth < 0 {
				return append(entries, text[begin:i]), i
			}
		case ',':
			if depth == 0 {
				entries = append(entries, text[begin:i])
				begin = i + 1
			}
		}
	}
	return append(entries, text[begin:]), len(text)
}

func sortOwnersOfYAML(text string) string {
	if !strings.Contains(text, "managedFields:\n") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		if strings.TrimLeft(lines[i], " ") != "managedFields:" {
			continue
		}
		indent := len(lines[i]) - len("managedFields:")
		first := i + 1
		var entries []string
		for i++; i < len(lines); i++ {
			entry := strings.TrimLeft(lines[i], " ")
			depth := len(lines[i]) - len(entry)
			if depth == indent && strings.HasPrefix(entry, "- ") {
				entries = append(entries, lines[i])
			} else if depth > indent && len(entries) > 0 {
				entries[len(entries)-1] += "\n" + lines[i]
			} else {
				break
			}
		}
		slices.Sort(entries)
		copy(lines[first:i], strings.Split(strings.Join(entries, "\n"), "\n"))
		i--
	}
	return strings.Join(lines, "\n")
}
