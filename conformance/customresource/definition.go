package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Definition is one line: what is changed about the base definition, and what upstream says.
type Definition struct {
	Do  string          `json:"do"`
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new"`
	// Errors and warnings as upstream words them, the errors in its order.
	Errors   []string `json:"errors,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Made is a merge patch from the new object to what would be stored; only where there are no errors.
	Made json.RawMessage `json:"made,omitempty"`
	// Any says that upstream's order of errors changes from time to time.
	Any bool `json:"any,omitempty"`
}

var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme)
)

func init() {
	install.Install(scheme)
}

func askDefinition(folder string, line []byte) (any, error) {
	var asked Definition
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	base, err := os.ReadFile(filepath.Join(folder, "base.json"))
	if err != nil {
		return nil, err
	}
	var said, warned [][]string
	for range rounds {
		asked.Errors, asked.Warnings, asked.Made = nil, nil, nil
		if err := asked.ask(base); err != nil {
			return nil, err
		}
		said, warned = append(said, asked.Errors), append(warned, asked.Warnings)
	}
	asked.Errors, asked.Any = settle(said, asked.Any)
	asked.Warnings, _ = settle(warned, false)
	return asked, nil
}

func (asked *Definition) ask(base []byte) error {
	text, err := jsonpatch.MergePatch(base, asked.New)
	if err != nil {
		return err
	}
	object, err := decode(text)
	if err != nil {
		return err
	}
	ctx := context.Background()
	strategy := customresourcedefinition.NewStrategy(scheme)
	var errs field.ErrorList
	if asked.Do == "create" {
		strategy.PrepareForCreate(ctx, object)
		errs = strategy.Validate(ctx, object)
		asked.Warnings = strategy.WarningsOnCreate(ctx, object)
	} else {
		before, err := jsonpatch.MergePatch(base, asked.Old)
		if err != nil {
			return err
		}
		old, err := decode(before)
		if err != nil {
			return err
		}
		if asked.Do == "status" {
			status := customresourcedefinition.NewStatusStrategy(scheme)
			status.PrepareForUpdate(ctx, object, old)
			errs = status.ValidateUpdate(ctx, object, old)
		} else {
			strategy.PrepareForUpdate(ctx, object, old)
			errs = strategy.ValidateUpdate(ctx, object, old)
			asked.Warnings = strategy.WarningsOnUpdate(ctx, object, old)
		}
	}
	for _, err := range errs {
		asked.Errors = append(asked.Errors, err.Error())
	}
	if len(errs) > 0 {
		return nil
	}
	stored, err := runtime.Encode(codecs.LegacyCodec(apiextensionsv1.SchemeGroupVersion), object)
	if err != nil {
		return err
	}
	asked.Made, err = jsonpatch.CreateMergePatch(text, stored)
	return err
}

func decode(text []byte) (*apiextensions.CustomResourceDefinition, error) {
	object, _, err := codecs.UniversalDecoder().Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	definition := object.(*apiextensions.CustomResourceDefinition)
	definition.UID, definition.ResourceVersion = "u1", "1"
	return definition, nil
}
