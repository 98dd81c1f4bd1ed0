//go:build wasip1

package abi

import (
	"encoding/binary"
	"unsafe"

	"gatehouse.dev/policy"
)

// kept holds what the host still reads, so that it is not collected. An instance serves one call and is gone.
var kept [][]byte

// Address is where bytes lie; they stay there.
func Address(bytes []byte) uint32 {
	if len(bytes) == 0 {
		return 0
	}
	kept = append(kept, bytes)
	return uint32(uintptr(unsafe.Pointer(&bytes[0])))
}

// Room is memory that begins at a multiple of eight.
func Room(size uint32) []byte {
	words := make([]uint64, (size+7)/8+1)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size+1)[:size]
}

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, _, size uint32) unsafe.Pointer {
	room := Room(size + 1)
	copy(room, unsafe.Slice((*byte)(old), oldSize))
	return unsafe.Pointer(uintptr(Address(room)))
}

// Writer puts a record together, field by field.
type Writer struct{ bytes []byte }

func (w *Writer) align(size int) {
	for len(w.bytes)%size != 0 {
		w.bytes = append(w.bytes, 0)
	}
}

// Byte writes what has one: a bool, an enum, the case of a variant. What follows a case is aligned to four bytes.
func (w *Writer) Byte(value uint8) { w.bytes = append(w.bytes, value) }

// Bool writes a truth.
func (w *Writer) Bool(value bool) {
	if value {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Word writes a length, an address, or an u32.
func (w *Writer) Word(value uint32) {
	w.align(4)
	w.bytes = binary.LittleEndian.AppendUint32(w.bytes, value)
}

// Bytes writes a list of bytes.
func (w *Writer) Bytes(bytes []byte) {
	w.Word(Address(bytes))
	w.Word(uint32(len(bytes)))
}

// String writes a string.
func (w *Writer) String(text string) { w.Bytes([]byte(text)) }

// Option writes what may be absent, which is nil.
func (w *Writer) Option(bytes []byte) {
	w.align(4)
	w.Bool(bytes != nil)
	w.Bytes(bytes)
}

// Done is where the record lies.
func (w *Writer) Done() unsafe.Pointer {
	w.align(4)
	record := Room(uint32(len(w.bytes)))
	copy(record, w.bytes)
	return unsafe.Pointer(uintptr(Address(record)))
}

// WriteList writes a list whose items are written by a function.
func WriteList[T any](w *Writer, items []T, item func(*Writer, T)) {
	inside := new(Writer)
	for _, one := range items {
		item(inside, one)
		inside.align(4)
	}
	// An array of bytes begins wherever it likes; a record does not.
	records := Room(uint32(len(inside.bytes)))
	copy(records, inside.bytes)
	w.Word(Address(records))
	w.Word(uint32(len(items)))
}

// Strings writes a list of strings.
func (w *Writer) Strings(texts []string) { WriteList(w, texts, (*Writer).String) }

func (w *Writer) violations(violations []policy.Violation) {
	WriteList(w, violations, func(w *Writer, violation policy.Violation) {
		w.String(violation.Rule)
		w.String(violation.Message)
		w.String(violation.Field)
		code := []byte(violation.Code)
		if violation.Code == "" {
			code = nil
		}
		w.Option(code)
	})
}
