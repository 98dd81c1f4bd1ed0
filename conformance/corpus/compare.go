package corpus

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// pathsMax is how many differing fields one answer tells of.
const pathsMax = 4

// Compare says how an answer differs from upstream's: nothing when a client cannot tell them apart.
func Compare(got, want Answer) []string {
	var differences []string
	if got.Code != want.Code {
		differences = append(differences, fmt.Sprintf("code %d, upstream %d", got.Code, want.Code))
	}
	differences = append(differences, headers(got.Headers, want.Headers)...)
	if got.Code != want.Code {
		return differences // the bodies are about different things
	}
	return append(differences, bodies(got.Body, want.Body)...)
}

func headers(got, want []string) []string {
	var names []string
	for _, pair := range [][2][]string{{got, want}, {want, got}} {
		for _, line := range pair[0] {
			name, _, _ := strings.Cut(line, ":")
			if count(pair[0], line) != count(pair[1], line) && !slices.Contains(names, "header "+name) {
				names = append(names, "header "+name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func count(lines []string, line string) (n int) {
	for _, other := range lines {
		if other == line {
			n++
		}
	}
	return n
}

func bodies(got, want string) []string {
	if got == want {
		return nil
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	var paths []string
	for i := range max(len(gotLines), len(wantLines)) {
		at := ""
		if len(wantLines) > 2 {
			at = fmt.Sprintf("line %d ", i+1)
		}
		switch {
		case i >= len(gotLines):
			paths = append(paths, at+"missing")
		case i >= len(wantLines):
			paths = append(paths, at+"not upstream's")
		case gotLines[i] != wantLines[i]:
			for _, path := range line(gotLines[i], wantLines[i]) {
				paths = append(paths, at+path)
			}
		}
	}
	if len(paths) > pathsMax {
		paths = append(paths[:pathsMax:pathsMax], "…")
	}
	return paths
}

// line compares two lines, as JSON if they are.
func line(got, want string) []string {
	var gotValue, wantValue any
	if json.Unmarshal([]byte(got), &gotValue) != nil || json.Unmarshal([]byte(want), &wantValue) != nil {
		return []string{"text"}
	}
	var paths []string
	values("", gotValue, wantValue, &paths)
	if len(paths) == 0 {
		return []string{"order or spelling"}
	}
	return paths
}

func values(at string, got, want any, paths *[]string) {
	if reflect.DeepEqual(got, want) {
		return
	}
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			names := maps.Clone(got)
			maps.Copy(names, want)
			for _, name := range slices.Sorted(maps.Keys(names)) {
				member(at+"."+name, got, want, name, paths)
			}
			return
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				values(at+"["+strconv.Itoa(i)+"]", got[i], want[i], paths)
			}
			return
		}
	}
	*paths = append(*paths, cmpOr(at, "body"))
}

func member(at string, got, want map[string]any, name string, paths *[]string) {
	gotValue, has := got[name]
	wantValue, wanted := want[name]
	switch {
	case !has:
		*paths = append(*paths, "lacks "+at)
	case !wanted:
		*paths = append(*paths, "has "+at)
	default:
		values(at, gotValue, wantValue, paths)
	}
}
