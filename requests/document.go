package requests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds nesting; no format of ours is deeper than eight.
const maxDepth = 20

// maxFindings bounds what is told of a hostile file: one finding refuses it, a hundred are enough
// to mend it.
const maxFindings = 100

// Document is one strict YAML file: where each field stands and everything that is wrong with it.
type Document struct {
	File     string
	Findings []Finding

	positions map[string]position // by field path such as spec.grants[0].roleRef
	comments  map[string]string   // after an unquoted value, on its line: by field path
	joined    []joinedRune
	reason    *yaml.Node // the value of a reason
	lines     func() [][]rune
	mayTag    bool // there is a ! somewhere
}

type position struct{ line, column int }

// Decode reads data as exactly one YAML document into a T, a struct with yaml tags. It refuses what
// two readers could see differently (docs/decisions/0003-own-yaml-loader.md): a second document,
// anchors, aliases, tags, merge keys, directives, duplicate or unknown keys, keys in another case,
// hidden characters, anything over limit bytes. All problems are in the Document's findings; the
// value is complete only when there are none.
func Decode[T any](file string, data []byte, limit int) (T, *Document) {
	var value T
	d := &Document{File: file, positions: make(map[string]position, 16),
		comments: map[string]string{}, mayTag: bytes.ContainsRune(data, '!')}
	if len(data) > limit {
		d.add(position{1, 1}, "file-size", "the file has %d bytes; the most allowed is %d",
			len(data), limit)
		return value, d
	}
	if d.scan(data); len(d.Findings) > 0 {
		return value, d
	}
	root := d.parse(data)
	if root == nil {
		return value, d
	}
	d.lines = sync.OnceValue(func() (lines [][]rune) { // few files need them
		for line := range strings.Lines(string(data)) {
			lines = append(lines, []rune(line))
		}
		return lines
	})
	d.walk(root, 0)
	if len(d.Findings) == 0 {
		d.decode(root, reflect.ValueOf(&value).Elem(), "")
	}
	d.inReason()
	SortFindings(d.Findings)
	return value, d
}

// Add records a finding at the position of a field, or of the nearest field around it that is in
// the file.
func (d *Document) Add(path, rule, format string, args ...any) {
	for {
		if p, ok := d.positions[path]; ok {
			d.add(p, rule, format, args...)
			return
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			d.add(position{1, 1}, rule, format, args...)
			return
		}
		path = path[:cut]
	}
}

// Has tells whether the file sets the field.
func (d *Document) Has(path string) bool {
	_, ok := d.positions[path]
	return ok
}

// Require records a finding for each named field the file does not set.
func (d *Document) Require(paths ...string) {
	for _, path := range paths {
		if !d.Has(path) {
			d.Add(path, "missing-field", "%s is required", path)
		}
	}
}

// NotEmpty records a finding when the file sets the list and there is nothing in it; n is how many
// items it has.
func (d *Document) NotEmpty(path string, n int) {
	if n == 0 && d.Has(path) {
		d.Add(path, "empty-list", "%s is empty; name at least one", path)
	}
}

func (d *Document) add(p position, rule, format string, args ...any) {
	if len(d.Findings) == maxFindings {
		return
	}
	d.Findings = append(d.Findings, Finding{File: d.File, Line: p.line, Column: p.column,
		Rule:    rule,
		Message: fmt.Sprintf(format, args...)})
}

// parse returns the root mapping of the only document, or nil after recording why there is none.
func (d *Document) parse(data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		d.add(position{1, 1}, "yaml-document", "the file is empty; it must hold one YAML document")
		return nil
	case err != nil:
		d.syntax(err, data)
		return nil
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		d.add(position{max(second.Line, 1), max(second.Column, 1)}, "yaml-document",
			"a second YAML document begins here; a file holds exactly one")
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(err, data)
		return nil
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		d.add(position{max(document.Line, 1), max(document.Column, 1)}, "yaml-document",
			"the document must be a mapping with apiVersion, kind, metadata and spec")
		return nil
	}
	return document.Content[0]
}

// unknownAnchor is what the decoder says, without a line, of an alias to nothing.
var unknownAnchor = regexp.MustCompile(`unknown anchor '([^']+)' referenced`)

func (d *Document) syntax(err error, data []byte) {
	p := position{1, 1}
	if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil {
		before, _, _ := strings.Cut(string(data), "*"+m[1])
		p.line += strings.Count(before, "\n")
		p.column += utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:])
		d.add(p, "yaml-alias", "alias *%s; write the value out", Quote(m[1]))
		return
	}
	line, message := YAMLError(err, data)
	d.add(position{line, 1}, "yaml-syntax", "not YAML: %s", Quote(message))
}

// walk refuses the YAML features that let one text mean two things, wherever they stand.
func (d *Document) walk(n *yaml.Node, depth int) {
	p := position{n.Line, n.Column}
	switch {
	case depth > maxDepth:
		d.add(p, "yaml-depth", "nested more than %d deep", maxDepth)
		return
	case n.Kind == yaml.AliasNode:
		d.add(p, "yaml-alias", "alias *%s; write the value out", Quote(n.Value))
		return
	case n.Anchor != "":
		d.add(p, "yaml-anchor", "anchor &%s; write the value out where it is needed",
			Quote(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0 || d.startsWithTag(p):
		d.add(p, "yaml-tag", "tag %s; write the plain value", Quote(n.Tag))
	}
	if n.Kind == yaml.ScalarNode {
		d.checkHidden(n)
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			switch first, again := seen[key.Value]; {
			case key.Kind != yaml.ScalarNode:
				d.add(position{key.Line, key.Column}, "yaml-key", "a key must be a plain word")
			case key.Tag == "!!merge":
				d.add(position{key.Line, key.Column}, "yaml-merge",
					"merge key <<; write the fields out")
			case again:
				d.add(position{key.Line, key.Column}, "duplicate-key", "%s stands here again, "+
					"first on line %d", Quote(key.Value), first)
			default:
				seen[key.Value] = key.Line
			}
			if key.Value == "reason" {
				d.reason = n.Content[i+1]
			}
		}
	}
	for _, child := range n.Content {
		d.walk(child, depth+1)
	}
}

// startsWithTag finds the tag without a name, which the YAML library reads and forgets: no plain
// value begins with !.
func (d *Document) startsWithTag(p position) bool {
	if !d.mayTag {
		return false
	}
	lines := d.lines()
	return p.line <= len(lines) && p.column <= len(lines[p.line-1]) &&
		lines[p.line-1][p.column-1] == '!'
}

// checkHidden refuses what is written as an escape, or in a value that is folded.
func (d *Document) checkHidden(n *yaml.Node) {
	p := position{n.Line, n.Column}
	if n == d.reason {
		if r, where, ok := hiddenRune(n.Value); ok {
			d.add(p, "hidden-character", "the value holds the hidden character %U%s", r, where)
		}
		return
	}
	for _, r := range n.Value {
		if r != '\n' && IsHidden(r) && !slices.ContainsFunc(d.joined,
			func(j joinedRune) bool { return j.rune == r && j.line == n.Line }) {
			d.add(p, "hidden-character", "the value holds the hidden character %U", r)
			return
		}
	}
}

type textUnmarshaler interface{ UnmarshalText([]byte) error }

// decode fills v from n and remembers where each field stands.
func (d *Document) decode(n *yaml.Node, v reflect.Value, path string) {
	p := position{n.Line, n.Column}
	if path != "" {
		d.positions[path] = p
		if n.Kind == yaml.ScalarNode && !isQuoted(n) && n.LineComment != "" {
			d.comments[path] = n.LineComment
		}
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.add(p, "missing-field", "%s has no value; set it or remove the line", path)
		return
	}
	if text, ok := v.Addr().Interface().(textUnmarshaler); ok {
		if d.want(n, yaml.ScalarNode, path, "text") {
			if err := text.UnmarshalText([]byte(n.Value)); err != nil {
				d.add(p, "value", "%s is %s: %v", path, Quote(n.Value), err)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if d.want(n, yaml.MappingNode, path, "a mapping") {
			d.decodeStruct(n, v, path)
		}
	case reflect.Map:
		if d.want(n, yaml.MappingNode, path, "a mapping") {
			v.Set(reflect.MakeMap(v.Type()))
			for i := 0; i+1 < len(n.Content); i += 2 { // no key stands twice
				element := reflect.New(v.Type().Elem()).Elem()
				d.decode(n.Content[i+1], element, path+"."+n.Content[i].Value)
				v.SetMapIndex(reflect.ValueOf(n.Content[i].Value), element)
			}
		}
	case reflect.Slice:
		if !d.want(n, yaml.SequenceNode, path, "a list") {
			return
		}
		for i, item := range n.Content {
			element := reflect.New(v.Type().Elem()).Elem()
			d.decode(item, element, fmt.Sprintf("%s[%d]", path, i))
			v.Set(reflect.Append(v, element))
		}
	case reflect.String:
		if d.want(n, yaml.ScalarNode, path, "text") {
			v.SetString(n.Value)
		}
	case reflect.Bool:
		if !d.want(n, yaml.ScalarNode, path, "true or false") {
			return
		}
		if isQuoted(n) || n.Value != "true" && n.Value != "false" {
			d.add(p, "wrong-type", "%s is %s; it must be true or false", path, Quote(n.Value))
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Int64:
		if !d.want(n, yaml.ScalarNode, path, "a whole number") {
			return
		}
		number, err := strconv.ParseInt(n.Value, 10, 64)
		if isQuoted(n) || err != nil || strconv.FormatInt(number, 10) != n.Value {
			d.add(p, "wrong-type", "%s is %s; it must be a whole number such as 1", path,
				Quote(n.Value))
			return
		}
		v.SetInt(number)
	default:
		panic("requests: a format has a field of unsupported type " + v.Type().String())
	}
}

// isQuoted tells whether a value is written as text, which is no number to any other reader of
// YAML.
func isQuoted(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

func (d *Document) want(n *yaml.Node, kind yaml.Kind, path, name string) bool {
	if n.Kind == kind {
		return true
	}
	d.add(position{n.Line, n.Column}, "wrong-type", "%s must be %s", path, name)
	return false
}

func (d *Document) decodeStruct(n *yaml.Node, v reflect.Value, path string) {
	fields := fieldsOf(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(f structField) bool { return f.name == key.Value })
		if at < 0 {
			var names []string
			for _, f := range fields {
				names = append(names, f.name)
			}
			slices.Sort(names)
			d.add(position{key.Line, key.Column}, "unknown-field",
				"unknown field %s%s; known here: %s",
				Quote(key.Value), didYouMean(key.Value, names), strings.Join(names, ", "))
			continue
		}
		d.decode(value, v.Field(at), below(path, key.Value))
	}
}

func didYouMean(key string, names []string) string {
	for _, name := range names {
		if strings.EqualFold(key, name) {
			return fmt.Sprintf(" (did you mean %q?)", name)
		}
	}
	return ""
}
