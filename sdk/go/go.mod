module gatehouse.dev/policy

go 1.24
