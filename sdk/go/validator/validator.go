// Package validator serves a policy that judges.
package validator

import "gatehouse.dev/policy"

// Serve makes this program the component of a policy. Call it in init: main never runs.
func Serve[Settings, Object any](validator policy.Validator[Settings, Object]) {
	serve(validator.Guest())
}
