//go:build wasip1

package cluster

import (
	"fmt"
	"unsafe"

	"gatehouse.dev/policy"
	"gatehouse.dev/policy/internal/abi"
)

// answerBytes is the size of both results.
const answerBytes = 16

//go:wasmimport gatehouse:policy/cluster@1.0.0 get
func hostGet(group, groupLength, version, versionLength, resource, resourceLength, namespace, namespaceLength, name, nameLength, fields, fieldsLength uint32, answer unsafe.Pointer)

//go:wasmimport gatehouse:policy/cluster@1.0.0 list
func hostList(group, groupLength, version, versionLength, resource, resourceLength, namespace, namespaceLength, selector, selectorLength, fields, fieldsLength uint32, answer unsafe.Pointer)

type question func(group, groupLength, version, versionLength, resource, resourceLength, namespace, namespaceLength, selected, selectedLength, fields, fieldsLength uint32, answer unsafe.Pointer)

// ask calls the host and reads whether it has an answer; what follows is that.
func ask(call question, of policy.GroupVersionResource, namespace, selected string, fields []string) (*abi.Reader, error) {
	w := new(abi.Writer)
	for _, text := range []string{of.Group, of.Version, of.Resource, namespace, selected} {
		w.String(text)
	}
	w.Strings(fields)
	p := abi.Read(w.Done())
	answer := unsafe.Pointer(&abi.Room(answerBytes)[0])
	call(p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), p.Word(), answer)
	r := abi.Read(answer)
	failed := r.Byte() == 1
	r.Align(4)
	if failed {
		return nil, readError(r)
	}
	return r, nil
}

func get(of policy.GroupVersionResource, namespace, name string, fields []string) ([]byte, error) {
	r, err := ask(hostGet, of, namespace, name, fields)
	if err != nil {
		return nil, err
	}
	return r.Option(), nil
}

func list(of policy.GroupVersionResource, namespace, selector string, fields []string) ([][]byte, error) {
	r, err := ask(hostList, of, namespace, selector, fields)
	if err != nil {
		return nil, err
	}
	return abi.List(r, (*abi.Reader).Bytes), nil
}

func readError(r *abi.Reader) error {
	switch which := r.Byte(); which {
	case 1:
		return ErrUnknownResource
	case 3:
		return ErrTooMuch
	default:
		reasons := map[uint8]error{0: ErrForbidden, 2: ErrInvalid, 4: ErrUnavailable}
		return fmt.Errorf("%w: %s", reasons[which], r.String())
	}
}
