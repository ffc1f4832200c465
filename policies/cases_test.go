package policies_test

import (
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// TestCases judges every scenario and compares everything the decision says with the scenario's
// want section.
func TestCases(t *testing.T) {
	codes := map[policies.Code]bool{}
	for _, c := range cases.All(t) {
		t.Run(c.Name, func(t *testing.T) {
			d := c.Judge(c.Facts)
			codes[d.Code] = true
			got := cases.Describe(d, c.Want)
			if *update {
				writeWant(t, filepath.Join("../testdata/cases", c.Name+".txtar"), c.Archive, got)
			} else if got != c.Want {
				t.Errorf("got:\n%swant:\n%s", got, c.Want)
			}
			if !strings.HasPrefix(path.Base(c.Name), prefixOf(d.Outcome)) {
				t.Errorf("the outcome is %s, so the file's name must start with %s", d.Outcome,
					prefixOf(d.Outcome))
			}
			if again := c.Judge(cases.Copy(t, c.Facts)); !reflect.DeepEqual(again, d) {
				t.Errorf("after a round trip through JSON the decision is %+v, before it was %+v",
					again, d)
			}
		})
	}
	if !*update {
		checkCoverage(t, codes)
	}
	if changed := policies.ChangedSinceRead(); len(changed) > 0 {
		t.Errorf("judging changed what was read of %v, which other judgements share", changed)
	}
}

// checkCoverage fails for a code that judging can give and no scenario shows.
func checkCoverage(t *testing.T, seen map[policies.Code]bool) {
	for _, code := range []policies.Code{
		policies.EvaluationError, policies.NotARequestPR, policies.FileRejected,
		policies.ParseError,
		policies.SchemaError,
		policies.PolicyInvalid, policies.CodeownersInvalid, policies.NoPolicy,
		policies.NothingOwed, policies.BreakGlassNotAllowed, policies.BreakGlassOwed,
		policies.RoleNotAllowed, policies.NamespaceNotAllowed,
		policies.SubjectNotAllowed, policies.DurationOutOfRange, policies.StartOutOfRange,
		policies.RequesterNotAllowed, policies.AccessDenied, policies.NotCertified,
		policies.RequestIDReused, policies.ExtensionNotAllowed, policies.LimitReached,
		policies.DraftPullRequest, policies.WrongBase, policies.UnattributableCommit,
		policies.ChangesRequested,
		policies.ApprovalStale, policies.SelfApproval, policies.ContributorApproval,
		policies.BotApproval,
		policies.ApproverNotAllowed, policies.InsufficientApprovals, policies.NoPullRequest,
		policies.PullRequestNotMerged,
		policies.BlobMismatch, policies.ExpiredBeforeGrant,
	} {
		if !seen[code] {
			t.Errorf("no scenario ends in %s", code)
		}
	}
}

// wantSection is the one that -update rewrites, here and under testdata/lint.
const wantSection = "want"

func writeWant(t *testing.T, file string, archive *txtar.Archive, got string) {
	archive.Files = slices.DeleteFunc(archive.Files,
		func(f txtar.File) bool { return f.Name == wantSection })
	archive.Files = append(archive.Files, txtar.File{Name: wantSection, Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func prefixOf(o policies.Outcome) string {
	return map[policies.Outcome]string{policies.Allowed: "allow_", policies.Pending: "pending_",
		policies.Denied: "deny_", policies.Failed: "error_"}[o]
}
