package main

import (
	"fmt"
	"path"
	"reflect"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/certificates"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/flowcontrol"
	"k8s.io/kubernetes/pkg/apis/networking"
	"k8s.io/kubernetes/pkg/apis/rbac"
	"k8s.io/kubernetes/pkg/apis/resource"
	"k8s.io/kubernetes/pkg/apis/storage"
	"k8s.io/kubernetes/pkg/apis/storagemigration"
)

// shown are the internal types that errors show, each with the type of the API that says the same.
var shown = [][2]reflect.Type{
	pair[apps.DeploymentStrategy, appsv1.DeploymentStrategy](),
	pair[apps.RollingUpdateStatefulSetStrategy, appsv1.RollingUpdateStatefulSetStrategy](),
	pair[apps.StatefulSetUpdateStrategy, appsv1.StatefulSetUpdateStrategy](),
	pair[autoscaling.HorizontalPodAutoscalerBehavior, autoscalingv2.HorizontalPodAutoscalerBehavior](),
	pair[batch.PodFailurePolicy, batchv1.PodFailurePolicy](),
	pair[batch.SuccessPolicy, batchv1.SuccessPolicy](),
	pair[batch.UncountedTerminatedPods, batchv1.UncountedTerminatedPods](),
	pair[certificates.CertificateSigningRequestCondition, certificatesv1.CertificateSigningRequestCondition](),
	pair[certificates.PodCertificateRequestSpec, certificatesv1beta1.PodCertificateRequestSpec](),
	pair[core.EventSource, corev1.EventSource](),
	pair[core.NodeAddress, corev1.NodeAddress](),
	pair[core.NodeSelectorTerm, corev1.NodeSelectorTerm](),
	pair[core.ObjectReference, corev1.ObjectReference](),
	pair[core.PersistentVolumeClaim, corev1.PersistentVolumeClaim](),
	pair[core.PersistentVolumeSource, corev1.PersistentVolumeSource](),
	pair[core.PodIP, corev1.PodIP](),
	pair[core.PodTemplateSpec, corev1.PodTemplateSpec](),
	pair[core.ScopeSelector, corev1.ScopeSelector](),
	pair[core.ServicePort, corev1.ServicePort](),
	pair[core.Taint, corev1.Taint](),
	pair[core.VolumeNodeAffinity, corev1.VolumeNodeAffinity](),
	pair[flowcontrol.FlowSchemaSpec, flowcontrolv1.FlowSchemaSpec](),
	pair[flowcontrol.PriorityLevelConfigurationSpec, flowcontrolv1.PriorityLevelConfigurationSpec](),
	pair[networking.ParentReference, networkingv1.ParentReference](),
	pair[rbac.RoleRef, rbacv1.RoleRef](),
	pair[resource.ResourceClaimTemplateSpec, resourcev1.ResourceClaimTemplateSpec](),
	pair[storage.CSINodeDriver, storagev1.CSINodeDriver](),
	pair[storagemigration.StorageVersionMigrationSpec, storagemigrationv1.StorageVersionMigrationSpec](),
}

func pair[I, V any]() [2]reflect.Type {
	return [2]reflect.Type{reflect.TypeFor[I](), reflect.TypeFor[V]()}
}

// member is a field as encoding/json writes it, those of embedded structs lifted into their owner.
type member struct {
	name string
	path string // where the API's JSON has it, "-" where it does not
	of   reflect.Type
	api  reflect.Type // the API's type of it, nil where there is none
	omit bool
}

// internal is a table of the internal types that errors show. Under a type, each line is: the name that encoding/json writes,
// the field of the API's JSON, the shape, and `omit` where an empty value is left out.
func internal() string {
	types := map[reflect.Type]string{}
	var add func(of, api reflect.Type)
	add = func(of, api reflect.Type) {
		of, api = element(of), element(api)
		if _, known := types[of]; known || of.Kind() != reflect.Struct || leaves[of] != "" {
			return
		}
		var text strings.Builder
		types[of] = ""
		for _, m := range membersOf(of, api, "") {
			fmt.Fprintf(&text, "\t%s %s %s", m.name, m.path, shape(m.of))
			if m.omit {
				text.WriteString(" omit")
			}
			text.WriteString("\n")
			if m.api != nil {
				add(m.of, m.api)
			}
		}
		types[of] = text.String()
	}
	for _, p := range shown {
		add(p[0], p[1])
	}
	var blocks []string
	for of, text := range types {
		blocks = append(blocks, "type "+typeName(of)+"\n"+text)
	}
	sort.Strings(blocks)
	return "# Derived by `cargo x import`; the format is told in gateway/catalog/src/hooks/rules/internal.rs.\n" + strings.Join(blocks, "")
}

func membersOf(of, api reflect.Type, below string) []member {
	var all []member
	for i := range of.NumField() {
		f := of.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		// Objects inside of objects do not say what they are.
		if name == "-" || f.Type == reflect.TypeFor[metav1.TypeMeta]() || !f.IsExported() {
			continue
		}
		there, known := apiField(api, f.Name)
		if f.Anonymous && name == "" {
			inner := below
			if known && there.json != "" {
				inner += there.json + "."
			}
			embedded := api
			if known {
				embedded = there.Type
			}
			all = append(all, membersOf(f.Type, embedded, inner)...)
			continue
		}
		m := member{name: name, path: "-", of: f.Type, omit: strings.Contains(options, "omit")}
		if name == "" {
			m.name = f.Name
		}
		if known {
			m.path, m.api = below+there.json, there.Type
		}
		all = append(all, m)
	}
	return all
}

// apiField finds the field of the API's type by its Go name, in embedded structs too.
func apiField(api reflect.Type, name string) (field, bool) {
	for i := range api.NumField() {
		f := api.Field(i)
		json, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		inline := f.Anonymous && (json == "" || strings.Contains(options, "inline"))
		if f.Name == name {
			if inline {
				json = ""
			}
			return field{StructField: f, json: json}, true
		}
		if inline {
			if found, known := apiField(f.Type, name); known {
				return found, true
			}
		}
	}
	return field{}, false
}

func element(of reflect.Type) reflect.Type {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	return of
}

// shape spells what a value looks like when nothing is set: pointers, lists and maps before what they hold.
func shape(of reflect.Type) string {
	switch leaf := leaves[of]; {
	case leaf == "time" || leaf == "microtime" || leaf == "bytes" || leaf == "json" || leaf == "raw" || leaf == "fields":
		return "null"
	case leaf != "":
		return leaf
	}
	switch of.Kind() {
	case reflect.Pointer:
		return "*" + shape(of.Elem())
	case reflect.Slice:
		return "[]" + shape(of.Elem())
	case reflect.Map:
		return "{}" + shape(of.Elem())
	case reflect.Struct:
		return typeName(of)
	case reflect.Interface:
		return "null"
	}
	if of == reflect.TypeFor[intstr.Type]() {
		return "number"
	}
	switch word := scalars[of.Kind()]; word {
	case "string", "bool":
		return word
	case "":
		panic(fmt.Sprintf("no shape for %s", of))
	default:
		return "number"
	}
}

func typeName(of reflect.Type) string { return path.Base(of.PkgPath()) + "." + of.Name() }
