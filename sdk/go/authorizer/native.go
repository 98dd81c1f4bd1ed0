//go:build !wasip1

package authorizer

import (
	"errors"

	"gatehouse.dev/policy/internal/native"
)

// Outside of a component there is nobody to ask.
func check([]string, Attributes) (Decision, error) {
	native.Asked = true
	return Decision{}, errors.New("there is no authorizer here")
}
