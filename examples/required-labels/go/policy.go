// Objects must carry certain labels, whose values may have to be on a list: policies/required-labels in Go.
package main

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse.dev/policy"
	"gatehouse.dev/policy/validator"
)

// Settings are what a binding sets.
type Settings struct {
	Labels []Label `json:"labels" description:"The labels that every object must carry."`
}

// Label is one that is required.
type Label struct {
	Key    string    `json:"key" description:"The label's key, such as team."`
	Values *[]string `json:"values" description:"The values it may have; any when absent."`
}

// Object is the part of an object that the policy reads.
type Object struct {
	Metadata struct {
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
}

func init() {
	validator.Serve(policy.Validator[Settings, Object]{
		About: policy.About{
			Name:         "required-labels",
			Version:      "0.1.0",
			Description:  "Objects must carry certain labels, with values from a list where one is given.",
			Reads:        []string{"metadata.labels"},
			ReadsRequest: []policy.RequestPart{},
			Rules: []policy.Rule{
				{Name: "label-required", Description: "The label must be there."},
				{Name: "label-value", Description: "The label must have one of the values listed for it."},
			},
		},
		Check:    check,
		Validate: validate,
	})
}

func check(settings *Settings, problems *policy.Verdict) {
	if len(settings.Labels) == 0 {
		problems.Violation("settings", "labels", "at least one label must be named")
	}
	for n, label := range settings.Labels {
		if label.Key == "" {
			problems.Violation("settings", fmt.Sprintf("labels[%d].key", n), "a label needs a key")
		}
		if label.Values != nil && len(*label.Values) == 0 {
			problems.Violation("settings", fmt.Sprintf("labels[%d].values", n), "an empty list allows no value at all; leave it out to allow any")
		}
	}
}

func validate(settings *Settings, review *policy.Review[Object], verdict *policy.Verdict) error {
	if review.Object == nil {
		return nil
	}
	for _, label := range settings.Labels {
		field := fmt.Sprintf("metadata.labels[%s]", label.Key)
		value, there := review.Object.Metadata.Labels[label.Key]
		switch {
		case !there && label.Values == nil:
			verdict.Violation("label-required", field, fmt.Sprintf("the label %q is required", label.Key))
		case !there:
			verdict.Violation("label-required", field, fmt.Sprintf("the label %q is required; set it to one of: %s", label.Key, strings.Join(*label.Values, ", ")))
		case label.Values != nil && !slices.Contains(*label.Values, value):
			verdict.Violation("label-value", field, fmt.Sprintf("the label %q is %q, but must be one of: %s", label.Key, value, strings.Join(*label.Values, ", ")))
		}
	}
	return nil
}

func main() {}
