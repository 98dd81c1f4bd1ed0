package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"gatehouse.dev/conformance/peer"
)

// declared collects the rules that upstream's types carry as tags, as its generated validation functions apply them. The
// generated files are read as syntax: what is recorded are the names of the checks, their arguments and their order.
type declared struct {
	types     map[string][]string
	constants map[string]map[string]string
	problem   error
}

// source is one generated file.
type source struct {
	*declared
	label   string            // `resource/v1`
	imports map[string]string // alias: import path
	vars    map[string]ast.Expr
}

// declarative makes the table of declarative validation; its format is told in gateway/catalog/src/declarative/read.rs.
func declarative(module string, kinds []kindRow) (string, error) {
	machinery, err := peer.Source(".", "k8s.io/apimachinery")
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(module, "pkg/apis/*/v*/zz_generated.validations.go"))
	if err != nil {
		return "", err
	}
	all := &declared{types: map[string][]string{}, constants: map[string]map[string]string{}}
	var roots []string
	served := map[string]kindRow{}
	for _, kind := range kinds {
		served[kind.of.PkgPath()+"."+kind.of.Name()] = kind
	}
	files = append(files, filepath.Join(machinery, "pkg/apis/meta/v1/validation/zz_generated.validations.go"))
	for _, path := range files {
		label := labelOf(filepath.Dir(path))
		if !regexp.MustCompile(`/v[0-9]+$`).MatchString(label) {
			continue
		}
		found, err := all.file(path, label, served)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		roots = append(roots, found...)
	}
	if all.problem != nil {
		return "", all.problem
	}
	return all.render(roots), nil
}

// labelOf names the package of types that a folder validates.
func labelOf(folder string) string {
	folder = strings.TrimSuffix(filepath.ToSlash(folder), "/validation")
	return filepath.Base(filepath.Dir(folder)) + "/" + filepath.Base(folder)
}

func (d *declared) file(path, label string, served map[string]kindRow) ([]string, error) {
	tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	in := &source{declared: d, label: label, imports: importsOf(tree), vars: map[string]ast.Expr{}}
	var roots []string
	for _, decl := range tree.Decls {
		if general, ok := decl.(*ast.GenDecl); ok && general.Tok == token.VAR {
			for _, spec := range general.Specs {
				value := spec.(*ast.ValueSpec)
				in.vars[value.Names[0].Name] = value.Values[0]
			}
		}
	}
	for _, decl := range tree.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if name, ok := strings.CutPrefix(function.Name.Name, "Validate_"); ok {
			d.types[label+"."+name] = in.steps(function.Body.List, "")
		}
		if function.Name.Name == "RegisterValidations" {
			roots = in.registered(function.Body, served)
		}
	}
	return roots, nil
}

// registered lists the kinds of a file that are served, each with the paths below it for which it has rules.
func (s *source) registered(body *ast.BlockStmt, served map[string]kindRow) []string {
	var rows []string
	ast.Inspect(body, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || nameOf(call.Fun) != "AddValidationFunc" {
			return true
		}
		pointer := call.Args[0].(*ast.CallExpr).Fun.(*ast.ParenExpr).X.(*ast.StarExpr).X.(*ast.SelectorExpr)
		kind, known := served[s.imports[nameOf(pointer.X)]+"."+pointer.Sel.Name]
		if !known {
			return false
		}
		ast.Inspect(call.Args[1], func(node ast.Node) bool {
			clause, ok := node.(*ast.CaseClause)
			if !ok {
				return true
			}
			var paths []string
			for _, path := range clause.List {
				text, _ := strconv.Unquote(path.(*ast.BasicLit).Value)
				paths = append(paths, strings.TrimPrefix(text, "/"))
			}
			rows = append(rows, fmt.Sprintf("kind %s %s %s.%s %s", kind.gv, kind.kind, s.label, pointer.Sel.Name, strings.Join(paths, ",")))
			return false
		})
		return false
	})
	return rows
}

// steps renders the statements of a generated function: a line for each check, a block for each field.
func (s *source) steps(list []ast.Stmt, indent string) []string {
	var lines []string
	for _, statement := range list {
		switch statement := statement.(type) {
		case *ast.IfStmt:
			if assign, ok := statement.Init.(*ast.AssignStmt); ok {
				lines = append(lines, s.check(assign.Rhs[0], statement.Body, indent)...)
			}
		case *ast.AssignStmt:
			if call, ok := statement.Rhs[0].(*ast.CallExpr); ok && nameOf(call.Fun) == "append" {
				if inner, ok := call.Args[1].(*ast.CallExpr); ok && strings.HasPrefix(nameOf(inner.Fun), "Validate_") {
					lines = append(lines, indent+"type "+s.typeOf(inner.Fun))
				}
			}
		case *ast.BlockStmt:
			lines = append(lines, s.field(statement, indent)...)
		case *ast.ExprStmt:
			// Checks of a part that stop each other and nothing else.
			if function, ok := statement.X.(*ast.CallExpr).Fun.(*ast.FuncLit); ok {
				lines = append(lines, indent+"field .")
				lines = append(lines, s.steps(function.Body.List, indent+"\t")...)
			}
		}
	}
	return lines
}

func (s *source) field(block *ast.BlockStmt, indent string) []string {
	function := block.List[0].(*ast.AssignStmt).Rhs[0].(*ast.FuncLit)
	last := block.List[len(block.List)-1].(*ast.AssignStmt).Rhs[0].(*ast.CallExpr)
	name := "."
	if path := last.Args[1].(*ast.CallExpr).Args[0].(*ast.CallExpr); nameOf(path.Fun) == "Child" {
		name, _ = strconv.Unquote(path.Args[0].(*ast.BasicLit).Value)
	}
	inner := s.steps(function.Body.List, indent+"\t")
	if len(inner) == 0 {
		return nil
	}
	return append([]string{indent + "field " + name}, inner...)
}

// check renders one check: what it is, whether what follows is skipped when it fails, and whether it stays unsaid. A check
// in its alpha phase says nothing; one that skips nothing either is left out.
func (s *source) check(call ast.Expr, body *ast.BlockStmt, indent string) []string {
	reported, stops := false, false
	for _, statement := range body.List {
		switch nameOf(statement.(*ast.AssignStmt).Lhs[0]) {
		case "errs":
			reported = true
		case "earlyReturn":
			stops = true
		}
	}
	base, marks := unmarked(call)
	if slices.Contains(marks, "MarkAlpha") {
		reported = strings.HasPrefix(nameOf(base.Fun), "Each")
	}
	word := s.rule(base)
	if word == "" || !reported && !stops {
		return nil
	}
	line := indent
	if stops {
		line += "stop "
	}
	if !reported {
		line += "silent "
	}
	return []string{line + word}
}

// unmarked takes the marks off a call.
func unmarked(call ast.Expr) (*ast.CallExpr, []string) {
	base := call.(*ast.CallExpr)
	var marks []string
	for {
		selector, ok := base.Fun.(*ast.SelectorExpr)
		if !ok || !strings.HasPrefix(selector.Sel.Name, "Mark") {
			return base, marks
		}
		marks = append(marks, selector.Sel.Name)
		base = selector.X.(*ast.CallExpr)
	}
}

// shapes are the words for what counts as given.
var shapes = map[string]string{"Value": "value", "Pointer": "pointer", "Slice": "items", "Map": "items"}

// formats are the checks of strings.
var formats = map[string]string{
	"ShortName": "short-name", "LongName": "long-name", "LongNameCaseless": "long-name-caseless", "LabelKey": "label-key",
	"PrefixedLabelKey": "prefixed-label-key", "UUID": "uuid", "ResourcePoolName": "resource-pool-name",
	"ExtendedResourceName": "extended-resource-name", "ResourceFullyQualifiedName": "resource-fully-qualified-name",
}

// limits are the checks with a number.
var limits = map[string]string{"MaxItems": "max-items", "MaxLength": "max-length", "MaxBytes": "max-bytes", "Minimum": "min", "Maximum": "max"}

// rule renders a call; the first arguments are the context, the operation, the path, the value and the old one.
func (s *source) rule(call *ast.CallExpr) string {
	name := nameOf(call.Fun)
	for _, presence := range []string{"Optional", "Required", "Forbidden"} {
		if shape, ok := shapes[strings.TrimPrefix(name, presence)]; ok && strings.HasPrefix(name, presence) {
			return strings.ToLower(presence) + " " + shape
		}
	}
	if format, ok := formats[name]; ok {
		return "format " + format
	}
	if limit, ok := limits[name]; ok {
		return limit + " " + call.Args[5].(*ast.BasicLit).Value
	}
	switch name {
	case "Immutable":
		return "immutable"
	case "Enum":
		return "enum " + s.enum(call.Args[5])
	case "ValSliceUnique":
		return "unique " + matcher(call.Args[5])
	case "EachValSliceVal":
		equal := "equal"
		if nameOf(call.Args[6]) == "nil" {
			equal = "found"
		}
		return prefixed("each "+matcher(call.Args[5])+" "+equal, s.validator(call.Args[7]))
	case "EachMapKey":
		return prefixed("each-key", s.validator(call.Args[5]))
	case "EachMapVal":
		return prefixed("each-value", s.validator(call.Args[6]))
	case "UpdatePointer", "UpdateValueByCompare":
		words := "update"
		for _, arg := range call.Args[5:] {
			words += " " + map[string]string{"NoSet": "set", "NoUnset": "unset", "NoModify": "modify"}[nameOf(arg)]
		}
		return words
	case "IfOption":
		option, _ := strconv.Unquote(call.Args[5].(*ast.BasicLit).Value)
		state := map[string]string{"true": "on", "false": "off"}[nameOf(call.Args[6])]
		return prefixed("if "+option+" "+state, s.validator(call.Args[7]))
	case "Subfield":
		inner, _ := strconv.Unquote(call.Args[5].(*ast.BasicLit).Value)
		return prefixed("subfield "+inner, s.validator(call.Args[8]))
	case "Union":
		return "union " + strings.Join(s.members(call.Args[5]), " ")
	case "ZeroOrOneOfUnion":
		return "at-most-one " + strings.Join(s.members(call.Args[5]), " ")
	case "Discriminated":
		return s.discriminated(call)
	case "DependentRequired", "DependentForbidden":
		// Alpha as of 1.37: without effect.
		return ""
	}
	if strings.HasPrefix(name, "ValidateCustom_") {
		// Of fields that are dropped unless an alpha gate is on, and of conditions, where it is alpha.
		return ""
	}
	s.problem = fmt.Errorf("%s: unknown check %s", s.label, name)
	return ""
}

func prefixed(words, inner string) string {
	if inner == "" {
		return ""
	}
	return words + " " + inner
}

// validator renders a check that is passed as a function.
func (s *source) validator(expr ast.Expr) string {
	if strings.HasPrefix(nameOf(expr), "Validate_") {
		return "type " + s.typeOf(expr)
	}
	if function, ok := expr.(*ast.FuncLit); ok {
		inner, _ := unmarked(function.Body.List[0].(*ast.ReturnStmt).Results[0])
		return s.rule(inner)
	}
	return s.rule(&ast.CallExpr{Fun: expr})
}

// discriminated renders `discriminated <field> <discriminator> <default> { <value> <check> }`; a dash checks nothing.
func (s *source) discriminated(call *ast.CallExpr) string {
	field, _ := strconv.Unquote(call.Args[5].(*ast.BasicLit).Value)
	by := nameOf(call.Args[7].(*ast.FuncLit).Body.List[0].(*ast.ReturnStmt).Results[0])
	words := fmt.Sprintf("discriminated %s %s %s", field, strings.ToLower(by[:1])+by[1:], s.branch(call.Args[9]))
	for _, element := range call.Args[10].(*ast.CompositeLit).Elts {
		pairs := element.(*ast.CompositeLit).Elts
		value, _ := strconv.Unquote(pairs[0].(*ast.KeyValueExpr).Value.(*ast.BasicLit).Value)
		words += " " + value + " " + s.branch(pairs[1].(*ast.KeyValueExpr).Value)
	}
	return words
}

func (s *source) branch(function ast.Expr) string {
	found := "-"
	ast.Inspect(function, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		if words := strings.Fields(s.presence(call)); len(words) == 2 && words[0] != "optional" {
			found = words[0]
		}
		return true
	})
	return found
}

func (s *source) presence(call *ast.CallExpr) string {
	name := nameOf(call.Fun)
	if strings.HasSuffix(name, "Pointer") {
		return s.rule(call)
	}
	return ""
}

// members are the names of a union; a member that is a list has brackets after it.
func (s *source) members(variable ast.Expr) []string {
	var names []string
	for _, member := range s.vars[nameOf(variable)].(*ast.CallExpr).Args {
		text, _ := strconv.Unquote(member.(*ast.CallExpr).Args[0].(*ast.BasicLit).Value)
		names = append(names, strings.ReplaceAll(text, " ", "\u00a0"))
	}
	return names
}

func (s *source) enum(variable ast.Expr) string {
	var values []string
	for _, constant := range s.vars[nameOf(variable)].(*ast.CallExpr).Args {
		selector := constant.(*ast.SelectorExpr)
		value, err := s.constant(s.imports[nameOf(selector.X)], selector.Sel.Name)
		if err != nil {
			s.problem = err
		}
		values = append(values, value)
	}
	sort.Strings(values)
	return strings.Join(values, ",")
}

// constant finds the text of a constant in a package of k8s.io/api or of the meta types.
func (d *declared) constant(path, name string) (string, error) {
	if d.constants[path] == nil {
		module, folder, _ := strings.Cut(strings.TrimPrefix(path, "k8s.io/"), "/")
		root, err := peer.Source(".", "k8s.io/"+module)
		if err != nil {
			return "", err
		}
		if err := d.readConstants(path, filepath.Join(root, folder, "types.go")); err != nil {
			return "", err
		}
	}
	value, ok := d.constants[path][name]
	if !ok {
		return "", fmt.Errorf("no constant %s in %s", name, path)
	}
	return value, nil
}

// readConstants reads the texts among a file's constants, also where one is made of another package's.
func (d *declared) readConstants(path, file string) error {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	imports := importsOf(tree)
	found := map[string]string{}
	d.constants[path] = found
	ast.Inspect(tree, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		value := spec.Values[0]
		if conversion, ok := value.(*ast.CallExpr); ok && len(conversion.Args) == 1 {
			value = conversion.Args[0]
		}
		switch value := value.(type) {
		case *ast.BasicLit:
			found[spec.Names[0].Name], _ = strconv.Unquote(value.Value)
		case *ast.SelectorExpr:
			if other, ok := imports[nameOf(value.X)]; ok {
				found[spec.Names[0].Name], _ = d.constant(other, value.Sel.Name)
			}
		}
		return true
	})
	return nil
}

// importsOf are the packages that a file imports, by the name it calls them.
func importsOf(tree *ast.File) map[string]string {
	imports := map[string]string{}
	for _, spec := range tree.Imports {
		target, _ := strconv.Unquote(spec.Path.Value)
		name := filepath.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = target
	}
	return imports
}

// matcher says which elements of two lists belong together: none, those that are alike, or those with the same keys.
func matcher(expr ast.Expr) string {
	function, ok := expr.(*ast.FuncLit)
	if !ok {
		return map[string]string{"nil": "-", "DirectEqual": "="}[nameOf(expr)]
	}
	var keys []string
	ast.Inspect(function.Body, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok && nameOf(selector.X) == "a" {
			key := strings.ToLower(selector.Sel.Name[:1]) + selector.Sel.Name[1:]
			if key = strings.ReplaceAll(key, "uID", "uid"); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
		return true
	})
	return strings.Join(keys, ",")
}

// typeOf names the type that a generated function validates.
func (s *source) typeOf(function ast.Expr) string {
	name := strings.TrimPrefix(nameOf(function), "Validate_")
	selector, ok := function.(*ast.SelectorExpr)
	if !ok {
		return s.label + "." + name
	}
	return labelOf(s.imports[nameOf(selector.X)]) + "." + name
}

func nameOf(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.SelectorExpr:
		return expr.Sel.Name
	}
	return ""
}

// render writes the kinds and the types that they reach, without those that check nothing.
func (d *declared) render(roots []string) string {
	for d.prune() {
	}
	sort.Strings(roots)
	var out strings.Builder
	out.WriteString("# Derived by `cargo x import`; the format is told in gateway/catalog/src/declarative/read.rs.\n")
	reached := map[string]bool{}
	for _, root := range roots {
		of := strings.Fields(root)[3]
		if len(d.types[of]) == 0 {
			continue
		}
		out.WriteString(root + "\n")
		d.reach(of, reached)
	}
	names := make([]string, 0, len(reached))
	for name := range reached {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		out.WriteString("type " + name + "\n")
		for _, line := range d.types[name] {
			out.WriteString("\t" + line + "\n")
		}
	}
	return out.String()
}

func (d *declared) reach(name string, reached map[string]bool) {
	if reached[name] {
		return
	}
	reached[name] = true
	for _, line := range d.types[name] {
		if target := target(line); target != "" {
			d.reach(target, reached)
		}
	}
}

// prune takes out calls of types that check nothing and fields that are left with nothing said; it tells whether it did.
func (d *declared) prune() bool {
	changed := false
	for name, lines := range d.types {
		kept := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			of := target(line)
			return of != "" && len(d.types[of]) == 0
		})
		kept = withoutSilent(kept)
		if !reflect.DeepEqual(kept, lines) && len(kept) != len(lines) {
			d.types[name], changed = kept, true
		}
	}
	return changed
}

// withoutSilent drops fields all of whose checks are unsaid.
func withoutSilent(lines []string) []string {
	var kept []string
	for i := 0; i < len(lines); {
		end := i + 1
		for end < len(lines) && strings.HasPrefix(lines[end], "\t") {
			end++
		}
		block := lines[i:end]
		said := !strings.HasPrefix(block[0], "field ")
		for _, line := range block[1:] {
			said = said || !strings.Contains(line, "silent ")
		}
		if said {
			kept = append(kept, block...)
		}
		i = end
	}
	return kept
}

// target is the type that a line calls, or nothing.
func target(line string) string {
	words := strings.Fields(line)
	if len(words) > 1 && words[len(words)-2] == "type" {
		return words[len(words)-1]
	}
	return ""
}
