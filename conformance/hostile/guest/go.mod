module hostile

go 1.24

require gatehouse.dev/policy v0.0.0

replace gatehouse.dev/policy => ../../../sdk/go
