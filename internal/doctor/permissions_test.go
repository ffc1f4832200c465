package doctor

import (
	"testing"

	"github.com/pullgrant/pullgrant/internal/github"
)

func TestPermissions(t *testing.T) {
	for name, test := range map[string]struct {
		change map[string]string
		state  State
		what   string
	}{
		"as set up": {nil, OK, "the App judge has what it needs and no more"},
		"fewer":     {map[string]string{"checks": "read"}, Wrong, "the App judge lacks checks: write"},
		"none":      {map[string]string{"members": ""}, Wrong, "the App judge lacks members: read"},
		"writes":    {map[string]string{"contents": "write"}, Warning, "the App judge needs no contents: write"},
		"another": {map[string]string{"workflows": "write"}, Warning,
			"the App judge needs no workflows: write"},
	} {
		given := github.CheckPermissions()
		for permission, level := range test.change {
			if given[permission] = level; level == "" {
				delete(given, permission)
			}
		}
		var e examination
		e.permissions(github.Reporter{ID: 1, Slug: "judge", Permissions: given})
		if len(e.all) != 1 || e.all[0].State != test.state || e.all[0].What != test.what {
			t.Errorf("%s: %+v", name, e.all)
		}
	}
}
