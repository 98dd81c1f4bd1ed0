package main

import (
	"encoding/json"
	"strings"
)

// usual are values that may well be taken where nothing is known but what they look like.
var usual = map[sort][]any{
	isText:     {"x"},
	isNumber:   {1},
	isFlag:     {true, false},
	isQuantity: {"1"},
	isInstant:  {"2020-01-01T00:00:00Z"},
	isEither:   {1, "x"},
	isBytes:    {"eA=="},
	isMap:      {map[string]any{}},
	isList:     {[]any{}},
	isObject:   {map[string]any{}},
	isAnything: {map[string]any{"x": 1}},
}

// odd are values that somebody refuses, or reads in a way of his own.
var odd = map[sort][]any{
	isText: {"Bad_Value!", "UPPER", "-lead", "trail-", "a b", "ü", "a/b", "a/b/c", "/", ".", "..", "...", "-1", "1e3", "0", "1", "65536", "a.b", "a:80", ":80",
		"300.1.1.1", "1.2.3.4", "010.0.0.1", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "FE80::0", "10.0.0.1/8", "10.0.0.0/8", "10.0.0.0/33", "::/0", "010.0.0.0/8",
		"http://x", "https://example.com/a?b#c", "https://u:p@x/", "ftp://x", "://", "*", "*.a.b", "a.*", "*.*.a", "%", "100%", "$(X)", "../x", "/x", "/x/", "//x", "/a/../b", "a\\b", "a\nb", " a", "a ", "\t",
		"a=b", "=a", "1a", "_a", "a_b", "a,b", "a--b", "a..b", "A.B", strings.Repeat("a", 15), strings.Repeat("a", 16), strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 254),
		strings.Repeat("a.", 130) + "a", strings.Repeat("a", 1025), "{}", "null", "true", "example.com/a", "kubernetes.io/a", "k8s.io", "a.k8s.io/b", "a/B_c", "a/-", "requests.cpu", "hugepages-2Mi", "hugepages-x",
		"metadata.name", "'", `"`, "<&>", "\u0001", "None", "none"},
	isNumber:   {0, -1, 2, 80, 100, 101, 256, 4096, 65535, 65536, 1 << 31, 1 << 40, 1<<53 + 1, -1 << 31, 1.5, json.Number("1e3"), json.Number("1.0"), json.Number("1e30")},
	isQuantity: {"", "x", "0", "-1", "1.5", "1e3", "1E", "1Ki", "1.5Gi", "0.0001", "100m", "1u", "1n", "+1", "01", ".5", "1.", "1e100", "100E", "9223372036854775808", "1Kii", " 1", "1 ", 1, 1.5, 0, json.Number("1e3"), "0x1"},
	isInstant:  {"", "x", "2020-01-01", "2020-01-01T00:00:00+02:00", "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.123456Z", "2020-01-01T00:00:00.123456789Z", "2020-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2020-01-01 00:00:00Z", "2020-01-01t00:00:00z"},
	isEither:   {0, -1, 2, 80, 65536, 1 << 31, 1 << 40, 1.5, "", "0", "1", "50%", "0%", "100%", "101%", "-1%", "1.5%", "%", "Bad_Value!", "a--b", "-", "http", strings.Repeat("a", 16), "80", true},
	isBytes:    {"", "!", "eA", "eA===", "e A==", "eA==\n", "-_-_", 5},
}

// keys are odd names of a map's entries.
var keys = []string{"", "Bad Key!", "a/b/c", "/a", "a/", "-a", "a.b", "A", "_", "kubernetes.io/x", "example.com/x", "..", "..x", "x=y", strings.Repeat("k", 64), strings.Repeat("d.", 130) + "d/k", "requests.x", "limits.cpu", "cpu", "hugepages-1Gi", "count/x.y", "pods"}

// wrong are values of other JSON types than the one that is expected.
func wrong(expected sort) []any {
	all := map[string]any{"text": "x", "number": 5, "flag": true, "list": []any{}, "object": map[string]any{}, "inner": []any{map[string]any{}}}
	var some []any
	for _, name := range []string{"text", "number", "flag", "list", "object", "inner"} {
		switch {
		case expected == isText && name == "text", expected == isNumber && name == "number", expected == isFlag && name == "flag",
			expected == isList && name != "text" && name != "number" && name != "flag" && name != "object",
			(expected == isObject || expected == isMap) && name == "object", expected == isAnything:
			continue
		}
		some = append(some, all[name])
	}
	return some
}

// made is a value of a schema with every member that lies within some steps, or with none.
func (s schemas) made(one schema, depth int) any {
	name, one := s.resolve(one)
	switch kind := sortOf(name, one); kind {
	case isObject:
		whole := map[string]any{}
		for member, inner := range one.Properties {
			if depth > 0 {
				whole[member] = s.made(inner, depth-1)
			}
		}
		return whole
	case isList:
		if depth <= 0 {
			return []any{}
		}
		return []any{s.made(*one.Items, depth-1)}
	case isMap:
		if depth <= 0 {
			return map[string]any{}
		}
		return map[string]any{"x": s.made(*one.Additional, depth-1)}
	case isText:
		if some := words(one.Description); len(some) > 0 {
			return some[0]
		}
		return "x"
	default:
		return usual[kind][0]
	}
}

// encoded is a value as JSON; all of ours can be written.
func encoded(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}
