package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Guest is a policy whose types are known no more: what packages validator and mutator serve.
type Guest struct {
	// About says what it is.
	About About
	// Schema is that of its settings.
	Schema func() string
	// Configure takes settings, or says what is wrong with them.
	Configure func(settings []byte) []Violation
	// Validate is there for validators.
	Validate func(call *Call) (*Verdict, error)
	// Mutate is there for mutators.
	Mutate func(call *Call) (*Patch, error)
}

// Call is one question as the server asks it, with JSON that nobody has read yet; nil is what is absent.
type Call struct {
	Request             Request
	Object, Old, Params []byte
}

// Guest forgets the types.
func (v Validator[Settings, Object]) Guest() Guest {
	guest, settings := guestOf[Settings, Object](v.About, v.Check)
	guest.Validate = func(call *Call) (verdict *Verdict, err error) {
		defer recovered(&err)
		review, err := reviewOf[Object](call)
		if err != nil {
			return nil, err
		}
		verdict = new(Verdict)
		return verdict, v.Validate(settings, review, verdict)
	}
	return guest
}

// Guest forgets the types.
func (m Mutator[Settings, Object]) Guest() Guest {
	guest, settings := guestOf[Settings, Object](m.About, m.Check)
	guest.Mutate = func(call *Call) (patch *Patch, err error) {
		defer recovered(&err)
		review, err := reviewOf[Object](call)
		if err != nil {
			return nil, err
		}
		if patch, err = PatchOf(call.Object); err != nil {
			return nil, fmt.Errorf("read the object: %w", err)
		}
		return patch, m.Mutate(settings, review, patch)
	}
	return guest
}

func guestOf[Settings, Object any](about About, check func(*Settings, *Verdict)) (Guest, *Settings) {
	known := map[reflect.Type]bool{}
	learn(reflect.TypeFor[Settings](), known)
	learn(reflect.TypeFor[Object](), known)
	settings := new(Settings)
	configure := func(text []byte) []Violation {
		problems := new(Verdict)
		// In a component there are none before; where cases run one after the other, those of another case are.
		var none Settings
		*settings = none
		if err := json.Unmarshal(text, settings); err != nil {
			problems.Violation("settings", fieldOf(err), err.Error())
		} else if check != nil {
			check(settings, problems)
		}
		return problems.Violations
	}
	return Guest{About: about, Schema: Schema[Settings], Configure: configure}, settings
}

// learn lets encoding/json look at types while the module starts, which is when it is built: what it finds out then, no call has
// to find out again.
func learn(of reflect.Type, known map[reflect.Type]bool) {
	if known[of] {
		return
	}
	known[of] = true
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		learn(of.Elem(), known)
	case reflect.Struct:
		_ = json.Unmarshal([]byte("{}"), reflect.New(of).Interface())
		for n := range of.NumField() {
			learn(of.Field(n).Type, known)
		}
	}
}

// fieldOf is where encoding/json found the wrong type.
func fieldOf(err error) string {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return wrong.Field
	}
	return ""
}

func reviewOf[Object any](call *Call) (*Review[Object], error) {
	review := &Review[Object]{Request: call.Request, Params: call.Params}
	for _, part := range []struct {
		text []byte
		into **Object
	}{{call.Object, &review.Object}, {call.Old, &review.Old}} {
		if part.text == nil {
			continue
		}
		*part.into = new(Object)
		if err := json.Unmarshal(part.text, *part.into); err != nil {
			return nil, fmt.Errorf("the object has not the form it should have: %w", err)
		}
	}
	return review, nil
}

// recovered makes an error of a panic: the server then says what went wrong, and not only that something did.
func recovered(err *error) {
	if why := recover(); why != nil {
		*err = fmt.Errorf("panic: %v", why)
	}
}
