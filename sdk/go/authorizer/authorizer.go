// Package authorizer asks what somebody may do, as a SubjectAccessReview does. It needs the grant authorizer.
package authorizer

// Attributes are what is to be done. Resource is the plural; empty fields are left open as in kubectl auth can-i.
type Attributes struct{ Verb, Group, Resource, Subresource, Namespace, Name string }

// Decision is the answer.
type Decision struct {
	Allowed bool
	// Reason says why, where the server says so.
	Reason string
}

// Requester asks about whoever makes the request. In a scan there is none, which is an error.
func Requester(what Attributes) (Decision, error) { return check(nil, what) }

// ServiceAccount asks about a service account.
func ServiceAccount(namespace, name string, what Attributes) (Decision, error) {
	return check([]string{namespace, name}, what)
}
