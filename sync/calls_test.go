package sync

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCallsOfAGrant counts what a grant spends at GitHub, and its end beside what any pass then asks:
// docs/scale.md goes by it.
func TestCallsOfAGrant(t *testing.T) {
	s := newStage(t)
	agent := s.agent(githubOnly)
	s.Must(agent.Once(s.Context())) // proves the policies
	seen := len(s.Requests())
	spent := func() (rest, graphQL []string) {
		all := s.Requests()
		for _, r := range all[seen:] {
			call := fmt.Sprintf("%s %s?%s", r.Method, r.Path, r.Query)
			switch {
			case r.Status == http.StatusNotModified || strings.Contains(r.Path, ".git/"):
			case r.Path == "/graphql":
				graphQL = append(graphQL, call)
			default:
				rest = append(rest, call)
			}
		}
		seen = len(all)
		return rest, graphQL
	}
	name, path, content := s.requestFile("counted")
	s.change("counted", "bob", map[string]string{path: content})
	spent() // what the people did
	s.Must(agent.Once(s.Context()))
	s.granted(name)
	rest, graphQL := spent()
	s.SetClock(noon.Add(2 * time.Hour))
	for range 3 {
		s.Must(agent.Once(s.Context()))
	}
	end, more := spent()
	end = slices.DeleteFunc(end, func(call string) bool { return !strings.Contains(call, "/issues/") })
	if len(rest) > 8 || len(graphQL) > 6 || len(end) > 2 || len(more) > 0 {
		t.Errorf("a grant took %d calls of REST and %d of GraphQL, and its end %d and %d: %q, %q",
			len(rest), len(graphQL), len(end), len(more), rest, end)
	}
}
