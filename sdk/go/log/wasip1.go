//go:build wasip1

package log

import "gatehouse.dev/policy/internal/abi"

//go:wasmimport gatehouse:policy/log@1.0.0 write
func hostWrite(level, message, length uint32)

func write(level uint32, message string) {
	hostWrite(level, abi.Address([]byte(message)), uint32(len(message)))
}
