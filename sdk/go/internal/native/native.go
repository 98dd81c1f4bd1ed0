// Package native holds the policy that a program serves outside of a component, where its tests find it.
package native

import "gatehouse.dev/policy"

// Served is the policy; nil when none is served.
var Served *policy.Guest

// Asked says that the policy asked what only a server answers, since somebody set it to false.
var Asked bool
