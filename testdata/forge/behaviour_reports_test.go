package forge

import (
	"testing"

	"github.com/google/go-github/v60/github"
)

var reportBehaviours = []behaviour{
	{"only Apps report check runs, and each changes its own only", docChecks, func(t *testing.T,
		f *Forge) {
		head := f.Branch("main")
		options := github.CreateCheckRunOptions{Name: "pullgrant", HeadSHA: head}
		_, _, err := client(t, f, f.Token("root")).Checks.CreateCheckRun(t.Context(), "acme",
			"access", options)
		refused(t, err, 403, "You must authenticate via a GitHub App.")
		c := client(t, f, f.AppToken("pullgrant"))
		run, _, err := c.Checks.CreateCheckRun(t.Context(), "acme", "access", options)
		if err != nil || run.GetStatus() != "queued" || run.GetApp().GetID() != 7001 ||
			run.Conclusion != nil {
			t.Fatal(run, err)
		}
		update := github.UpdateCheckRunOptions{Name: "pullgrant",
			Conclusion: github.String("failure"),
			Output: &github.CheckRunOutput{Title: github.String("Denied"),
				Summary: github.String("because"), Annotations: []*github.CheckRunAnnotation{
					{Path: github.String("requests/x.yaml"), StartLine: github.Int(3),
						EndLine:         github.Int(3),
						AnnotationLevel: github.String("failure"),
						Message:         github.String("too long")}}}}
		_, _, err = client(t, f, f.AppToken("agent")).Checks.UpdateCheckRun(t.Context(), "acme",
			"access", run.GetID(), update)
		refused(t, err, 403, "")
		run, _, err = c.Checks.UpdateCheckRun(t.Context(), "acme", "access", run.GetID(), update)
		if err != nil || run.GetStatus() != "completed" || run.GetConclusion() != "failure" ||
			run.GetOutput().GetAnnotationsCount() != 1 {
			t.Error(run, err)
		}
		if got := f.Checks(); len(got) != 1 ||
			got[0].Annotations[0] != (Annotation{"requests/x.yaml",
				3, "failure", "too long"}) {
			t.Error(got)
		}
	}},
	{"the newest run of each App and name is listed", docChecks, func(t *testing.T, f *Forge) {
		head := f.Branch("main")
		f.AddApp("other", 7003)
		for _, slug := range []string{"other", "pullgrant", "pullgrant"} {
			if err := f.Pass(slug, "pullgrant", head); err != nil {
				t.Fatal(err)
			}
		}
		c := client(t, f, f.Token("rita"))
		latest, _, err := c.Checks.ListCheckRunsForRef(t.Context(), "acme", "access", head, nil)
		if err != nil || latest.GetTotal() != 2 {
			t.Error(latest, err)
		}
		id := int64(7001)
		all, _, err := c.Checks.ListCheckRunsForRef(t.Context(), "acme", "access", "main",
			&github.ListCheckRunsOptions{Filter: github.String("all"), AppID: &id})
		if err != nil || all.GetTotal() != 2 {
			t.Error(all, err)
		}
	}},
	{"anyone with write sets a status, and the combined one is the worst of the newest",
		docStatuses,
		func(t *testing.T, f *Forge) {
			head := f.Branch("main")
			c := client(t, f, f.Token("alice"))
			for _, state := range []string{"failure", "success"} {
				if _, _, err := c.Repositories.CreateStatus(t.Context(), "acme", "access", head,
					&github.RepoStatus{State: &state,
						Context: github.String("pullgrant")}); err != nil {
					t.Fatal(err)
				}
			}
			status, _, err := c.Repositories.GetCombinedStatus(t.Context(), "acme",
				"access", head, nil)
			if err != nil || status.GetState() != "success" || status.GetTotalCount() != 1 {
				t.Error(status, err)
			}
			_, _, err = client(t, f, f.Token("rita")).Repositories.CreateStatus(t.Context(), "acme",
				"access", head, &github.RepoStatus{State: github.String("success")})
			refused(t, err, 403, "")
		}},
	{"a status does not stand in for the check run of a required App", docRulesets,
		func(t *testing.T, f *Forge) {
			n := opened(t, f, "alice", "ask")
			must(f.Review("bob", n, "APPROVE"))(t)
			c := client(t, f, f.Token("alice"))
			if _, _, err := c.Repositories.CreateStatus(t.Context(), "acme", "access",
				f.Branch("ask"),
				&github.RepoStatus{State: github.String("success"),
					Context: github.String("pullgrant")}); err != nil {
				t.Fatal(err)
			}
			_, _, err := c.PullRequests.Merge(t.Context(), "acme", "access", n, "", nil)
			refused(t, err, 405, "Required status check")
		}},
}
