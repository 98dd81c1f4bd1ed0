package main

import (
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/mutatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicy"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingadmissionpolicybinding"
	"k8s.io/kubernetes/pkg/registry/admissionregistration/validatingwebhookconfiguration"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/flowschema"
	"k8s.io/kubernetes/pkg/registry/flowcontrol/prioritylevelconfiguration"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
	"k8s.io/kubernetes/pkg/registry/resource/deviceclass"
	"k8s.io/kubernetes/pkg/registry/resource/devicetaintrule"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaim"
	"k8s.io/kubernetes/pkg/registry/resource/resourceclaimtemplate"
	"k8s.io/kubernetes/pkg/registry/resource/resourceslice"
	"k8s.io/kubernetes/pkg/registry/scheduling/priorityclass"
	"k8s.io/kubernetes/pkg/registry/storagemigration/storagemigration"
)

// The kinds of cases-other.jsonl. Who may write what is decided elsewhere: here everybody may.
func init() {
	allowed := authorizerfactory.NewAlwaysAllowAuthorizer()
	namespaces := fake.NewSimpleClientset().CoreV1().Namespaces()
	claims := resourceclaim.NewStrategy(namespaces, allowed)

	strategies["ResourceClaim"] = claims
	strategies["ResourceClaimTemplate"] = resourceclaimtemplate.NewStrategy(namespaces)
	strategies["ResourceSlice"] = resourceslice.Strategy
	strategies["DeviceClass"] = deviceclass.Strategy
	strategies["DeviceTaintRule"] = devicetaintrule.Strategy
	strategies["FlowSchema"] = flowschema.Strategy
	strategies["PriorityLevelConfiguration"] = prioritylevelconfiguration.Strategy
	strategies["StorageVersionMigration"] = storagemigration.Strategy
	strategies["Lease"] = lease.Strategy
	strategies["PriorityClass"] = priorityclass.Strategy
	strategies["Role"] = role.Strategy
	strategies["ClusterRole"] = clusterrole.Strategy
	strategies["RoleBinding"] = rolebinding.Strategy
	strategies["ClusterRoleBinding"] = clusterrolebinding.Strategy
	strategies["ValidatingWebhookConfiguration"] = validatingwebhookconfiguration.Strategy
	strategies["MutatingWebhookConfiguration"] = mutatingwebhookconfiguration.Strategy
	strategies["ValidatingAdmissionPolicy"] = validatingadmissionpolicy.NewStrategy(nil, nil)
	subresources["ValidatingAdmissionPolicy/status"] = validatingadmissionpolicy.NewStatusStrategy(validatingadmissionpolicy.NewStrategy(nil, nil))
	strategies["ValidatingAdmissionPolicyBinding"] = validatingadmissionpolicybinding.NewStrategy(nil, nil, nil)
	strategies["MutatingAdmissionPolicy"] = mutatingadmissionpolicy.NewStrategy(nil, nil)
	strategies["MutatingAdmissionPolicyBinding"] = mutatingadmissionpolicybinding.NewStrategy(nil, nil, nil)

	subresources["ResourceClaim/status"] = resourceclaim.NewStatusStrategy(claims)
	subresources["DeviceTaintRule/status"] = devicetaintrule.StatusStrategy
	subresources["FlowSchema/status"] = flowschema.StatusStrategy
	subresources["PriorityLevelConfiguration/status"] = prioritylevelconfiguration.StatusStrategy
	subresources["StorageVersionMigration/status"] = storagemigration.StatusStrategy
}
