package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// follow proves every change of a file that decides, commit by commit up to the tip, as soon as it
// is there: then those who approved it can still be asked about. What cannot be had from GitHub is
// tried again, and nothing is granted until then. save keeps what was found.
func (v *prover) follow(ctx context.Context, tip string, save bool) error {
	if v.trust == nil {
		asked := v.root
		if v.github == nil {
			asked = requests.EvidenceBranch // what is taken as it is proves nothing later
		}
		known, err := readTrust(ctx, v.cluster, asked)
		if err != nil {
			return err
		}
		v.trust = known
	}
	if v.trust.head == tip && v.trust.offered != nil {
		return nil
	}
	if !v.following.due(v.clocks.wall()) {
		return fmt.Errorf("who approved the policies is not known yet; it is tried again at %s",
			requests.At(v.following.next))
	}
	before, offered := v.trust.head, len(v.trust.offered)
	advance := v.followTo
	if v.github == nil {
		advance = v.take
	}
	err := advance(ctx, tip)
	if save && (v.trust.head != before || len(v.trust.offered) != offered) {
		if saveErr := v.trust.save(ctx, v.cluster); saveErr != nil {
			v.trust = nil // somebody else may have written it
			return errors.Join(err, saveErr)
		}
	}
	if err != nil {
		if v.trust.head != before { // what is in the way now is something else
			v.following.done(time.Time{})
		}
		v.following.later(v.clocks.wall())
		return fmt.Errorf("who approved the policies is not known: %w", err)
	}
	v.following.done(time.Time{})
	for p, wait := range v.waiting { // what was tried in vain meanwhile is not put off for that
		if wait.behind {
			wait.again, wait.behind = retry{}, false
			v.waiting[p] = wait
		}
	}
	return nil
}

// knows tells whether it is known who approved the files that decide at a commit.
func (v *prover) knows(tip string) bool { return v.trust != nil && v.trust.head == tip }

// followTo advances trust as far as it can.
func (v *prover) followTo(ctx context.Context, tip string) error {
	t := v.trust
	if t.offered == nil { // the first time, or an older program kept none of it
		if err := v.keepOffers(ctx, t.files); err != nil {
			return err
		}
	}
	var line []git.Commit
	err := git.ErrNotOnLine
	if t.head != "" {
		_, line, err = v.branch.repository.History(ctx, tip, t.head, trustRoots...)
	}
	// the first time, or the branch was rewritten and a person accepted that
	if errors.Is(err, git.ErrNotOnLine) {
		line, err = v.begin(ctx, tip)
	}
	if err != nil {
		return err
	}
	for i, c := range line {
		if c.TooMany { // what it did to them is a part of what the next commit did
			continue
		}
		if !decides(c) {
			t.head = c.Hash
			continue
		}
		whole, err := v.branch.repository.Complete(ctx, c)
		if err != nil {
			return err
		}
		whole.Changes = append(whole.Changes, c.Changes...)
		number, d := v.proveChange(ctx, whole)
		missing := d.Code == policies.NoPullRequest
		if d = v.bear(ctx, c.Hash, d); missing && d.Outcome == policies.Failed {
			v.lookAhead(ctx, line[i+1:])
		}
		if d.Outcome == policies.Failed {
			return fmt.Errorf("commit %s: %s; when that does not pass, look at it and begin "+
				"after it with --trust-root", c.Hash, d.Message)
		}
		found := version{Commit: c.Hash, Pull: number}
		if d.Outcome != policies.Allowed {
			found.Code, found.Problem = d.Code, d.Message
		}
		var paths []string
		for _, change := range c.Changes {
			if policies.IsTrustRoot(change.Path) {
				found.Mode, found.Blob = change.After.Mode, change.After.Hash
				t.add(change.Path, found)
				paths = append(paths, change.Path)
			}
		}
		if err := v.keepOffers(ctx, t.newest(paths)); err != nil {
			return err
		}
		t.head = c.Hash
		level, message := slog.LevelInfo, "a change of policies is proven"
		if !found.proven() {
			level, message = slog.LevelError, "a change of policies is not proven; every "+
				"request judged with it is refused"
		}
		v.log.Log(ctx, level, message, "event", "trust", "cluster", v.cluster.Name, "commit",
			c.Hash, "pull_request", number,
			"files", strings.Join(paths, " "), "code", string(found.Code), "message", found.Problem)
	}
	if n := len(line); n > 0 && t.head != line[n-1].Hash {
		return fmt.Errorf("commit %s changes more policies than can be compared; look at it, "+
			"then begin after it with --trust-root",
			line[n-1].Hash)
	}
	return nil
}

// decides tells whether a commit changes a file that decides.
func decides(c git.Commit) bool {
	return slices.ContainsFunc(c.Changes,
		func(change git.PathChange) bool { return policies.IsTrustRoot(change.Path) })
}

// lookAhead has the commits after one that waits for GitHub to know of its pull request begin to
// wait too: otherwise each that was pushed without one would add ten minutes.
func (v *prover) lookAhead(ctx context.Context, line []git.Commit) {
	if v.silent.since == nil || v.clocks.problem() != "" {
		return // what earlier runs were told is not known, or what time it is
	}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	for _, c := range line {
		if _, waits := v.silent.since[c.Hash]; waits || !decides(c) {
			continue
		}
		number, err := v.github.MergedAs(ctx, c.Hash)
		if err != nil {
			return // it is asked for again when its turn comes
		}
		if number == 0 {
			v.silent.begin(c.Hash, v.clocks.wall())
		}
	}
}

// begin takes the files of the root as given, and returns the commits after it.
func (v *prover) begin(ctx context.Context, tip string) ([]git.Commit, error) {
	root, line, err := v.branch.repository.History(ctx, tip, v.root, trustRoots...)
	if errors.Is(err, git.ErrNotOnLine) {
		return nil, fmt.Errorf("the commit %s of --trust-root is not on the branch's "+
			"first-parent line; name one that is", v.root)
	}
	if errors.Is(err, git.ErrNotInMemory) {
		return nil, fmt.Errorf("the branch has more than %d commits; begin later, with "+
			"--trust-root: %w", git.MaxDepth, err)
	}
	if err != nil {
		return nil, err
	}
	entries, err := v.branch.repository.Entries(ctx, root, trustRoots...)
	if err != nil {
		return nil, err
	}
	v.trust.give(root, entries)
	if err := v.keepOffers(ctx, v.trust.files); err != nil {
		return nil, err
	}
	v.trust.root, v.trust.head = root, root
	v.log.Info("the policies of this commit are taken as given", "event", "trust", "cluster",
		v.cluster.Name, "commit", root)
	return line, nil
}

// take takes the files of the tip as they are, on evidence that proves nothing.
func (v *prover) take(ctx context.Context, tip string) error {
	entries, err := v.branch.repository.Entries(ctx, tip, trustRoots...)
	if err != nil {
		return err
	}
	v.trust.give(tip, entries)
	if err := v.keepOffers(ctx, v.trust.files); err != nil {
		return err
	}
	v.trust.root, v.trust.head = tip, tip
	return nil
}

// proveChange judges the pull request that was merged as the commit.
func (v *prover) proveChange(ctx context.Context, c git.Commit) (number int, d policies.Decision) {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	if c.TooMany {
		return 0, policies.Refuse(policies.PolicyUnproven,
			"it changes more files than can be compared")
	}
	number, err := v.github.MergedAs(ctx, c.Hash)
	if err != nil {
		return 0, policies.Refuse(policies.EvaluationError, "%v", err)
	}
	if number == 0 {
		return 0, policies.Refuse(policies.NoPullRequest, "it was pushed without a pull request")
	}
	facts, err := v.github.Facts(ctx, number, v.clocks.now())
	if err != nil {
		return number, policies.Refuse(policies.EvaluationError, "%v", err)
	}
	if facts.Merge == nil {
		return number, policies.Refuse(policies.EvaluationError, "pull request #%d is merged, "+
			"and then it is not", number)
	}
	tree := facts.Merge.FirstParent
	if instead := v.trust.instead(); len(instead) > 0 {
		if tree, err = v.github.Under(ctx, &facts, instead); err != nil {
			return number, policies.Refuse(policies.EvaluationError, "%v", err)
		}
	}
	if skew := v.clocks.problem(); skew != "" {
		return number, policies.Refuse(policies.ClockSkew, "%s", skew)
	}
	changed := map[string]string{}
	for _, change := range c.Changes {
		changed[change.Path] = change.After.Hash
	}
	return number, policies.EvaluateChange(tree, facts, c.Hash, changed, v.clocks.now())
}

// refuseUnproven refuses a request that is allowed when what it was judged with, at its merge or
// now, is not proven. merged is the commit that brought it.
func (v *prover) refuseUnproven(ctx context.Context, d policies.Decision, tip string,
	merged git.Commit, f policies.Facts) policies.Decision {
	if d.Outcome != policies.Allowed {
		return d
	}
	code, problem := v.unproven(ctx, tip, d.Path, merged, f)
	if code == "" {
		return d
	}
	return d.Refused(code, "%s", problem)
}

func (v *prover) unproven(ctx context.Context, tip, path string, merged git.Commit,
	f policies.Facts) (policies.Code, string) {
	return v.unprovenBy(ctx, policies.Wanted(policies.KindRequest, path), tip, merged, f)
}

func (v *prover) unprovenBy(ctx context.Context, wanted func(string) bool, tip string,
	merged git.Commit, f policies.Facts) (policies.Code, string) {
	if !v.knows(tip) {
		return policies.EvaluationError, "who approved the policies is not known yet"
	}
	if code, problem := v.trust.doubt(wanted, f.Base, nil); code != "" {
		return code, problem
	}
	if len(merged.Parents) == 0 || f.Merge.FirstParent.Commit != merged.Parents[0] {
		return policies.EvaluationError,
			fmt.Sprintf("GitHub has another parent of commit %s than git",
				merged.Hash)
	}
	later, err := v.branch.repository.After(ctx, tip, merged.Parents[0])
	if err != nil {
		return policies.EvaluationError, err.Error()
	}
	return v.trust.doubt(wanted, f.Merge.FirstParent, later)
}
