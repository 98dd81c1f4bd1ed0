//go:build !wasip1

package log

import "fmt"

// write prints outside of a component.
func write(_ uint32, message string) { fmt.Println(message) }
