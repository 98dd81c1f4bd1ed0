package main

import (
	"sort"

	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"gatehouse.dev/conformance/peer"
)

// derive makes every table, by file name.
func derive(module string) (map[string]string, error) {
	if module == "" {
		found, err := peer.Source(".", "k8s.io/kubernetes")
		if err != nil {
			return nil, err
		}
		module = found
	}
	schemas, err := readPublished(module)
	if err != nil {
		return nil, err
	}
	infos, err := groups()
	if err != nil {
		return nil, err
	}
	kinds := allKinds(infos)
	seen := observeDefaults(kinds)
	types := newTable(schemas)
	types.defaults = unconditional(seen)
	// Registered with no server: answers of discovery, which nobody sends.
	answers := append(discoveryKinds(), kinds...)
	sortKinds(answers)
	for _, kind := range answers {
		types.add(kind.of)
	}
	all := storagesOf(infos)
	found, err := readDiscovery(module, all)
	if err != nil {
		return nil, err
	}
	tables, err := bootstrap()
	if err != nil {
		return nil, err
	}
	if tables["columns.txt"], err = columns(all, schemas.described()); err != nil {
		return nil, err
	}
	if tables["declarative.txt"], err = declarative(module, kinds); err != nil {
		return nil, err
	}
	if tables["queries.txt"], err = queries(module); err != nil {
		return nil, err
	}
	tables["types.txt"] = types.render(answers)
	if tables["unserved.txt"], err = unserved(schemas, types, answers); err != nil {
		return nil, err
	}
	tables["configuration.txt"] = configuration(schemas)
	tables["internal.txt"] = internal()
	tables["resources.txt"] = found.render(all)
	tables["conditional.txt"] = conditional(seen)
	return tables, nil
}

func allKinds(infos []genericapiserver.APIGroupInfo) []kindRow {
	var rows []kindRow
	for _, info := range infos {
		for version := range info.VersionedResourcesStorageMap {
			rows = append(rows, kindsOf(info.Scheme, schema.GroupVersion{Group: info.PrioritizedVersions[0].Group, Version: version})...)
		}
	}
	rows = append(rows, metaKinds()...)
	sortKinds(rows)
	return rows
}

func sortKinds(rows []kindRow) {
	sort.Slice(rows, func(i, j int) bool {
		return rows[i].gv < rows[j].gv || rows[i].gv == rows[j].gv && rows[i].kind < rows[j].kind
	})
}
