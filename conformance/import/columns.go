package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
)

// columns are the column definitions of every resource that is listed, from upstream's own table convertors.
func columns(all storages, described map[string]string) (string, error) {
	var out strings.Builder
	out.WriteString("# Derived by `cargo x import`. Under a resource, each line is:\n# <type> <format or -> <priority> <struct/field whose description is the column's, or -> <name>[<tab><what upstream's answers say of it where no field does, as JSON>].\n")
	done := map[string]bool{}
	for _, gv := range versionsOf(all) {
		for _, path := range pathsOf(all[gv]) {
			in := all[gv][path]
			name := schema.GroupResource{Group: gv.Group, Resource: path}.String()
			convertor, ok := in.storage.(rest.TableConvertor)
			lister, lists := in.storage.(rest.Lister)
			if !ok || !lists || done[name] {
				continue
			}
			done[name] = true
			text, err := columnsOf(convertor, lister.NewList(), described)
			if err != nil {
				return "", fmt.Errorf("columns of %s: %w", name, err)
			}
			if text != "" {
				fmt.Fprintf(&out, "columns %s\n%s", name, text)
			}
		}
	}
	// Every scale is shown alike.
	scales, ok := all[schema.GroupVersion{Group: "apps", Version: "v1"}]["deployments/scale"].storage.(rest.TableConvertor)
	if !ok {
		return "", fmt.Errorf("deployments/scale makes no tables")
	}
	text, err := columnsOf(scales, &autoscaling.Scale{}, described)
	if err != nil {
		return "", fmt.Errorf("columns of scales: %w", err)
	}
	fmt.Fprintf(&out, "columns scale.autoscaling\n%s", text)
	return out.String(), nil
}

// columnsOf is empty for the default columns, Name and Created At.
func columnsOf(convertor rest.TableConvertor, shown runtime.Object, described map[string]string) (string, error) {
	table, err := convertor.ConvertToTable(context.Background(), shown, &metav1.TableOptions{})
	if err != nil {
		return "", err
	}
	var out, names strings.Builder
	for _, column := range table.ColumnDefinitions {
		field := orDash(described[column.Description])
		fmt.Fprintf(&out, "\t%s %s %d %s %s", column.Type, orDash(column.Format), column.Priority, field, column.Name)
		if field == "-" && column.Description != "" {
			said, err := json.Marshal(column.Description)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "\t%s", said)
		}
		out.WriteString("\n")
		names.WriteString(column.Type + " " + column.Name + "\n")
	}
	if names.String() == "string Name\ndate Created At\n" {
		return "", nil
	}
	return out.String(), nil
}

func versionsOf(all storages) []schema.GroupVersion {
	var versions []schema.GroupVersion
	for gv := range all {
		versions = append(versions, gv)
	}
	sort.Slice(versions, func(i, j int) bool { return versions[i].String() < versions[j].String() })
	return versions
}

func pathsOf(paths map[string]served) []string {
	var names []string
	for name := range paths {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
