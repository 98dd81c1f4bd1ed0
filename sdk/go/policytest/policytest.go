// Package policytest runs a policy's cases in go test, where a debugger can look at it. The same files run in wasm by gatehouse
// policy test, which also checks what the server checks: the settings' schema, the fields read and written, and that a mutator
// leaves its own work alone. Cases that need the server around a policy are skipped here.
package policytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse.dev/policy"
	"gatehouse.dev/policy/internal/native"
)

// Cases runs the cases of the policy in the current folder, which this program serves by validator.Serve or mutator.Serve in
// init. It reads them by the program gatehouse, or by what the variable GATEHOUSE names. No case at all is a failure.
func Cases(t *testing.T) {
	t.Helper()
	if native.Served == nil {
		t.Fatal("this package serves no policy: validator.Serve or mutator.Serve in init does")
	}
	all, err := read()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		t.Run(one.Name, func(t *testing.T) {
			if one.WasmAlone != "" {
				t.Skip(one.WasmAlone)
			}
			native.Asked = false
			err := one.judge(native.Served)
			if err != nil && native.Asked {
				t.Skip("who answers what a policy asks is there in wasm alone")
			}
			if err != nil {
				t.Errorf("%s: %v", one.File, err)
			}
		})
	}
}

type aCase struct {
	File, Name  string
	Settings    json.RawMessage
	Request     request
	Object, Old json.RawMessage
	Params      json.RawMessage
	Expect      expectation
	WasmAlone   string
}

// request is one in the words of the contract.
type request struct {
	UID  string
	Time struct{ Seconds, Nanoseconds int64 }
	User *struct {
		Name, UID string
		Groups    []string
	}
	Operation, Origin            string
	Kind                         policy.GroupVersionKind
	Resource                     policy.GroupVersionResource
	Subresource, Namespace, Name string
	DryRun                       bool
	Options                      json.RawMessage
}

type expectation struct {
	Allowed    *bool
	Violations []struct {
		Rule, Field *string
		Message     string
		Code        *string
	}
	Warnings  []string
	Object    json.RawMessage
	Unchanged bool
	Error     string
}

func read() ([]aCase, error) {
	program := os.Getenv("GATEHOUSE")
	if program == "" {
		program = "gatehouse"
	}
	var said bytes.Buffer
	command := exec.Command(program, "policy", "cases", ".")
	command.Stderr = &said
	out, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%w; put the program on the path, or name it by the variable GATEHOUSE", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", command, err, said.String())
	}
	var all struct{ Cases []aCase }
	return all.Cases, json.Unmarshal(out, &all)
}

func (c *aCase) judge(guest *policy.Guest) error {
	if problems := guest.Configure(c.Settings); len(problems) > 0 {
		return fmt.Errorf("the settings are refused: %v", problems)
	}
	call := &policy.Call{Request: c.Request.request(), Object: present(c.Object), Old: present(c.Old), Params: present(c.Params)}
	if guest.Validate != nil {
		verdict, err := guest.Validate(call)
		if done, why := c.failed(err); done {
			return why
		}
		return errors.Join(c.Expect.verdict(verdict), c.Expect.warned(verdict.Warnings))
	}
	patch, err := guest.Mutate(call)
	if done, why := c.failed(err); done {
		return why
	}
	return errors.Join(c.mutated(patch), c.Expect.warned(patch.Warnings()))
}

// failed says whether nothing more is to be looked at, because the policy could not judge or should not have been able to.
func (c *aCase) failed(err error) (bool, error) {
	wanted := c.Expect.Error
	switch {
	case err == nil && wanted == "":
		return false, nil
	case err == nil:
		return true, fmt.Errorf("it judges, but should fail with %q", wanted)
	case wanted == "" || !strings.Contains(err.Error(), wanted):
		return true, fmt.Errorf("it could not judge: %w", err)
	default:
		return true, nil
	}
}

func (e *expectation) verdict(verdict *policy.Verdict) error {
	if e.Allowed == nil {
		return errors.New("the case does not say expect.allowed")
	}
	if *e.Allowed != (len(verdict.Violations) == 0) {
		return fmt.Errorf("expected allowed: %v, but the violations are %v", *e.Allowed, verdict.Violations)
	}
	for _, wanted := range e.Violations {
		found := false
		for _, got := range verdict.Violations {
			found = found || (wanted.Rule == nil || *wanted.Rule == got.Rule) && (wanted.Field == nil || *wanted.Field == got.Field) &&
				strings.Contains(got.Message, wanted.Message) && (wanted.Code == nil || *wanted.Code == got.Code)
		}
		if !found {
			text, _ := json.Marshal(wanted)
			return fmt.Errorf("expected %s, but the violations are %v", text, verdict.Violations)
		}
	}
	return nil
}

func (e *expectation) warned(warnings []string) error {
	for _, wanted := range e.Warnings {
		if !strings.Contains(strings.Join(warnings, "\n"), wanted) {
			return fmt.Errorf("expected the warning %q, got %q", wanted, warnings)
		}
	}
	return nil
}

func (c *aCase) mutated(patch *policy.Patch) error {
	wanted := c.Expect.Object
	if c.Expect.Unchanged {
		wanted = c.Object
	}
	if present(wanted) == nil {
		return errors.New("the case says neither expect.object nor expect.unchanged")
	}
	var object any
	if err := json.Unmarshal(wanted, &object); err != nil {
		return err
	}
	if !reflect.DeepEqual(object, patch.Object()) {
		got, _ := json.Marshal(patch.Object())
		return fmt.Errorf("expected %s\n but got %s", wanted, got)
	}
	return nil
}

func (r *request) request() policy.Request {
	made := policy.Request{
		UID: r.UID, Time: time.Unix(r.Time.Seconds, r.Time.Nanoseconds).UTC(), Operation: strings.ToUpper(r.Operation),
		IsScan: r.Origin == "scan", Kind: r.Kind, Resource: r.Resource, Subresource: r.Subresource, Namespace: r.Namespace,
		Name: r.Name, DryRun: r.DryRun, Options: r.Options,
	}
	if r.User != nil {
		made.User = &policy.User{Name: r.User.Name, UID: r.User.UID, Groups: r.User.Groups, Extra: map[string][]string{}}
	}
	return made
}

// present is nil where there is nothing, as a call has it.
func present(text json.RawMessage) []byte {
	if string(text) == "null" {
		return nil
	}
	return text
}
