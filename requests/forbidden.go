package requests

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Forbidden is one thing that the API server did not let somebody do, as its message says it. None
// of its texts has been checked.
type Forbidden struct {
	User string `json:"user"`
	Verb string `json:"verb"`
	// of an object or a kind of objects; Resource is empty when Path is not
	Group       string `json:"group,omitempty"` // empty: the core group
	Resource    string `json:"resource,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Name        string `json:"name,omitempty"`      // empty: of no single object
	Namespace   string `json:"namespace,omitempty"` // empty: the whole cluster
	Path        string `json:"path,omitempty"`      // of the API server, that is no resource
}

// maxForbidden bounds how many messages of a text are read.
const maxForbidden = 20

// quoted is a text as Go quotes it.
const quoted = `("(?:[^"\\]|\\.)*")`

// forbiddenPattern is what the API server says
// (https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/handlers/responsewriters/errors.go).
// A name stands only before it.
var forbiddenPattern = regexp.MustCompile(`(?:` + quoted + ` is forbidden: )?User ` + quoted +
	` cannot ([^ "]+) (?:path ` + quoted + `|resource ` + quoted + ` in API group ` + quoted +
	` (?:in the namespace ` + quoted + `|at the cluster scope))`)

// The API server writes its message so that no browser takes it for HTML.
var unsanitized = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// ParseForbidden finds the messages of an API server in whatever holds them: what kubectl prints, a
// log, JSON. A line may be broken between words. Each thing is told once, in the order of the text,
// and of more than 20 the first; what else is refused, such as by admission, is not among them.
func ParseForbidden(text string) []Forbidden {
	text = strings.Join(strings.Fields(text), " ")
	found := forbiddenIn(text)
	if len(found) == 0 { // in JSON the quotes are escaped
		found = forbiddenIn(strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\u0026`, "&").Replace(text))
	}
	return found
}

func forbiddenIn(text string) (all []Forbidden) {
	for _, m := range forbiddenPattern.FindAllStringSubmatch(text, -1) {
		f, ok := forbiddenOf(m)
		if ok && !slices.Contains(all, f) && len(all) < maxForbidden {
			all = append(all, f)
		}
	}
	return all
}

// forbiddenOf reads one match of forbiddenPattern. The name stands before what was made harmless.
func forbiddenOf(m []string) (f Forbidden, ok bool) {
	resource := ""
	for _, part := range []struct {
		quoted string
		into   *string
	}{{m[1], &f.Name}, {m[2], &f.User}, {m[4], &f.Path}, {m[5], &resource}, {m[6], &f.Group},
		{m[7], &f.Namespace}} {
		if part.quoted == "" { // no part of this form
			continue
		}
		text, err := strconv.Unquote(part.quoted)
		if err != nil {
			return f, false
		}
		if part.into != &f.Name {
			text = unsanitized.Replace(text)
		}
		*part.into = text
	}
	if f.Path != "" {
		f.Name = "" // of something else, before it
	}
	f.Verb = unsanitized.Replace(m[3])
	f.Resource, f.Subresource, _ = strings.Cut(resource, "/")
	return f, (f.Path == "") != (f.Resource == "")
}

// Kind is the resource with its subresource and group, as policies write it: pods/log or
// deployments.apps.
func (f Forbidden) Kind() string {
	resource := f.Resource
	if f.Subresource != "" {
		resource += "/" + f.Subresource
	}
	return Rule{Group: f.Group, Resource: resource}.Kind()
}

// Object is the kind of the object that it is about, whatever the subresource.
func (f Forbidden) Object() string { return Rule{Group: f.Group, Resource: f.Resource}.Kind() }

// String is what was not allowed, for people: "list pods in namespace payments".
func (f Forbidden) String() string {
	if f.Path != "" {
		return f.Verb + " the path " + f.Path
	}
	text := f.Verb + " " + f.Kind()
	if f.Name != "" {
		text += " " + f.Name
	}
	return text + " in " + cmp.Or(strings.TrimSuffix("namespace "+f.Namespace, "namespace "),
		"the whole cluster")
}
