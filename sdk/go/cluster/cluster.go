// Package cluster reads from the server's cache. It needs the grant cluster, and reads only what the binding names under
// clusterReads; for a namespaced binding only in its namespace, and only what its author may read. What a call costs is
// mostly the parsing of what it answers: name the fields that you need.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"

	"gatehouse.dev/policy"
)

// Get reads one object into a value, as far as fields go (spelled as in About.Reads; the whole object without any). It
// says whether there is one. The namespace is empty for what is not in one.
func Get(resource policy.GroupVersionResource, namespace, name string, fields []string, into any) (bool, error) {
	text, err := get(resource, namespace, name, fields)
	if err != nil || text == nil {
		return false, told(resource, err)
	}
	return true, told(resource, json.Unmarshal(text, into))
}

// List reads the objects of a namespace, or of all when it is empty, that fit a label selector (app=web,tier!=db, or
// empty), by namespace and name.
func List[Object any](resource policy.GroupVersionResource, namespace, selector string, fields []string) ([]Object, error) {
	texts, err := list(resource, namespace, selector, fields)
	if err != nil {
		return nil, told(resource, err)
	}
	objects := make([]Object, len(texts))
	for n, text := range texts {
		if err := json.Unmarshal(text, &objects[n]); err != nil {
			return nil, told(resource, err)
		}
	}
	return objects, nil
}

// Reasons for which there is no answer, to be found by errors.Is.
var (
	// ErrForbidden says that the binding does not reach this far.
	ErrForbidden = errors.New("forbidden")
	// ErrUnknownResource says that the server does not serve such a resource.
	ErrUnknownResource = errors.New("there is no such resource")
	// ErrInvalid says that the question makes no sense.
	ErrInvalid = errors.New("invalid")
	// ErrTooMuch says that the call asked more often, or for more, than a call may.
	ErrTooMuch = errors.New("a call may ask 64 times and read 8 MiB in all")
	// ErrUnavailable says that the server cannot answer now.
	ErrUnavailable = errors.New("unavailable")
)

func told(resource policy.GroupVersionResource, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read %s: %w", resource.Resource, err)
}
