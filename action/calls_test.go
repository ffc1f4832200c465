package action_test

import (
	"fmt"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestCallsOfAJudgement counts what a judgement with two reviewers spends at GitHub, the verdict
// included: docs/scale.md goes by it.
func TestCallsOfAJudgement(t *testing.T) {
	w := newWorld(t, func(o *forge.Options) { o.PageSize = 100 })
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	w.approve("dave")
	before := len(w.forge.Requests())
	result, err := w.judge()
	if err != nil || result.Outcome != policies.Allowed {
		t.Fatal(result.Outcome, err, w.out.String())
	}
	rest, graphQL := 0, 0
	for _, r := range w.forge.Requests()[before:] {
		if r.Path == "/graphql" {
			graphQL++
		} else {
			rest++
		}
	}
	if rest > 10 || graphQL > 5 {
		t.Errorf("%d calls of REST and %d of GraphQL: %v", rest, graphQL,
			w.forge.Requests()[before:])
	}
}
