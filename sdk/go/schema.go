package policy

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Schema is the JSON schema of a struct of settings: fields by their json tags, required unless they are pointers or
// omitempty, described by the tag description, and nothing else allowed.
func Schema[Settings any]() string {
	schema, err := json.Marshal(schemaOf(reflect.TypeFor[Settings]()))
	if err != nil {
		// Maps, lists and texts always marshal.
		return ""
	}
	return string(schema)
}

func schemaOf(of reflect.Type) map[string]any {
	switch of.Kind() {
	case reflect.Pointer:
		return schemaOf(of.Elem())
	case reflect.Struct:
		return object(of)
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": schemaOf(of.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(of.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Interface:
		return map[string]any{}
	default:
		return map[string]any{"type": "integer"}
	}
}

func object(of reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for n := range of.NumField() {
		field := of.Field(n)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = field.Name
		}
		property := schemaOf(field.Type)
		if description := field.Tag.Get("description"); description != "" {
			property["description"] = description
		}
		properties[name] = property
		if field.Type.Kind() != reflect.Pointer && !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
