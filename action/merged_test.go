package action_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestMergedGetsNoVerdict: whenever a pull request was merged, before it was read or before the
// verdict is told, there is neither a check run nor a comment, and the run is fine.
func TestMergedGetsNoVerdict(t *testing.T) {
	const pull, reviews = "/repos/acme/access/pulls/1", "/repos/acme/access/pulls/1/reviews"
	for _, event := range []string{"pull_request_target", "pull_request_review", "workflow_run",
		"push"} {
		for name, before := range map[string]string{"before it is read": pull,
			"while it is read": reviews, "before it is told": ""} {
			t.Run(event+" "+name, func(t *testing.T) {
				w := newWorld(t)
				w.forge.Protect(forge.Rules{Off: true})
				w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, slow")})
				w.approve("bob")
				head := w.forge.Branch("ask")
				merge := func() {
					if _, err := w.forge.Merge("dave", w.number); err != nil {
						t.Error(err)
					}
				}
				if before != "" {
					w.forge.Before("GET", before, merge)
				} else { // the first reading ends with the second call for the pull request
					w.forge.Before("GET", reviews, func() {
						w.forge.Before("GET", pull, func() { w.forge.Before("GET", pull, merge) })
					})
				}
				result, err := w.run(event, map[string]any{
					"pull_request": map[string]any{"number": w.number,
						"head": map[string]any{"sha": head}},
					"repository":   reviewed(head, w.number)["repository"],
					"workflow_run": reviewed(head, w.number)["workflow_run"]})
				if err != nil || result.Outcome != policies.Allowed ||
					!strings.Contains(w.out.String(), "#1 is merged") {
					t.Errorf("%+v, error %v\n%s", result, err, w.out.String())
				}
				if checks := w.forge.Checks(); len(checks) != 0 {
					t.Errorf("check runs %+v", checks)
				}
				for _, r := range w.forge.Requests() {
					if r.Method == "POST" && strings.HasSuffix(r.Path, "/comments") {
						t.Errorf("it comments: %s", r.Path)
					}
				}
			})
		}
	}
}
