//go:build wasip1

package mutator

import (
	"unsafe"

	"gatehouse.dev/policy"
	"gatehouse.dev/policy/internal/abi"
)

var served policy.Guest

func serve(guest policy.Guest) { served = guest }

//go:wasmexport gatehouse:policy/mutation@1.0.0#describe
func describe() unsafe.Pointer { return abi.Describe(&served) }

//go:wasmexport gatehouse:policy/mutation@1.0.0#configure
func configure(settings unsafe.Pointer, length uint32) unsafe.Pointer {
	return abi.Configure(&served, settings, length)
}

//go:wasmexport gatehouse:policy/mutation@1.0.0#mutate
func mutate(arguments unsafe.Pointer) unsafe.Pointer { return abi.Mutate(&served, arguments) }
