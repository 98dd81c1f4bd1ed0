//go:build !wasip1

package cluster

import "gatehouse.dev/policy"

// Outside of a component there is no cluster.
func get(policy.GroupVersionResource, string, string, []string) ([]byte, error) {
	return nil, ErrUnavailable
}

func list(policy.GroupVersionResource, string, string, []string) ([][]byte, error) {
	return nil, ErrUnavailable
}
