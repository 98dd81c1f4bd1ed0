package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/warning"
)

// Object is one line: an object, maybe what it replaces, the schema both have, and what upstream makes of it.
type Object struct {
	// Schema is a name in schemas.json, or a schema.
	Schema json.RawMessage `json:"schema"`
	// Status says that only the status is written.
	Status bool            `json:"status,omitempty"`
	Old    json.RawMessage `json:"old,omitempty"`
	New    json.RawMessage `json:"new"`
	// Unknown are the paths of what is pruned.
	Unknown []string `json:"unknown,omitempty"`
	// Made is the object after pruning and defaulting.
	Made     json.RawMessage `json:"made"`
	Errors   []string        `json:"errors,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	// Any says that upstream's order of errors changes from time to time.
	Any bool `json:"any,omitempty"`
}

var kind = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}

func askObject(folder string, line []byte) (any, error) {
	var asked Object
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	props, err := schemaOf(folder, asked.Schema)
	if err != nil {
		return nil, err
	}
	var said, warned [][]string
	for range rounds {
		asked.Unknown, asked.Errors, asked.Warnings = nil, nil, nil
		if err := asked.ask(props); err != nil {
			return nil, err
		}
		said, warned = append(said, asked.Errors), append(warned, asked.Warnings)
	}
	asked.Errors, asked.Any = settle(said, asked.Any)
	asked.Warnings, _ = settle(warned, false)
	return asked, nil
}

func schemaOf(folder string, raw json.RawMessage) (*apiextensions.JSONSchemaProps, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		text, err := os.ReadFile(filepath.Join(folder, "schemas.json"))
		if err != nil {
			return nil, err
		}
		named := map[string]json.RawMessage{}
		if err := json.Unmarshal(text, &named); err != nil {
			return nil, err
		}
		known := false
		if raw, known = named[name]; !known {
			return nil, fmt.Errorf("no schema %q", name)
		}
	}
	written, internal := &apiextensionsv1.JSONSchemaProps{}, &apiextensions.JSONSchemaProps{}
	if err := json.Unmarshal(raw, written); err != nil {
		return nil, err
	}
	return internal, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(written, internal, nil)
}

// recorder collects warnings.
type recorder struct{ texts []string }

func (r *recorder) AddWarning(_, text string) { r.texts = append(r.texts, text) }

func (asked *Object) ask(props *apiextensions.JSONSchemaProps) error {
	structural, err := structuralschema.NewStructural(props)
	if err != nil {
		return err
	}
	validator, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		return err
	}
	var statusValidator validation.SchemaValidator
	if status, known := props.Properties["status"]; known {
		if statusValidator, _, err = validation.NewSchemaValidator(&status); err != nil {
			return err
		}
	}
	strategy := customresource.NewStrategy(nil, true, kind, validator, statusValidator, structural, nil, nil, nil)
	object, err := prepared(asked.New, structural, &asked.Unknown)
	if err != nil {
		return err
	}
	if asked.Made, err = json.Marshal(object.Object); err != nil {
		return err
	}
	var told recorder
	ctx := warning.WithWarningRecorder(context.Background(), &told)
	var errs field.ErrorList
	if asked.Old == nil {
		errs = strategy.Validate(ctx, object)
	} else {
		old, err := prepared(asked.Old, structural, nil)
		if err != nil {
			return err
		}
		if asked.Status {
			errs = customresource.NewStatusStrategy(strategy).ValidateUpdate(ctx, object, old)
		} else {
			errs = strategy.ValidateUpdate(ctx, object, old)
		}
	}
	for _, err := range errs {
		asked.Errors = append(asked.Errors, err.Error())
	}
	asked.Warnings = told.texts
	return nil
}

// prepared reads an object as a request's body is read.
func prepared(raw json.RawMessage, structural *structuralschema.Structural, unknown *[]string) (*unstructured.Unstructured, error) {
	content := map[string]any{}
	if err := utiljson.Unmarshal(raw, &content); err != nil {
		return nil, err
	}
	track := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: unknown != nil}
	paths := pruning.PruneWithOptions(content, structural, true, track)
	if unknown != nil {
		*unknown = paths
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(content, structural)
	defaulting.Default(content, structural)
	object := &unstructured.Unstructured{Object: content}
	object.SetAPIVersion(kind.GroupVersion().String())
	object.SetKind(kind.Kind)
	object.SetName("one")
	object.SetNamespace("default")
	object.SetResourceVersion("1")
	return object, nil
}
