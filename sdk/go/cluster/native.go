//go:build !wasip1

package cluster

import (
	"gatehouse.dev/policy"
	"gatehouse.dev/policy/internal/native"
)

// Outside of a component there is no cluster.
func get(policy.GroupVersionResource, string, string, []string) ([]byte, error) {
	native.Asked = true
	return nil, ErrUnavailable
}

func list(policy.GroupVersionResource, string, string, []string) ([][]byte, error) {
	native.Asked = true
	return nil, ErrUnavailable
}
