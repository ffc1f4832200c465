package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

// onGitHub looks for the request on the default branch, then among the open pull requests.
func (o showOptions) onGitHub(ctx context.Context, w world, client *github.Client,
	repo string) (shown, error) {
	t := o.target
	if t.number > 0 {
		s, err := judged(ctx, w, client, t.number)
		if err != nil || s.Kind != policies.KindRequest || !s.facts.PullRequest.Merged {
			return s, err
		}
		place, _ := requests.SplitPath(s.Path)
		t.name, t.cluster = place.Name, place.Cluster
	}
	tree, err := client.Tree(ctx, "", t.leadsTo)
	if err != nil {
		return shown{}, err
	}
	switch path, err := t.pick(slices.Collect(maps.Keys(tree.Files))); {
	case err != nil:
		return shown{}, err
	case path != "":
		return o.onBranch(ctx, w, client, tree, path)
	case t.number > 0:
		return shown{}, fmt.Errorf("look for the request %s: pull request #%d brought it, but "+
			"it is neither live nor in the ledger; "+
			"is the agent running, which ends what was taken off the branch?", t.name, t.number)
	}
	numbers, err := client.PullsAdding(ctx, t.is)
	switch {
	case err != nil:
		return shown{}, err
	case len(numbers) == 0:
		return shown{}, fmt.Errorf("look for the request %s: %s has it neither on its default "+
			"branch nor in an open pull request", t.name, repo)
	case len(numbers) > 1:
		return shown{}, fmt.Errorf("look for the request %s: the pull requests %v all add it; "+
			"give one of these numbers", t.name, numbers)
	}
	return judged(ctx, w, client, numbers[0])
}

// judged is a pull request as it is judged before its merge, whatever it asks for.
func judged(ctx context.Context, w world, client *github.Client, number int) (shown, error) {
	f, err := gather(ctx, w, client, number)
	if err != nil {
		return shown{}, err
	}
	s := shown{PullRequest: number, Decision: policies.Evaluate(f.Base, f, w.now()), facts: f}
	if s.Kind != policies.KindRequest {
		return s, nil
	}
	if s.State = states[s.Outcome]; s.Outcome != policies.Allowed {
		return s, nil
	}
	s.Message += "; access begins once it is merged and its agent has granted it"
	if s.Grant.BreakGlass != nil { // its agent merges it
		return s, nil
	}
	now, err := client.Standing(ctx, number)
	if err != nil {
		return shown{}, err
	}
	if !now.AutoMerge && !now.Merged {
		s.byHand = "@" + f.PullRequest.Author.Login + " or another writer"
		s.Message += "; " + s.mergedByHand()
	}
	return s, nil
}

// mergedByHand says who has to merge a request that GitHub does not merge by itself.
func (s shown) mergedByHand() string {
	return "auto-merge is off, so " + s.byHand + " has to merge it"
}

// pick finds the one file that tells what became of the request, empty when none does: its ledger
// entry before a file under requests/, which gives nothing when the name was used before.
func (t target) pick(paths []string) (string, error) {
	paths = slices.DeleteFunc(slices.Sorted(slices.Values(paths)),
		func(path string) bool { return !t.is(path) })
	if len(paths) == 0 {
		return "", nil
	}
	last := paths[len(paths)-1]
	place, _ := placeOf(last)
	if first, _ := placeOf(paths[0]); first.Cluster != place.Cluster {
		return "", fmt.Errorf("look for the request %s: it stands at %s; give one of these files",
			t.name, strings.Join(paths, " and "))
	}
	return last, nil
}

// onBranch tells of the file at path, which is in tree: a request that waits for its agent or is
// live, or one that has ended.
func (o showOptions) onBranch(ctx context.Context, w world, client *github.Client,
	tree policies.Tree, path string) (shown, error) {
	file := tree.Files[path]
	if place, ok := requests.SplitRevocationPath(path); ok {
		r, findings := requests.ParseRevocation(path, []byte(file.Content))
		if len(findings) > 0 {
			sayFindings(w, findings)
			return shown{}, verdict(exitFindings)
		}
		a := ledger.Account{Audited: requests.Audited{Name: place.Name, Cluster: place.Cluster, Path: path,
			Spec: r.Spec, Status: &r.Status}}
		return ended(a, func(commit string) (policies.Tree, error) {
			return client.Tree(ctx, commit, policies.Wanted(policies.KindRequest, r.Status.Path))
		})
	}
	number, commit, err := client.Introduced(ctx, path, tree.Commit)
	if err != nil {
		return shown{}, err
	}
	if number == 0 {
		base, err := client.Tree(ctx, tree.Commit, policies.Wanted(policies.KindRequest, path))
		if err != nil {
			return shown{}, err
		}
		d := policies.Preview(base, path, file)
		refuse(&d, policies.NoPullRequest, "commit %s brought it without a pull request, so it "+
			"gives nothing", short(commit))
		return stands(policies.Facts{}, d, w.now(), ""), nil
	}
	f, err := gather(ctx, w, client, number)
	if err != nil {
		return shown{}, err
	}
	d := policies.EvaluateMerged(f, path, file.Blob, w.now())
	said := ""
	if d.Outcome == policies.Allowed {
		d.Message = "merged and approved"
	}
	if d.Outcome == policies.Allowed || d.Code == policies.ExpiredBeforeGrant {
		if said, err = client.AgentSaid(ctx, number, o.agent); err != nil {
			return shown{}, err
		}
	}
	return stands(f, d, w.now(), said), nil
}

// inCheckout looks for the request in git's objects. Only its policy is judged: approvals are not
// in git.
func (o showOptions) inCheckout(_ context.Context, w world) (shown, error) {
	dir := o.remote.checkout.dir
	accounts, findings, err := ledger.History(dir, nil)
	if err != nil {
		return shown{}, err
	}
	findings = slices.DeleteFunc(findings, func(f requests.Finding) bool {
		return !o.target.is(f.File)
	})
	if len(findings) > 0 {
		sayFindings(w, findings)
		return shown{}, verdict(exitFindings)
	}
	var paths []string
	for _, a := range accounts {
		paths = append(paths, a.Path)
	}
	path, err := o.target.pick(paths)
	if err != nil {
		return shown{}, err
	}
	i := slices.Index(paths, path)
	if i < 0 {
		return shown{}, fmt.Errorf("look for the request %s: HEAD of %s has it neither under "+
			"%s/ nor in the ledger; for open pull requests leave out --dir",
			o.target.name, dir, requests.Folder)
	}
	a, treeAt := accounts[i], func(ref string) (policies.Tree, error) {
		return ledger.TreeAt(dir,
			ref)
	}
	if a.Status != nil {
		return ended(a, treeAt)
	}
	tree, err := treeAt("HEAD")
	if err != nil {
		return shown{}, err
	}
	d, err := previewAccount(tree, a.Path, a)
	if err != nil {
		return shown{}, err
	}
	if d.Challenges = nil; d.Outcome == policies.Allowed {
		d.Grant.Window = d.Grant.From(a.Entered.Time)
		d.Message = "if its approvals hold, which a checkout cannot tell"
	}
	return stands(policies.Facts{}, d, w.now(), ""), nil
}
