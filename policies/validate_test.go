package policies_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// checkOut writes a file as git does.
func checkOut(t *testing.T, path string, file policies.TreeFile) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	switch {
	case err != nil:
	case file.Mode == "120000":
		err = os.Symlink("elsewhere", path)
	case file.Unreadable != "":
		err = os.WriteFile(path, []byte{0xff}, 0o644)
	case file.Mode == "100755":
		err = os.WriteFile(path, []byte(file.Content), 0o755)
	default:
		err = os.WriteFile(path, []byte(file.Content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// onlyGitHubTells are the scenarios that are denied for what no file of the repository shows.
var onlyGitHubTells = []string{
	"author_bot", "author_deleted", "author_is_not_the_requester", "author_lost_write",
	"author_not_in_team", "author_took_over_the_login", "base_is_another_branch", "closed",
	"codeowners_github_reports_error", "commit_without_account",
	"commit_without_account_beside_coauthor",
	"file_missing_in_head", "fork", "fork_deleted", "opened_by_dependabot",
	"path_is_the_folder", "pushed_by_bot", "pushed_by_deleted_account",
	"team_is_not_a_group_of_the_same_name", "waited_a_second_too_long",
	"waited_longer_than_the_policy_says", "waited_too_long",
}

// TestValidateRefusesWhatIsDenied: a request whose scenario is denied for what stands in files is a
// finding of `validate`, by the same rule, and one that is allowed is none.
func TestValidateRefusesWhatIsDenied(t *testing.T) {
	unseen := slices.Clone(onlyGitHubTells)
	for _, c := range cases.All(t) {
		folder, base, _ := strings.Cut(c.Name, "/")
		outcome, name, _ := strings.Cut(base, "_")
		kind, path, _ := policies.KindOf(c.Facts.Files)
		if folder != "request" || outcome == "pending" || outcome == "error" ||
			kind != policies.KindRequest {
			continue
		}
		if i := slices.Index(unseen, name); i >= 0 {
			unseen = slices.Delete(unseen, i, i+1)
			continue
		}
		d := c.Judge(c.Facts)
		dir := t.TempDir()
		for _, tree := range []policies.Tree{c.Facts.Base, c.Facts.Head} {
			for name, file := range tree.Files {
				checkOut(t, filepath.Join(dir, name), file)
			}
		}
		for _, used := range c.Facts.UsedNames {
			checkOut(t, filepath.Join(dir, used), policies.TreeFile{Mode: policies.PlainFile})
		}
		findings, _, err := policies.Validate(os.DirFS(dir), c.Facts.Repository.Owner)
		if err != nil {
			t.Fatal(err)
		}
		told := func(f requests.Finding) bool {
			return f.File == filepath.Clean(path) || !strings.HasPrefix(f.File, "re") // of policies and CODEOWNERS
		}
		if slices.ContainsFunc(findings, told) != (d.Outcome == policies.Denied) {
			t.Errorf("%s is %s %s (%s), and validate finds %v", c.Name, d.Outcome, d.Code,
				d.Message, findings)
		}
	}
	if len(unseen) > 0 {
		t.Errorf("there are no such scenarios, or they need no exception: %v", unseen)
	}
}
