package requests_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// TestCommands: what may be asked for, and what is wrong with the rest.
func TestCommands(t *testing.T) {
	for command, want := range map[string]string{
		"cat /my/app/config/*": "",
		"cat config/*":         "",
		"ls -l /a/* /b/*":      "",
		"echo a\\b ":           "",
		"/bin/*":               "is the program",
		"cat /*":               "must be a path with a folder",
		"cat //a/*":            "must be a path with a folder",
		"cat /a/../*":          "without . and .. parts",
		"cat ./*":              "without . and .. parts",
		"cat -/*":              "is an option",
		"cat *":                "may stand only as the last part",
		"cat /a/*.yaml":        "may stand only as the last part",
		"cat /a/*/b":           "may stand only as the last part",
		"cat \x00":             "without control characters",
		" x":                   "must name a program",
	} {
		problem := requests.CheckCommand(strings.Split(command, " "))
		if (problem == "") != (want == "") || !strings.Contains(problem, want) {
			t.Errorf("%q: %q, want %q", command, problem, want)
		}
	}
	if requests.CheckCommand(slices.Repeat([]string{"a"}, requests.MaxArguments+1)) == "" {
		t.Error("more arguments than can be compared")
	}
}

// FuzzExecName: two commands have one name only when they are one, so a right to run the one is none
// to run the other.
func FuzzExecName(f *testing.F) {
	f.Add("api-1", "app", "cat", "/my/app/config/*", "")
	f.Add("api-1", "app", `a\`, ` `, `\ `)
	f.Fuzz(func(t *testing.T, pod, container, program, first, second string) {
		e := requests.Exec{Pod: pod, Container: container, Command: []string{program, first, second}}
		if requests.CheckObject(pod) != "" || requests.CheckContainer(container) != "" ||
			requests.CheckCommand(e.Command) != "" {
			t.Skip()
		}
		at, command := splitName(e.Name())
		if at != pod+"/"+container || !slices.Equal(command, e.Command) {
			t.Errorf("%q reads back as %q %q", e.Name(), at, command)
		}
	})
}

// splitName reads a name as the policy pullgrant-exec would have written it.
func splitName(name string) (at string, command []string) {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; c {
		case ' ':
			parts = append(parts, part.String())
			part.Reset()
		case '\\':
			i++
			part.WriteByte(name[i])
		default:
			part.WriteByte(c)
		}
	}
	parts = append(parts, part.String())
	return parts[0], parts[1:]
}
