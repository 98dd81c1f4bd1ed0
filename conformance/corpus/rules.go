package corpus

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// rule is a valid object and what is changed about it to break a rule, one at a time.
type rule struct {
	Path   string         `json:"path"`
	Object map[string]any `json:"object"`
	// Within is the dotted path of the part of the object that the patches of creates and updates are about; the whole when empty.
	Within string `json:"within,omitempty"`
	// Create are merge patches of objects that are sent to be created; nothing is kept.
	Create []map[string]any `json:"create,omitempty"`
	// Update are merge patches of the created object, sent in its place; nothing is kept.
	Update []map[string]any `json:"update,omitempty"`
	// Had is a merge patch to the status subresource that is kept, before the updates and the patches of statuses.
	Had map[string]any `json:"had,omitempty"`
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
			creates = append(creates, Step{Do: "POST $at?dryRun=All", Body: mergedAt(object, rule.Within, patch)})
		}
		changes := []Step{{Do: "POST $at", Body: object, Save: map[string]string{"made": "metadata.resourceVersion"}}}
		if rule.Had != nil {
			changes = append(changes, Step{Do: "PATCH:merge $at/" + called + "/status", Body: map[string]any{"status": rule.Had}, Save: changes[0].Save})
		}
		made := withRevision(object, "$made")
		for _, patch := range rule.Update {
			changes = append(changes, Step{Do: "PUT $at/" + called + "?dryRun=All", Body: mergedAt(made, rule.Within, patch)})
		}
		for _, patch := range rule.Status {
			changes = append(changes, Step{Do: "PATCH:merge $at/" + called + "/status?dryRun=All", Body: map[string]any{"status": patch}})
		}
		if len(creates) > 0 {
			all = append(all, New(family, name, let, creates))
		}
		if len(changes) > 1 {
			all = append(all, New(family, name+"-changed", let, changes))
		}
	}
	return all, nil
}

// Objects are the valid objects of all kinds and rules, whose texts may name `$ns`, with the names that they have there.
func Objects() (map[string]map[string]any, error) {
	all := map[string]map[string]any{}
	for _, folder := range []string{"kinds", "rules"} {
		entries, err := files.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			text, err := files.ReadFile(path.Join(folder, entry.Name()))
			if err != nil {
				return nil, err
			}
			var file map[string]struct {
				Object map[string]any `json:"object"`
			}
			if err := yaml.Unmarshal(text, &file); err != nil {
				return nil, fmt.Errorf("%s/%s: %w", folder, entry.Name(), err)
			}
			for name, one := range file {
				all[strings.TrimSuffix(entry.Name(), ".yaml")+"-"+name] = one.Object
			}
		}
	}
	return all, nil
}

// mergedAt applies a merge patch to the part of an object that a dotted path leads to.
func mergedAt(object map[string]any, path string, patch map[string]any) map[string]any {
	if path == "" {
		return merged(object, patch)
	}
	made, _ := changedAt(object, strings.Split(path, "."), patch).(map[string]any)
	return made
}

// changedAt copies what lies on the path; members that are missing are made.
func changedAt(value any, path []string, patch map[string]any) any {
	if list, isList := value.([]any); isList && len(path) > 0 {
		made := slices.Clone(list)
		if index, err := strconv.Atoi(path[0]); err == nil && index < len(made) {
			made[index] = changedAt(made[index], path[1:], patch)
		}
		return made
	}
	inner, _ := value.(map[string]any)
	made := merged(inner, nil)
	if len(path) == 0 {
		return merged(made, patch)
	}
	made[path[0]] = changedAt(made[path[0]], path[1:], patch)
	return made
}
