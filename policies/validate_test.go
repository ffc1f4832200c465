package policies_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

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
	"file_missing_in_head", "on_behalf_not_in_the_team", "fork", "fork_deleted", "opened_by_dependabot",
	"path_is_the_folder", "pushed_by_bot", "pushed_by_deleted_account",
	"start_a_second_too_far_ahead", "start_farther_ahead_than_the_policy_says",
	"team_is_not_a_group_of_the_same_name", "until_is_over", "until_over_maximum",
	"waited_a_second_too_long", "extends_another_persons", "extends_nothing",
	"extends_too_far_ahead", "extends_under_another_policy", "extends_what_is_not_granted",
	"extends_what_was_given_back", "extends_what_was_refused", "extends_what_was_revoked",
	"waited_longer_than_the_policy_says", "waited_too_long",
	"until_before_the_window", "until_in_the_windows_first_minute", "window_too_far_to_wait_for",
	"condition_of_the_time", "refused_and_reopened", "rule_of_who_receives_it",
	"limit_longer_than_it_may_wait",
	"break_glass_owed_by_requester", "break_glass_owed_under_policy", "break_glass_owed_unreadable",
	"break_glass_waited",
	"rule_all_lists_meet", "rule_begins_a_second_before_the_end",
	"rule_over_a_second_after_the_start", "rule_team",
	"certified_by_a_push", "certified_too_long_ago", "never_certified",
	// a finding of the rule, not of the request
	"rule_of_another_cluster_is_wrong", "rule_of_another_cluster_of_a_later_program",
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
		findings, _, err := policies.Validate(os.DirFS(dir), c.Facts.Repository.Owner,
			policies.InTurn)
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

// shut is a folder in which one file or folder cannot be read.
type shut struct {
	fstest.MapFS
	name string
}

var errShut = errors.New("no such luck")

func (s shut) Open(name string) (fs.File, error) {
	if name == s.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errShut}
	}
	return s.MapFS.Open(name)
}

func (s shut) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == s.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errShut}
	}
	return s.MapFS.ReadDir(name)
}

func (s shut) ReadFile(name string) ([]byte, error) {
	if name == s.name {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errShut}
	}
	return s.MapFS.ReadFile(name)
}

// TestValidateTellsWhatItCannotRead: what cannot be looked at is not taken for good.
func TestValidateTellsWhatItCannotRead(t *testing.T) {
	const ended = "revocations/prod-eu/20261122/20261122-alice-inc-123.yaml"
	files := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(accessrepo), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(accessrepo, name))
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files[cases.Path] = &fstest.MapFile{Data: []byte("x")}
	files[ended] = &fstest.MapFile{Data: []byte("x")}
	for _, name := range []string{"policies", policies.Path("payments-debug"),
		policies.IdentitiesPath,
		"requests", filepath.Dir(cases.Path), cases.Path, "revocations", ended} {
		findings, n, err := policies.Validate(shut{files, name}, "", policies.InTurn)
		if !errors.Is(err, errShut) || findings != nil || n != 0 {
			t.Errorf("%s: %d files, %v, %v", name, n, findings, err)
		}
	}
	if _, _, err := policies.Validate(files, "", policies.InTurn, "requests/no-such"); err == nil {
		t.Error("a folder that is not there was looked at")
	}
}
