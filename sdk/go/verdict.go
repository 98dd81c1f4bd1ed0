package policy

// Violation is one thing that is wrong.
type Violation struct {
	// Rule is the name of the rule that is broken.
	Rule string
	// Message says what is wrong and what would be right, for the person who wrote the object.
	Message string
	// Field says where: spec.containers[0].image. Empty when it is about the whole object.
	Field string
	// Code is machine-readable, of the author's choice; none when empty.
	Code string
}

// Verdict is what is wrong with an object, as a policy collects it.
type Verdict struct {
	Violations []Violation
	// Warnings are shown to the caller although nothing is wrong.
	Warnings []string
}

// Violation says that a rule is broken: its name, the field, and what is wrong and would be right.
func (v *Verdict) Violation(rule, field, message string) *Verdict {
	v.Violations = append(v.Violations, Violation{Rule: rule, Field: field, Message: message})
	return v
}

// Warning tells the caller something although nothing is wrong.
func (v *Verdict) Warning(message string) *Verdict {
	v.Warnings = append(v.Warnings, message)
	return v
}
