package main

import (
	"reflect"
	"sort"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	admissionv1beta1 "k8s.io/api/admission/v1beta1"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apidiscoveryv2beta1 "k8s.io/api/apidiscovery/v2beta1"
	imagepolicyv1alpha1 "k8s.io/api/imagepolicy/v1alpha1"
	apiextensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// metaPackage holds the kinds that every group has.
var metaPackage = reflect.TypeFor[metav1.ListOptions]().PkgPath()

// unserved is a table of the kinds that upstream's modules keep round-trip data of and a server with default flags does
// not serve: older versions, and those that only travel to webhooks. It holds no type that served has.
func unserved(schemas published, served *table, kinds []kindRow) (string, error) {
	known := map[string]bool{}
	for _, kind := range kinds {
		known[kind.gv+" "+kind.kind] = true
	}
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, admissionv1.AddToScheme, admissionv1beta1.AddToScheme, apidiscoveryv2.AddToScheme,
		apidiscoveryv2beta1.AddToScheme, imagepolicyv1alpha1.AddToScheme, apiextensionsv1beta1.AddToScheme,
	} {
		if err := add(all); err != nil {
			return "", err
		}
	}
	others := newTable(schemas)
	for of := range served.seen {
		others.seen[of] = true
	}
	var rows []kindRow
	for gvk, of := range all.AllKnownTypes() {
		gv := gvk.GroupVersion().String()
		meta := of.PkgPath() == metaPackage || gvk.Version == runtime.APIVersionInternal
		if !meta && !strings.HasSuffix(gvk.Kind, "List") && !known[gv+" "+gvk.Kind] {
			rows = append(rows, kindRow{gv, gvk.Kind, of, all})
			others.add(of)
		}
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].gv+" "+rows[i].kind < rows[j].gv+" "+rows[j].kind })
	return others.render(rows), nil
}
