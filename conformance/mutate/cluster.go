package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gatehouse.dev/conformance/corpus"
)

var (
	ordinal = regexp.MustCompile(`<(uid|rv)\d+>`)
	index   = regexp.MustCompile(`\[[^\]]*\]`)
	said    = regexp.MustCompile(`"(\\.|[^"\\])*"|'[^']*'|\x60[^\x60]*\x60`)
	decoded = regexp.MustCompile(`^\w+ in version "\w+" cannot be handled as a \w+: `)
	holder  = regexp.MustCompile(`Go struct field \S+`)
	digits  = regexp.MustCompile(`\d+`)
	within  = regexp.MustCompile(`^(spec\.)?(jobTemplate\.spec\.)?template\.spec\.`)
)

// partsMax is how many parts of a path tell fields apart; what lies around is another way to the same rule.
const partsMax = 3

// plain takes out of an answer what hangs on the answers before it.
func plain(answer corpus.Answer) corpus.Answer {
	answer.Body = ordinal.ReplaceAllString(answer.Body, "<$1>")
	return answer
}

// causes are the shapes of what distinguishes two answers: the same for the same reason, whatever the object.
func causes(got, want corpus.Answer) []string {
	differences := corpus.Compare(got, want)
	if len(differences) == 0 {
		return nil
	}
	ours, gotStatus := statusOf(got)
	theirs, wantStatus := statusOf(want)
	var found []string
	switch {
	case gotStatus && wantStatus:
		found = statuses(ours, theirs)
	case gotStatus:
		found = []string{"refused here alone"}
		for _, cause := range shapes(ours) {
			found = append(found, "only here: "+cause)
		}
	case wantStatus:
		found = []string{"taken here alone"}
		for _, cause := range shapes(theirs) {
			found = append(found, "only upstream: "+cause)
		}
	default:
		for _, difference := range differences {
			found = append(found, "stored: "+index.ReplaceAllString(difference, "[]"))
		}
	}
	found = append(found, warnings("only here: ", got, want)...)
	found = append(found, warnings("only upstream: ", want, got)...)
	if len(found) == 0 {
		found = append(found, strings.Join(differences, ", "))
	}
	return found
}

// warnings are those that the other answer does not have.
func warnings(side string, answer, other corpus.Answer) (found []string) {
	for _, header := range answer.Headers {
		if strings.HasPrefix(header, "Warning") && !slices.Contains(other.Headers, header) {
			found = append(found, side+shape(header))
		}
	}
	return found
}

// statusOf reads a refusal.
func statusOf(answer corpus.Answer) (metav1.Status, bool) {
	var status metav1.Status
	err := json.Unmarshal([]byte(answer.Body), &status)
	return status, err == nil && status.Kind == "Status" && answer.Code >= 400
}

// statuses tells two refusals apart by their causes, or by their messages when there are none.
func statuses(ours, theirs metav1.Status) []string {
	var found []string
	here, there := shapes(ours), shapes(theirs)
	for _, cause := range here {
		if !slices.Contains(there, cause) {
			found = append(found, "only here: "+cause)
		}
	}
	for _, cause := range there {
		if !slices.Contains(here, cause) {
			found = append(found, "only upstream: "+cause)
		}
	}
	if len(found) == 2 && strings.HasPrefix(found[0], "only here") && strings.HasPrefix(found[1], "only upstream") {
		return []string{strings.Join(found, " | ")}
	}
	if len(found) > 0 {
		return found
	}
	for i := range min(len(here), len(there)) {
		if here[i] != there[i] {
			return []string{"order: " + there[i] + " comes first"}
		}
	}
	if len(here) != len(there) {
		return []string{"repeated: " + strings.Join(here, "; ")}
	}
	if ours.Details != nil && theirs.Details != nil {
		for i := range min(len(ours.Details.Causes), len(theirs.Details.Causes)) {
			if ours.Details.Causes[i] != theirs.Details.Causes[i] {
				return []string{"value in: " + here[i]}
			}
		}
	}
	return []string{"spelling: " + strings.Join(here, "; ")}
}

// shapes are those of a refusal's causes, or of its message.
func shapes(status metav1.Status) []string {
	if status.Details == nil || len(status.Details.Causes) == 0 {
		return []string{fmt.Sprint(status.Code, " ", status.Reason, " ", shape(status.Message))}
	}
	var all []string
	for _, cause := range status.Details.Causes {
		all = append(all, fmt.Sprint(cause.Type, " ", near(cause.Field), " ", shape(cause.Message)))
	}
	return all
}

// near is the end of a field's path.
func near(field string) string {
	field = within.ReplaceAllString(index.ReplaceAllString(field, "[]"), "podspec.")
	parts := strings.Split(field, ".")
	return strings.Join(parts[max(0, len(parts)-partsMax):], ".")
}

// shape is a message without what it says of the value.
func shape(message string) string {
	message = holder.ReplaceAllString(decoded.ReplaceAllString(message, "a kind: "), "field")
	message = digits.ReplaceAllString(said.ReplaceAllString(message, "“”"), "N")
	if len(message) > 240 {
		message = strings.ToValidUTF8(message[:240], "") + "…"
	}
	return message
}

// difference is a question whose answers differ.
type difference struct {
	question
	got, want corpus.Answer
	causes    []string
}

// cluster is what differs for one reason.
type cluster struct {
	cause string
	of    []difference
}

// clusters sorts differences by cause, those with the most different fields first.
func clusters(differences []difference) []cluster {
	byCause := map[string]*cluster{}
	var all []*cluster
	for _, one := range differences {
		for _, cause := range one.causes {
			known := byCause[cause]
			if known == nil {
				known = &cluster{cause: cause}
				byCause[cause] = known
				all = append(all, known)
			}
			known.of = append(known.of, one)
		}
	}
	slices.SortStableFunc(all, func(a, b *cluster) int { return len(b.of) - len(a.of) })
	var sorted []cluster
	for _, one := range all {
		sorted = append(sorted, *one)
	}
	return sorted
}
