// Package mapusers edits the text of mapUsers, the list in the ConfigMap kube-system/aws-auth by
// which an EKS cluster lets people in. It adds one entry, takes one away or changes the request
// that one is there for, and leaves every other byte as it is: a list that is read and written
// again loses the comments and the form of those who keep it.
package mapusers

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// Entry is one person in a list.
type Entry struct {
	ARN      string // EKS compares it without regard to case
	Username string
	// Request is the name of the request that an entry in pullgrant's own form is there for; empty
	// of others.
	Request string
	// Reformatted says that the entry was in that form: its mark is left, and something else of it
	// is another now. So it is nobody's to take away.
	Reformatted bool
}

// List is mapUsers as it stands.
type List struct {
	Entries []Entry
	// Roles are those of mapRoles, which go before those of mapUsers.
	Roles []Entry

	text   string
	values []any  // of the entries
	places []int  // where those of pullgrant's begin; -1 of others
	indent string // of an entry
	flow   bool   // written in flow style, as JSON is
	roles  error  // why mapRoles does not read
}

// own is an entry of pullgrant's own form. It begins a line.
var own = regexp.MustCompile("(?m:^)" + render.AWSEntry)

// marked is what the fence counts as one.
var marked = regexp.MustCompile(render.AWSMarked)

// mark is the comment of such an entry.
var mark = regexp.MustCompile(`^# pullgrant [0-9]{8}-[a-z0-9-]+$`)

// Read reads the two lists of aws-auth. An error is about mapUsers: nothing can be added to it, and
// nothing taken away.
func Read(mapUsers, mapRoles string) (List, error) {
	l, err := read(mapUsers, "userarn")
	if err != nil {
		return List{}, fmt.Errorf("mapUsers of aws-auth %w", err)
	}
	of, err := read(mapRoles, "rolearn")
	if err != nil {
		l.roles = fmt.Errorf("mapRoles of aws-auth %w", err)
	}
	l.Roles = of.Entries
	return l, nil
}

// read reads one list, whose entries say who they are about under a key, in whatever case.
func read(text, key string) (List, error) {
	l := List{text: text}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return l, nil
	case err != nil:
		return l, fmt.Errorf("is no YAML (%w); correct it", err)
	}
	if err := decoder.Decode(&more); err == nil {
		return l, errors.New("holds more than one document, of which EKS reads the first; " +
			"remove the others")
	} else if !errors.Is(err, io.EOF) {
		return l, fmt.Errorf("is no YAML (%w); correct it", err)
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == "" {
		return l, nil // comments at most
	}
	if root.Kind != yaml.SequenceNode {
		return l, errors.New("is no list; write one entry after the other, each with a dash")
	}
	if err := root.Decode(&l.values); err != nil {
		return l, fmt.Errorf("is no YAML (%w); correct it", err)
	}
	l.indent, l.flow = strings.Repeat(" ", root.Column-1), root.Style&yaml.FlowStyle != 0
	for i, value := range l.values {
		e, err := entryOf(value, key)
		if err != nil {
			return l, fmt.Errorf("spoils its list for everybody: entry %d %w; correct it", i+1, err)
		}
		e.Reformatted = slices.ContainsFunc(root.Content[i].Content, func(n *yaml.Node) bool {
			return mark.MatchString(n.LineComment)
		})
		l.Entries, l.places = append(l.Entries, e), append(l.places, -1)
	}
	l.claim(root)
	return l, nil
}

// entryOf reads an entry. Who it is about may be said in a way that EKS compares otherwise, so it
// need not say it.
func entryOf(value any, key string) (e Entry, err error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return e, errors.New("is no mapping")
	}
	for name, into := range map[string]*string{key: &e.ARN, "username": &e.Username} {
		found := false
		for field, value := range fields {
			if !strings.EqualFold(field, name) {
				continue
			}
			text, ok := value.(string)
			switch {
			case found:
				return e, fmt.Errorf("says %s twice", name)
			case !ok:
				return e, fmt.Errorf("has a %s that is no text", name)
			}
			*into, found = text, true
		}
	}
	return e, nil
}

// claim finds the entries that are pullgrant's: of its own form, and with nothing else in them.
func (l *List) claim(root *yaml.Node) {
	for _, at := range own.FindAllStringSubmatchIndex(l.text, -1) {
		line := 1 + strings.Count(l.text[:at[0]], "\n")
		for i, n := range root.Content {
			e := Entry{ARN: l.text[at[4]:at[5]], Request: l.text[at[6]:at[7]],
				Username: l.text[at[8]:at[9]]}
			if is := l.Entries[i]; n.Line == line && len(n.Content) == 4 && is.ARN == e.ARN &&
				is.Username == e.Username && l.text[at[0]:at[1]] == l.block(e) {
				l.Entries[i], l.places[i] = e, at[0]
			}
		}
	}
}

// Text is the list as it stands.
func (l List) Text() string { return l.text }

// Add is the text with an entry at its end. It says what to do where nothing can be added.
func (l List) Add(e Entry) (string, error) {
	for _, other := range l.Entries {
		if strings.EqualFold(other.ARN, e.ARN) {
			return "", fmt.Errorf("mapUsers of aws-auth has the ARN %s already, as %s; remove that "+
				"entry", requests.Quote(e.ARN), requests.Quote(other.Username))
		}
	}
	block := l.block(e)
	switch {
	case own.FindString(block) != block:
		return "", fmt.Errorf("the list of aws-auth cannot hold the user name %s of %s; give the "+
			"person another one", requests.Quote(e.Username), requests.Quote(e.ARN))
	case l.flow:
		return "", errors.New("mapUsers of aws-auth is written as JSON or between brackets, where " +
			"nothing can be added without writing it anew; write one entry after the other, each " +
			"with a dash, and an empty list as no text at all")
	case len(l.text) > render.AWSMostBytes:
		return "", fmt.Errorf("mapUsers of aws-auth has %d bytes, and nothing that comes to more than %d "+
			"could be taken out again; let people in by roles or access entries, and remove them there",
			len(l.text), render.AWSMostBytes)
	case len(marked.FindAllStringIndex(l.text, -1)) >= render.AWSMostEntries:
		return "", fmt.Errorf("mapUsers of aws-auth has %d entries of pullgrant's, and of more none could "+
			"be taken out again; ask again once some access is over", render.AWSMostEntries)
	}
	text := l.text
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return checked(text+block, append(slices.Clone(l.values), map[string]any{"userarn": e.ARN,
		"username": e.Username}), append(slices.Clone(l.Entries), e))
}

// Remove is the text without an entry of pullgrant's.
func (l List) Remove(e Entry) (string, error) {
	at := slices.Index(l.Entries, e)
	if at < 0 || l.places[at] < 0 {
		return "", fmt.Errorf("there is no entry of pullgrant's for %s", requests.Quote(e.ARN))
	}
	return checked(l.replaced(at, ""), slices.Delete(slices.Clone(l.values), at, at+1),
		slices.Delete(slices.Clone(l.Entries), at, at+1))
}

// Mark is the text with another request that an entry of pullgrant's is there for.
func (l List) Mark(e Entry, request string) (string, error) {
	at := slices.Index(l.Entries, e)
	if at < 0 || l.places[at] < 0 {
		return "", fmt.Errorf("there is no entry of pullgrant's for %s", requests.Quote(e.ARN))
	}
	e.Request = request
	entries := slices.Clone(l.Entries)
	entries[at] = e
	return checked(l.replaced(at, l.block(e)), l.values, entries)
}

// replaced is the text with another one in the place of an entry of pullgrant's.
func (l List) replaced(at int, with string) string {
	begin := l.places[at]
	return l.text[:begin] + with + l.text[begin+len(l.block(l.Entries[at])):]
}

// block is an entry as it is written in this list. The name is quoted, or it could be a number.
func (l List) block(e Entry) string {
	return l.indent + "- userarn: " + e.ARN + " # pullgrant " + e.Request + "\n" + l.indent +
		"  username: \"" + e.Username + "\"\n"
}

// checked reads a text that was just written: it must hold those values and nothing else, and those
// entries must be pullgrant's that were, or they could not be taken away again.
func checked(text string, values []any, entries []Entry) (string, error) {
	again, err := read(text, "userarn")
	if err != nil {
		return "", fmt.Errorf("mapUsers of aws-auth cannot be edited where it stands: it %w", err)
	}
	if len(values) > 0 && !reflect.DeepEqual(again.values, values) ||
		!slices.Equal(again.Entries, entries) {
		return "", errors.New("mapUsers of aws-auth cannot be edited without changing other " +
			"entries; write one entry after the other, each with a dash, and end lines with a line " +
			"feed")
	}
	return text, nil
}
