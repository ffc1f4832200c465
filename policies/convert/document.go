package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/requests"
)

// Bounds of what is read. Objects as the API server gives them are far smaller.
const (
	MaxSize  = 4 << 20 // bytes of a source
	maxDepth = 40
	// maxFindings bounds what is told of all sources together.
	maxFindings = 1000
)

// document is one object of another tool.
type document struct {
	*converter
	file string
	root *yaml.Node // a mapping
	told []string   // fields of which something was said
}

func (d *document) add(n *yaml.Node, rule, format string, args ...any) {
	if len(d.findings) == maxFindings {
		return
	}
	d.findings = append(d.findings, requests.Finding{File: d.file, Line: max(n.Line, 1),
		Column: max(n.Column, 1), Rule: rule, Message: fmt.Sprintf(format, args...)})
}

// read takes a source apart into its objects, also those of a list as kubectl prints it.
func (c *converter) read(source Source) (all []*document) {
	whole := &document{converter: c, file: source.Name, root: &yaml.Node{Line: 1, Column: 1}}
	if len(source.Data) > MaxSize {
		whole.unreadable(whole.root, "it has %d bytes; the most that is read is %d, so split it",
			len(source.Data), MaxSize)
		return nil
	}
	data := bytes.ReplaceAll(source.Data, []byte("\r\n"), []byte("\n"))
	if bytes.ContainsAny(data, "\r\u0085\u2028\u2029") {
		whole.unreadable(whole.root, "it has other line breaks than LF; save it with LF line ends")
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for found := false; ; {
		var n yaml.Node
		err := decoder.Decode(&n)
		switch {
		case errors.Is(err, io.EOF):
			if !found {
				whole.unreadable(whole.root, "there is no YAML document in it")
			}
			return all
		case err != nil:
			line, message := requests.YAMLError(err, data)
			whole.unreadable(&yaml.Node{Line: line}, "not YAML: %s", requests.Quote(message))
			return all
		}
		if len(n.Content) == 1 && n.Content[0].Tag == "!!null" {
			continue // nothing between two separators
		}
		found = true
		all = append(all, c.objects(source.Name, &n)...)
	}
}

// objects are those of one YAML document.
func (c *converter) objects(file string, n *yaml.Node) (all []*document) {
	d := &document{converter: c, file: file, root: n.Content[0]}
	if at, problem := plain(n, 0); problem != "" {
		d.unreadable(at, "%s", problem)
		return nil
	}
	if d.root.Kind != yaml.MappingNode {
		d.unreadable(d.root, "it must be a mapping with a kind")
		return nil
	}
	if d.kind() != "v1 List" {
		if d.root.HeadComment == "" {
			d.root.HeadComment = n.HeadComment
		}
		return []*document{d}
	}
	for _, item := range items(field(d.root, "items")) {
		if item.Kind != yaml.MappingNode {
			d.unreadable(item, "it must be a mapping with a kind")
			continue
		}
		all = append(all, &document{converter: c, file: file, root: item})
	}
	return all
}

// plain finds what lets one text mean two things: the features of YAML that our own loader refuses.
func plain(n *yaml.Node, depth int) (at *yaml.Node, problem string) {
	switch {
	case depth > maxDepth:
		return n, fmt.Sprintf("nested more than %d deep", maxDepth)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return n, "an anchor or alias; write the value out where it is needed"
	case n.Style&yaml.TaggedStyle != 0:
		return n, "a tag; write the plain value"
	}
	seen := map[string]bool{}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			switch {
			case child.Kind != yaml.ScalarNode || child.Tag == "!!merge":
				return child, "a key must be a plain word"
			case seen[child.Value]:
				return child, requests.Quote(child.Value) + " stands here again"
			}
			seen[child.Value] = true
		}
		if at, problem := plain(child, depth+1); problem != "" {
			return at, problem
		}
	}
	return nil, ""
}

// write makes a file of a document of ours, as far as its path is one, and tells what its own loader
// finds wrong with it.
func (d *document) write(path string, root *yaml.Node,
	parse func(path string, data []byte) []requests.Finding) {
	for _, f := range d.files {
		if f.Path == path {
			d.unreadable(d.root, "%s is what an object before it became too; give one of them another "+
				"name", path)
			return
		}
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(root), encoder.Close()); err != nil {
		d.unreadable(d.root, "it cannot be written: %s", requests.Quote(err.Error()))
		return
	}
	d.files = append(d.files, File{path, b.Bytes()})
	findings := parse(path, b.Bytes())
	if len(findings) == 0 {
		return
	}
	var written yaml.Node
	if err := yaml.Unmarshal(b.Bytes(), &written); err != nil || len(written.Content) != 1 {
		written.Content = []*yaml.Node{{}}
	}
	for _, f := range findings {
		if slices.Contains(d.told, strings.TrimSuffix(f.Message, " is required")) {
			continue
		}
		d.add(origin(root, written.Content[0], f), f.Rule, "%s", f.Message)
	}
}

// origin is the node of a document that a finding in its text is about: the last that stands before
// it. written is the document as it was read again.
func origin(root, written *yaml.Node, f requests.Finding) *yaml.Node {
	found := root
	var walk func(n, again *yaml.Node)
	walk = func(n, again *yaml.Node) {
		if again.Line < f.Line || again.Line == f.Line && again.Column <= f.Column {
			found = n
		}
		for i := range min(len(n.Content), len(again.Content)) {
			walk(n.Content[i], again.Content[i])
		}
	}
	walk(root, written)
	return found
}
