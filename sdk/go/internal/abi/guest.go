//go:build wasip1

package abi

import (
	"time"
	"unsafe"

	"gatehouse.dev/policy"
)

// Describe answers describe.
func Describe(guest *policy.Guest) unsafe.Pointer {
	about, w := &guest.About, new(Writer)
	w.String(about.Name)
	w.String(about.Version)
	w.String(about.Description)
	w.String(guest.Schema())
	w.Strings(about.Reads)
	w.Strings(about.Writes)
	WriteList(w, about.Rules, func(w *Writer, rule policy.Rule) {
		w.String(rule.Name)
		w.String(rule.Description)
	})
	w.Bytes(parts(about))
	w.Bool(about.NeedsUser)
	return w.Done()
}

// parts are those of a request that the policy reads, by their numbers.
func parts(about *policy.About) []byte {
	reads := about.ReadsRequest
	if reads == nil {
		reads = policy.EveryPart
	}
	numbers := make([]byte, len(reads))
	for n, part := range reads {
		numbers[n] = byte(part)
	}
	return numbers
}

// Configure answers configure: nothing, or what is wrong with the settings. Every call begins with it.
func Configure(guest *policy.Guest, settings unsafe.Pointer, length uint32) unsafe.Pointer {
	// The host must have told the time before it has memory allocated for more than settings: the garbage collector asks for it
	// and cannot be answered then.
	_ = time.Now()
	problems, w := guest.Configure(unsafe.Slice((*byte)(settings), length)), new(Writer)
	w.Bool(len(problems) > 0)
	w.violations(problems)
	return w.Done()
}

// Validate answers validate.
func Validate(guest *policy.Guest, arguments unsafe.Pointer) unsafe.Pointer {
	r, w := Read(arguments), new(Writer)
	call := &policy.Call{Request: r.Request(), Object: r.Option(), Old: r.Option(), Params: r.Option()}
	verdict, err := guest.Validate(call)
	if err != nil {
		return failed(w, err)
	}
	w.Byte(0)
	w.violations(verdict.Violations)
	w.Strings(verdict.Warnings)
	return w.Done()
}

// Mutate answers mutate.
func Mutate(guest *policy.Guest, arguments unsafe.Pointer) unsafe.Pointer {
	r, w := Read(arguments), new(Writer)
	call := &policy.Call{Request: r.Request(), Object: r.Bytes(), Old: r.Option(), Params: r.Option()}
	patch, err := guest.Mutate(call)
	if err != nil {
		return failed(w, err)
	}
	operations, err := patch.JSON()
	if err != nil {
		return failed(w, err)
	}
	w.Byte(0)
	w.Option(operations)
	w.Strings(patch.Warnings())
	return w.Done()
}

// failed says that the policy could not judge. The host reads no more of the record than it needs, but all of it is there.
func failed(w *Writer, err error) unsafe.Pointer {
	w.Byte(1)
	w.String(err.Error())
	for range 3 {
		w.Word(0)
	}
	return w.Done()
}
