package requests

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// FieldPattern is the form of the name of a field that a policy declares for its requests: one that
// conditions can say as request.fields.NAME.
const FieldPattern = `^[a-z][A-Za-z0-9]{0,39}$`

// MaxFieldValue bounds the value of such a field, in characters.
const MaxFieldValue = 200

var fieldPattern = regexp.MustCompile(FieldPattern)

// Forms of the name and of the value of a field that a policy declares. Which values it takes, the
// policy says.
var (
	FormField      = Form{Rule: "field", Pattern: FieldPattern, Check: CheckField}
	FormFieldValue = Form{Rule: "field", Pattern: ReasonPattern, Min: 1, Max: MaxFieldValue,
		Check: CheckFieldValue}
)

// CheckField tells what is wrong with the name of a field that a policy declares; empty when nothing
// is.
func CheckField(s string) string {
	return mustMatch(fieldPattern, s, "1 to 40 letters and digits that start with a lower-case letter")
}

// CheckFieldValue tells what is wrong with the value of a field that a policy declares, whatever its
// type; empty when nothing is: one line of 1 to 200 visible characters.
func CheckFieldValue(s string) string { return CheckLine(s, MaxFieldValue) }

// CheckLine tells what is wrong with one line of text; empty when nothing is. It has 1 to most
// visible characters, and no space at either end: ReasonPattern.
func CheckLine(s string, most int) string {
	switch n := utf8.RuneCountInString(s); {
	case strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && IsHidden(r) }):
		return "it holds a hidden character; remove it"
	case n == 0 || n > most:
		return fmt.Sprintf("it has %d characters; 1 to %d are allowed", n, most)
	case !reasonPattern.MatchString(s):
		return "it must be one line, and may not begin or end with a space"
	}
	return ""
}

// FieldsInWords are fields that a policy declares with their values, in order: the one wording of
// every place that shows them. The values are free text: escape them as a reason.
func FieldsInWords(fields map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		all = append(all, name+": "+fields[name])
	}
	return all
}

// WholeText refuses a free text that YAML cut at what it takes for a comment; what is the name of
// such a text.
func (d *Document) WholeText(path, rule, what string) {
	if lost, ok := d.comments[path]; ok {
		d.Add(path, rule, "YAML takes %s for a comment, so the %s ends before it; put the %[2]s in "+
			"quotes, or the comment on a line of its own", Quote(lost), what)
	}
}
