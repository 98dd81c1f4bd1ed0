package main

import (
	"encoding/json"
	"sort"

	"k8s.io/apimachinery/pkg/runtime"
	flowcontrolbootstrap "k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	schedulingv1 "k8s.io/kubernetes/pkg/apis/scheduling/v1"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// bootstrap is what a fresh cluster holds, as JSON documents by file name.
func bootstrap() (map[string]string, error) {
	var classes []runtime.Object
	for _, class := range schedulingv1.SystemPriorityClasses() {
		classes = append(classes, class)
	}
	files := map[string]map[string][]runtime.Object{
		"rbac.json":          policyObjects(),
		"flowcontrol.json":   flowcontrolObjects(),
		"priorityclass.json": {"priorityClasses": classes},
	}
	out := map[string]string{}
	for name, sections := range files {
		text, err := document(sections)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

func document(sections map[string][]runtime.Object) (string, error) {
	whole := map[string][]any{}
	for section, objects := range sections {
		for _, object := range objects {
			kinds, _, err := legacyscheme.Scheme.ObjectKinds(object)
			if err != nil {
				return "", err
			}
			legacyscheme.Scheme.Default(object)
			object.GetObjectKind().SetGroupVersionKind(kinds[0])
			whole[section] = append(whole[section], object)
		}
	}
	text, err := json.MarshalIndent(whole, "", " ")
	return string(text) + "\n", err
}

func policyObjects() map[string][]runtime.Object {
	sections := map[string][]runtime.Object{}
	for _, role := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		sections["clusterRoles"] = append(sections["clusterRoles"], role.DeepCopy())
	}
	for _, binding := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		sections["clusterRoleBindings"] = append(sections["clusterRoleBindings"], binding.DeepCopy())
	}
	roles, bindings := bootstrappolicy.NamespaceRoles(), bootstrappolicy.NamespaceRoleBindings()
	for _, namespace := range keys(roles) {
		for _, role := range roles[namespace] {
			role.Namespace = namespace
			sections["roles"] = append(sections["roles"], role.DeepCopy())
		}
	}
	for _, namespace := range keys(bindings) {
		for _, binding := range bindings[namespace] {
			binding.Namespace = namespace
			sections["roleBindings"] = append(sections["roleBindings"], binding.DeepCopy())
		}
	}
	return sections
}

func flowcontrolObjects() map[string][]runtime.Object {
	sections := map[string][]runtime.Object{}
	for _, level := range flowcontrolbootstrap.MandatoryPriorityLevelConfigurations {
		sections["mandatoryPriorityLevelConfigurations"] = append(sections["mandatoryPriorityLevelConfigurations"], level.DeepCopy())
	}
	for _, level := range flowcontrolbootstrap.SuggestedPriorityLevelConfigurations {
		sections["suggestedPriorityLevelConfigurations"] = append(sections["suggestedPriorityLevelConfigurations"], level.DeepCopy())
	}
	for _, schema := range flowcontrolbootstrap.MandatoryFlowSchemas {
		sections["mandatoryFlowSchemas"] = append(sections["mandatoryFlowSchemas"], schema.DeepCopy())
	}
	for _, schema := range flowcontrolbootstrap.SuggestedFlowSchemas {
		sections["suggestedFlowSchemas"] = append(sections["suggestedFlowSchemas"], schema.DeepCopy())
	}
	return sections
}

func keys[V any](of map[string]V) []string {
	var names []string
	for name := range of {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
