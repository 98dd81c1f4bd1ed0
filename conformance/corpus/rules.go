package corpus

import (
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

// rule is a valid object and what is changed about it to break a rule, one at a time.
type rule struct {
	Path   string         `json:"path"`
	Object map[string]any `json:"object"`
	// Create are merge patches of objects that are sent to be created; nothing is kept.
	Create []map[string]any `json:"create,omitempty"`
	// Update are merge patches of the created object, sent in its place; nothing is kept.
	Update []map[string]any `json:"update,omitempty"`
	// Status are merge patches to the status subresource.
	Status []map[string]any `json:"status,omitempty"`
}

// rules derives two scenarios for each object: creates and, if there are any, changes.
func rules(family string, text []byte) ([]Scenario, error) {
	var file map[string]rule
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, err
	}
	var all []Scenario
	for _, name := range slices.Sorted(maps.Keys(file)) {
		rule := file[name]
		let := map[string]string{"at": rule.Path}
		object := merged(map[string]any{"metadata": map[string]any{"name": "$ns"}}, rule.Object)
		called, _ := object["metadata"].(map[string]any)["name"].(string)
		var creates []Step
		for _, patch := range rule.Create {
			creates = append(creates, Step{Do: "POST $at?dryRun=All", Body: merged(object, patch)})
		}
		changes := []Step{{Do: "POST $at", Body: object}}
		for _, patch := range rule.Update {
			changes = append(changes, Step{Do: "PUT $at/" + called + "?dryRun=All", Body: merged(object, patch)})
		}
		for _, patch := range rule.Status {
			changes = append(changes, Step{Do: "PATCH:merge $at/" + called + "/status?dryRun=All", Body: map[string]any{"status": patch}})
		}
		if len(creates) > 0 {
			all = append(all, scenario(family, name, let, creates))
		}
		if len(changes) > 1 {
			all = append(all, scenario(family, name+"-changed", let, changes))
		}
	}
	return all, nil
}
