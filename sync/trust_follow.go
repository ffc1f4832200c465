package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// follow proves every change of a file that decides, commit by commit up to the tip, as soon as it is there: then those
// who approved it can still be asked about. What cannot be had from GitHub is tried again, and nothing is granted until
// then. save keeps what was found.
func (a *Agent) follow(ctx context.Context, tip string, save bool) error {
	if a.github == nil {
		return nil // nothing is proven on this evidence
	}
	if a.trust == nil {
		known, err := readTrust(ctx, a.cluster, a.trustRoot)
		if err != nil {
			return err
		}
		a.trust = known
	}
	if a.trust.head == tip {
		return nil
	}
	if a.clocks.own().Before(a.following.next) {
		return fmt.Errorf("who approved the policies is not known yet; it is tried again at %s", requests.At(a.following.next))
	}
	before := a.trust.head
	err := a.followTo(ctx, tip)
	if save && a.trust.head != before {
		if saveErr := a.trust.save(ctx, a.cluster); saveErr != nil {
			a.trust = nil // somebody else may have written it
			return errors.Join(err, saveErr)
		}
	}
	if err != nil {
		a.following.pause = min(max(2*a.following.pause, firstPause), longPause)
		a.following.next = a.clocks.own().Add(a.following.pause)
		return fmt.Errorf("who approved the policies is not known: %w", err)
	}
	a.following = waiting{}
	return nil
}

// followTo advances trust as far as it can.
func (a *Agent) followTo(ctx context.Context, tip string) error {
	t := a.trust
	var line []git.Commit
	err := git.ErrNotOnLine
	if t.head != "" {
		_, line, err = a.repository.History(ctx, tip, t.head)
	}
	if errors.Is(err, git.ErrNotOnLine) { // the first time, or the branch was rewritten and a person accepted that
		line, err = a.begin(ctx, tip)
	}
	if err != nil {
		return err
	}
	for _, c := range line {
		if c.TooMany {
			return fmt.Errorf("commit %s changes more files than can be compared; look at it, then begin after it with --trust-root", c.Hash)
		}
		if !slices.ContainsFunc(c.Changes, func(change git.PathChange) bool { return policies.IsTrustRoot(change.Path) }) {
			t.head = c.Hash
			continue
		}
		number, d := a.proveChange(ctx, c)
		if d.Outcome == policies.Failed {
			return fmt.Errorf("commit %s: %s; when that does not pass, look at it and begin after it with --trust-root", c.Hash, d.Message)
		}
		v := version{Commit: c.Hash, Pull: number}
		if d.Outcome != policies.Allowed {
			v.Code, v.Problem = d.Code, d.Message
		}
		var paths []string
		for _, change := range c.Changes {
			if policies.IsTrustRoot(change.Path) {
				v.Mode, v.Blob = change.After.Mode, change.After.Hash
				t.add(change.Path, v)
				paths = append(paths, change.Path)
			}
		}
		t.head = c.Hash
		level, message := slog.LevelInfo, "a change of policies is proven"
		if !v.proven() {
			level, message = slog.LevelError, "a change of policies is not proven; every request judged with it is refused"
		}
		a.log.Log(ctx, level, message, "event", "trust", "cluster", a.cluster.Name, "commit", c.Hash, "pull_request", number,
			"files", strings.Join(paths, " "), "code", string(v.Code), "message", v.Problem)
	}
	return nil
}

// begin takes the files of the root as given, and returns the commits after it.
func (a *Agent) begin(ctx context.Context, tip string) ([]git.Commit, error) {
	root, line, err := a.repository.History(ctx, tip, a.trustRoot)
	if errors.Is(err, git.ErrNotOnLine) {
		return nil, fmt.Errorf("the commit %s of --trust-root is not on the branch's first-parent line; name one that is", a.trustRoot)
	}
	if errors.Is(err, git.ErrNotInMemory) {
		return nil, fmt.Errorf("the branch has more than %d commits; begin later, with --trust-root: %w", git.MaxDepth, err)
	}
	if err != nil {
		return nil, err
	}
	entries, err := a.repository.Entries(root)
	if err != nil {
		return nil, err
	}
	a.trust.root, a.trust.head = root, root
	a.trust.give(entries)
	a.log.Info("the policies of this commit are taken as given", "event", "trust", "cluster", a.cluster.Name, "commit", root)
	return line, nil
}

// proveChange judges the pull request that was merged as the commit.
func (a *Agent) proveChange(ctx context.Context, c git.Commit) (number int, d policies.Decision) {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	number, err := a.github.MergedAs(ctx, c.Hash)
	if err != nil {
		return 0, policies.Refuse(policies.EvaluationError, "%v", err)
	}
	if number == 0 {
		return 0, policies.Refuse(policies.NoPullRequest, "it was pushed without a pull request")
	}
	facts, err := a.github.Facts(ctx, number, a.now())
	if err != nil {
		return number, policies.Refuse(policies.EvaluationError, "%v", err)
	}
	if facts.Merge == nil {
		return number, policies.Refuse(policies.EvaluationError, "pull request #%d is merged, and then it is not", number)
	}
	tree := facts.Merge.FirstParent
	if instead := a.trust.instead(); len(instead) > 0 {
		if tree, err = a.github.Under(ctx, &facts, instead); err != nil {
			return number, policies.Refuse(policies.EvaluationError, "%v", err)
		}
	}
	if skew := a.clocks.problem(); skew != "" {
		return number, policies.Refuse(policies.ClockSkew, "%s", skew)
	}
	changed := map[string]string{}
	for _, change := range c.Changes {
		changed[change.Path] = change.After.Hash
	}
	return number, policies.EvaluateChange(tree, facts, c.Hash, changed, a.now())
}

// proven refuses a request that is allowed when what it was judged with, at its merge or now, is not proven. merged is the
// commit that brought it.
func (a *Agent) proven(d policies.Decision, tip string, merged git.Commit, f policies.Facts) policies.Decision {
	if d.Outcome != policies.Allowed {
		return d
	}
	code, problem := a.unproven(tip, d.Path, merged, f)
	if code == "" {
		return d
	}
	return d.Refused(code, "%s", problem)
}

func (a *Agent) unproven(tip, path string, merged git.Commit, f policies.Facts) (policies.Code, string) {
	if a.trust == nil || a.trust.head != tip {
		return policies.EvaluationError, "who approved the policies is not known yet"
	}
	wanted := policies.Wanted(policies.KindRequest, path)
	if code, problem := a.trust.doubt(wanted, f.Base, nil); code != "" {
		return code, problem
	}
	if len(merged.Parents) == 0 || f.Merge.FirstParent.Commit != merged.Parents[0] {
		return policies.EvaluationError, fmt.Sprintf("GitHub has another parent of commit %s than git", merged.Hash)
	}
	later, err := a.repository.After(tip, merged.Parents[0])
	if err != nil {
		return policies.EvaluationError, err.Error()
	}
	return a.trust.doubt(wanted, f.Merge.FirstParent, later)
}
