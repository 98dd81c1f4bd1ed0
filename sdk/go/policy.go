// Package policy is for those who write admission policies for Gatehouse in Go: what a policy says of itself, what it is
// asked, and what it answers. Package validator or mutator serves one; cluster, authorizer and log are abilities that a
// binding grants.
package policy

import (
	"encoding/json"
	"time"
)

// About is what a policy says of itself.
type About struct {
	// Name is in lower case with dashes.
	Name string
	// Version is that of the policy, such as 1.2.0.
	Version string
	// Description is a sentence or two for people.
	Description string
	// Reads names the fields that the policy reads, such as metadata.labels or spec.containers[*].image. The server hands
	// over only these (with apiVersion and kind), which is what makes a call cheap. Empty means the whole object.
	Reads []string
	// Writes names the fields that a mutator may change; the server refuses a patch that touches any other.
	Writes []string
	// Rules are what it demands.
	Rules []Rule
	// ReadsRequest names what the policy reads of the request beyond where the write goes; the server leaves the rest empty.
	// Nil means EveryPart. A policy that reads neither RequestUID nor RequestTime and asks for no ability is not called again when it is
	// shown the same.
	ReadsRequest []RequestPart
	// NeedsUser says that there is nothing to judge without a user: a scan of what is stored then says so and does not ask.
	NeedsUser bool
}

// RequestPart is a part of a Request that is shown to those policies alone that read it.
type RequestPart uint8

// The parts, in the order of the contract.
const (
	RequestUID RequestPart = iota
	RequestTime
	RequestUser
	RequestOrigin
	RequestName
	RequestDryRun
	RequestOptions
)

// EveryPart is what a policy reads of the request that does not say.
var EveryPart = []RequestPart{RequestUID, RequestTime, RequestUser, RequestOrigin, RequestName, RequestDryRun, RequestOptions}

// Rule is one demand, for people who read about it.
type Rule struct {
	// Name is short and stays: people search for it.
	Name string
	// Description says what is demanded.
	Description string
}

// Validator says whether an object may be stored.
type Validator[Settings, Object any] struct {
	// About says what it is.
	About About
	// Check adds what a schema cannot say of settings; field is relative to the settings. Nothing to check when nil.
	Check func(settings *Settings, problems *Verdict)
	// Validate adds to the verdict whatever is wrong. An error means that the policy could not judge, which is the
	// binding's failurePolicy and not a refusal.
	Validate func(settings *Settings, review *Review[Object], verdict *Verdict) error
}

// Mutator changes an object before it is judged and stored.
type Mutator[Settings, Object any] struct {
	// About says what it is.
	About About
	// Check adds what a schema cannot say of settings; field is relative to the settings. Nothing to check when nil.
	Check func(settings *Settings, problems *Verdict)
	// Mutate adds to the patch whatever is to change, and nothing when it is asked about its own work: the server may ask
	// again after other mutators. An error means that the policy could not judge.
	Mutate func(settings *Settings, review *Review[Object], patch *Patch) error
}

// NoSettings are those of a policy that has none; a binding that sets something is refused.
type NoSettings struct{}

// Review is one write to the API.
type Review[Object any] struct {
	// Request says who wants what.
	Request Request
	// Object is as it would be stored; nil on a delete.
	Object *Object
	// Old is as it is stored now; nil on a create.
	Old *Object
	// Params is the object that the binding names under paramRef, as it is now; nil where it names none.
	Params json.RawMessage
}

// Request says who wants what.
type Request struct {
	// UID identifies the request; the audit id.
	UID string
	// Time is when it arrived; time.Now stands there too.
	Time time.Time
	// User is who asks, after impersonation; nil in a scan of what is stored.
	User *User
	// Operation is CREATE, UPDATE, DELETE or CONNECT.
	Operation string
	// IsScan says that nobody writes: an object that is stored already is judged.
	IsScan bool
	// Kind is that of the object in the request: Scale for deployments/scale.
	Kind GroupVersionKind
	// Resource is the one that is written.
	Resource GroupVersionResource
	// Subresource is empty for the resource itself.
	Subresource string
	// Namespace is empty for what is not in one.
	Namespace string
	// Name is empty on a create with generateName.
	Name string
	// DryRun says that nothing will be stored.
	DryRun bool
	// Options are CreateOptions, UpdateOptions or DeleteOptions, or null.
	Options json.RawMessage
}

// User is who asks.
type User struct {
	Name   string
	UID    string
	Groups []string
	// Extra holds further facts by key.
	Extra map[string][]string
}

// GroupVersionKind is a kind in a version of a group; the core group is the empty string.
type GroupVersionKind struct{ Group, Version, Kind string }

// GroupVersionResource is a resource in a version of a group, by its plural.
type GroupVersionResource struct{ Group, Version, Resource string }
