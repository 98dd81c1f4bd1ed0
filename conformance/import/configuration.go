package main

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
	resourcequotav1 "k8s.io/apiserver/pkg/admission/plugin/resourcequota/apis/resourcequota/v1"
	resourcequotav1alpha1 "k8s.io/apiserver/pkg/admission/plugin/resourcequota/apis/resourcequota/v1alpha1"
	resourcequotav1beta1 "k8s.io/apiserver/pkg/admission/plugin/resourcequota/apis/resourcequota/v1beta1"
	webhookadmissionv1 "k8s.io/apiserver/pkg/admission/plugin/webhook/config/apis/webhookadmission/v1"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	apiserverv1alpha1 "k8s.io/apiserver/pkg/apis/apiserver/v1alpha1"
	eventratelimitv1alpha1 "k8s.io/kubernetes/plugin/pkg/admission/eventratelimit/apis/eventratelimit/v1alpha1"
	podtolerationrestrictionv1alpha1 "k8s.io/kubernetes/plugin/pkg/admission/podtolerationrestriction/apis/podtolerationrestriction/v1alpha1"
	podsecurityv1 "k8s.io/pod-security-admission/admission/api/v1"
	podsecurityv1alpha1 "k8s.io/pod-security-admission/admission/api/v1alpha1"
	podsecurityv1beta1 "k8s.io/pod-security-admission/admission/api/v1beta1"
)

// configuration is a table of the kinds of files that configure admission and encryption. They are registered in schemes that nobody exports.
func configuration(schemas published) string {
	rows := []kindRow{
		configurationKind[apiserverv1.AdmissionConfiguration]("apiserver.config.k8s.io/v1", "AdmissionConfiguration"),
		configurationKind[apiserverv1.EncryptionConfiguration]("apiserver.config.k8s.io/v1", "EncryptionConfiguration"),
		configurationKind[resourcequotav1.Configuration]("apiserver.config.k8s.io/v1", "ResourceQuotaConfiguration"),
		configurationKind[webhookadmissionv1.WebhookAdmission]("apiserver.config.k8s.io/v1", "WebhookAdmissionConfiguration"),
		configurationKind[apiserverv1alpha1.AdmissionConfiguration]("apiserver.k8s.io/v1alpha1", "AdmissionConfiguration"),
		configurationKind[eventratelimitv1alpha1.Configuration]("eventratelimit.admission.k8s.io/v1alpha1", "Configuration"),
		configurationKind[podsecurityv1.PodSecurityConfiguration]("pod-security.admission.config.k8s.io/v1", "PodSecurityConfiguration"),
		configurationKind[podsecurityv1alpha1.PodSecurityConfiguration]("pod-security.admission.config.k8s.io/v1alpha1", "PodSecurityConfiguration"),
		configurationKind[podsecurityv1beta1.PodSecurityConfiguration]("pod-security.admission.config.k8s.io/v1beta1", "PodSecurityConfiguration"),
		configurationKind[podtolerationrestrictionv1alpha1.Configuration]("podtolerationrestriction.admission.k8s.io/v1alpha1", "Configuration"),
		configurationKind[resourcequotav1alpha1.Configuration]("resourcequota.admission.k8s.io/v1alpha1", "Configuration"),
		configurationKind[resourcequotav1beta1.Configuration]("resourcequota.admission.k8s.io/v1beta1", "Configuration"),
		configurationKind[apiserverv1.EncryptionConfiguration]("v1", "EncryptionConfig"),
	}
	types := newTable(schemas)
	for _, row := range rows {
		types.add(row.of)
	}
	return types.render(rows)
}

func configurationKind[T any](gv, kind string) kindRow {
	return kindRow{gv, kind, reflect.TypeFor[T](), runtime.NewScheme()}
}
