// Package mutator serves a policy that changes.
package mutator

import "gatehouse.dev/policy"

// Serve makes this program the component of a policy. Call it in init: main never runs.
func Serve[Settings, Object any](mutator policy.Mutator[Settings, Object]) {
	serve(mutator.Guest())
}
