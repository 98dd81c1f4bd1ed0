//go:build !wasip1

package validator

import "gatehouse.dev/policy"

// serve does nothing outside of a component, so that a policy's functions can be tested by go test.
func serve(policy.Guest) {}
