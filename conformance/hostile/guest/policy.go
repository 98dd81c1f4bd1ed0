// A policy that does whatever harm a policy can try: which, its settings say.
package main

import (
	"strings"

	"gatehouse.dev/policy"
	"gatehouse.dev/policy/cluster"
	"gatehouse.dev/policy/validator"
)

// Settings choose the harm.
type Settings struct {
	Attack string `json:"attack" description:"loop, recursion, memory, answer or questions."`
}

func init() {
	validator.Serve(policy.Validator[Settings, struct{}]{
		About: policy.About{
			Name:        "hostile",
			Version:     "0.1.0",
			Description: "Tries to harm the server that asks it.",
			Reads:       []string{"metadata.name"},
			Rules:       []policy.Rule{{Name: "answered", Description: "It was let answer."}},
		},
		Validate: validate,
	})
}

// kept is what would be garbage otherwise.
var kept [][]byte

func validate(settings *Settings, review *policy.Review[struct{}], verdict *policy.Verdict) error {
	switch settings.Attack {
	case "loop":
		for {
		}
	case "recursion":
		return deeper(0)
	case "memory":
		for {
			kept = append(kept, make([]byte, 1<<20))
		}
	case "answer":
		verdict.Violation("answered", "", strings.Repeat("x", 8<<20))
	case "questions":
		configMaps := policy.GroupVersionResource{Version: "v1", Resource: "configmaps"}
		for {
			var nothing any
			if _, err := cluster.Get(configMaps, "default", "nobody", nil, &nothing); err != nil {
				return err
			}
		}
	}
	return nil
}

func deeper(depth int) error {
	var frame [64]byte
	frame[depth%len(frame)] = byte(depth)
	if err := deeper(depth + int(frame[depth%len(frame)]) + 1); err != nil {
		return err
	}
	return nil
}

func main() {}
