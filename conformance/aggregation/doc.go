// Package aggregation has Gatehouse pass requests on to extension servers: one made as they usually are, of
// k8s.io/apiserver, and one that answers whatever a test says.
package aggregation
