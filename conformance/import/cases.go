package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// casesPerKind is how many random objects of each kind are defaulted for comparison.
const casesPerKind = 25

// defaultingCase is an object before and after upstream's defaulting.
type defaultingCase struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Before     runtime.Object `json:"before"`
	After      runtime.Object `json:"after"`
}

// writeCases writes random objects of every resource's kind as upstream defaults them, one JSON document a line.
func writeCases(out io.Writer) error {
	infos, err := groups()
	if err != nil {
		return err
	}
	served := map[string]bool{}
	for gv, paths := range storagesOf(infos) {
		for path, in := range paths {
			if kinds, _, err := in.scheme.ObjectKinds(in.storage.New()); err == nil && !strings.Contains(path, "/") {
				served[gv.String()+" "+kinds[0].Kind] = true
			}
		}
	}
	encoder := json.NewEncoder(out)
	for _, kind := range allKinds(infos) {
		if !served[kind.gv+" "+kind.kind] {
			continue
		}
		for seed := range int64(casesPerKind) {
			before, ok := reflect.New(kind.of).Interface().(runtime.Object)
			if !ok {
				return fmt.Errorf("%s is no object", kind.of)
			}
			fill(reflect.ValueOf(before).Elem(), rand.New(rand.NewSource(seed)), false, depth)
			after := before.DeepCopyObject()
			if !safely(func() { kind.scheme.Default(after) }) {
				continue
			}
			if err := encoder.Encode(defaultingCase{kind.gv, kind.kind, before, after}); err != nil {
				return err
			}
		}
	}
	return nil
}
