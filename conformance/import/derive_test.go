package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTablesAreCurrent derives every table anew and compares it with the committed one.
func TestTablesAreCurrent(t *testing.T) {
	tables, err := derive("")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range tables {
		got, err := os.ReadFile(filepath.Join("../../gateway/catalog/data", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s differs from what upstream's module yields; run `cargo x import` and look at the difference", name)
		}
	}
}

// TestServesWhatUpstreamServes holds on to facts that a mistake in the instance would lose without a word.
func TestServesWhatUpstreamServes(t *testing.T) {
	infos, err := groups()
	if err != nil {
		t.Fatal(err)
	}
	all := storagesOf(infos)
	for _, path := range []string{"pods/resize", "pods/eviction", "serviceaccounts/token", "namespaces/finalize"} {
		if _, ok := all[versionsOf(all)[len(all)-1]][path]; !ok {
			t.Errorf("v1 does not serve %s", path)
		}
	}
	for gv := range all {
		if gv.Group == "internal.apiserver.k8s.io" || gv.Version == "v1alpha1" || gv.Version == "v1beta1" {
			t.Errorf("%s is not served by default", gv)
		}
	}
}
