//go:build !wasip1

package mutator

import (
	"gatehouse.dev/policy"
	"gatehouse.dev/policy/internal/native"
)

// serve keeps the policy for package policytest: outside of a component nobody asks it.
func serve(guest policy.Guest) { native.Served = &guest }
