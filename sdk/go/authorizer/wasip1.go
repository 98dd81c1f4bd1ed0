//go:build wasip1

package authorizer

import (
	"errors"
	"unsafe"

	"gatehouse.dev/policy/internal/abi"
)

// answerBytes is the size of the result.
const answerBytes = 16

//go:wasmimport gatehouse:policy/authorizer@1.0.0 check
func hostCheck(arguments, answer unsafe.Pointer)

// check asks about a service account by its namespace and name, or about the requester.
func check(account []string, what Attributes) (Decision, error) {
	w := new(abi.Writer)
	w.Bool(account != nil)
	if account == nil {
		account = []string{"", ""}
	}
	for _, text := range append(account, what.Verb, what.Group, what.Resource, what.Subresource, what.Namespace, what.Name) {
		w.String(text)
	}
	answer := unsafe.Pointer(&abi.Room(answerBytes)[0])
	hostCheck(w.Done(), answer)
	r := abi.Read(answer)
	failed := r.Byte() == 1
	r.Align(4)
	if failed {
		return Decision{}, errors.New(r.String())
	}
	return Decision{Allowed: r.Byte() == 1, Reason: r.String()}, nil
}
