// Package log writes lines to the server's log. It needs the grant log; lines past the host's limit are dropped.
package log

// Debug writes a line for those who look closely.
func Debug(message string) { write(0, message) }

// Info writes a line.
func Info(message string) { write(1, message) }

// Warn writes a line that somebody should read.
func Warn(message string) { write(2, message) }

// Error writes a line that somebody must read.
func Error(message string) { write(3, message) }
