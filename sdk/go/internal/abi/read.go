//go:build wasip1

// Package abi reads and writes values of the contract (wit/) in the layout of the component model's canonical ABI: fields
// one after the other, each aligned to its size; strings and lists as address and length.
package abi

import (
	"time"
	"unsafe"

	"gatehouse.dev/policy"
)

// Reader goes through a record in memory, field by field.
type Reader struct{ at uintptr }

// Read begins at an address that the host or the runtime gave.
func Read(from unsafe.Pointer) *Reader { return &Reader{uintptr(from)} }

// Align steps to a multiple of a size: what follows the case of a variant is aligned to four bytes here.
func (r *Reader) Align(size uintptr) { r.at = (r.at + size - 1) &^ (size - 1) }

// next is the address of the next field of this size, and steps over it.
func (r *Reader) next(size uintptr) unsafe.Pointer {
	r.Align(size)
	at := r.at
	r.at += size
	return unsafe.Pointer(at) //nolint:govet // Memory of the guest never moves.
}

// Byte reads what has one: a bool, an enum, the case of a variant.
func (r *Reader) Byte() uint8 { return *(*uint8)(r.next(1)) }

// Word reads a length, an address, or an u32.
func (r *Reader) Word() uint32 { return *(*uint32)(r.next(4)) }

func (r *Reader) long() int64 { return *(*int64)(r.next(8)) }

// Bytes reads a list of bytes. They stay the host's: valid for the call, which is as long as an instance lives.
func (r *Reader) Bytes() []byte {
	at, length := r.Word(), r.Word()
	if length == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(at))), length)
}

// String reads a string.
func (r *Reader) String() string { return string(r.Bytes()) }

// List reads a list whose items are aligned to four bytes and read by a function.
func List[T any](r *Reader, item func(*Reader) T) []T {
	at, length := r.Word(), r.Word()
	items := make([]T, length)
	inside := &Reader{uintptr(at)}
	for n := range items {
		items[n] = item(inside)
	}
	return items
}

// Option reads what may be absent, which then is nil.
func (r *Reader) Option() []byte {
	there := r.Byte()
	if bytes := r.Bytes(); there == 1 {
		return bytes
	}
	return nil
}

// userBytes is the size of the record user: two strings and two lists.
const userBytes = 32

var operations = [...]string{"CREATE", "UPDATE", "DELETE", "CONNECT"}

// Request reads the record of that name.
func (r *Reader) Request() policy.Request {
	request := policy.Request{UID: r.String()}
	seconds, nanoseconds := r.long(), r.Word()
	request.Time = time.Unix(seconds, int64(nanoseconds)).UTC()
	r.Align(8)
	request.User = r.user()
	request.Operation = operations[r.Byte()]
	request.IsScan = r.Byte() == 1
	request.Kind = policy.GroupVersionKind{Group: r.String(), Version: r.String(), Kind: r.String()}
	request.Resource = policy.GroupVersionResource{Group: r.String(), Version: r.String(), Resource: r.String()}
	request.Subresource, request.Namespace, request.Name = r.String(), r.String(), r.String()
	request.DryRun = r.Byte() == 1
	request.Options = r.Bytes()
	r.Align(8)
	return request
}

// user reads one that may be absent.
func (r *Reader) user() *policy.User {
	there := r.Byte() == 1
	r.Align(4)
	record := &Reader{r.at}
	r.at += userBytes
	if !there {
		return nil
	}
	user := &policy.User{Name: record.String(), UID: record.String(), Groups: List(record, (*Reader).String)}
	user.Extra = map[string][]string{}
	List(record, func(item *Reader) struct{} {
		key := item.String()
		user.Extra[key] = List(item, (*Reader).String)
		return struct{}{}
	})
	return user
}
