package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// TestTrustIsBounded: however often a file changes, few versions are kept, the one proven last
// among them.
func TestTrustIsBounded(t *testing.T) {
	known := trust{root: "r",
		files: map[string][]version{ownersPath: {{Commit: "r", Mode: "100644", Blob: "given"}}}}
	for n := range 20 {
		known.add(ownersPath, version{Commit: fmt.Sprint(n), Mode: "100644",
			Blob: fmt.Sprint("b", n), Code: policies.NoPullRequest, Problem: "pushed"})
	}
	if all := known.files[ownersPath]; len(all) != maxVersions || all[0].Commit != "19" ||
		all[maxVersions-1].Commit != "r" {
		t.Errorf("kept: %+v", all)
	}
	if file := known.instead()[ownersPath]; file.Blob != "given" {
		t.Errorf("instead of what is not proven: %+v", file)
	}
	known.add(ownersPath, version{Commit: "20", Mode: "100644", Blob: "b20"})
	if len(known.instead()) != 0 {
		t.Error("a proven file is replaced")
	}
	known.add(policyPath, version{Commit: "21", Mode: "100644", Blob: "b21"})
	known.add(policyPath, version{Commit: "22"})
	if _, kept := known.files[policyPath]; kept {
		t.Error("a policy that was taken away is kept")
	}
	known.add(freezePath, version{Commit: "21", Mode: "100644", Blob: "b21"})
	known.add(freezePath, version{Commit: "22"})
	if all := known.files[freezePath]; len(all) != 2 { // requests were merged under it
		t.Errorf("of a rule that was taken away is kept: %+v", all)
	}
}

// TestTrustDoubts: what is not there any more has a last change too, and GitHub's files must be
// those of git.
func TestTrustDoubts(t *testing.T) {
	const request = "requests/prod/payments-debug/20261123-alice-a.yaml"
	removed := version{Commit: "c2", Code: policies.NoPullRequest, Problem: "pushed"}
	given := version{Commit: "c0", Mode: "100644", Blob: "b"}
	file := policies.TreeFile{Mode: "100644", Blob: "b"}
	for name, test := range map[string]struct {
		files map[string][]version
		tree  map[string]policies.TreeFile
		later map[string]bool
		code  policies.Code
	}{
		"proven": {map[string][]version{ownersPath: {given}},
			map[string]policies.TreeFile{ownersPath: file}, nil, ""},
		"removed directly": {map[string][]version{ownersPath: {removed, given}}, nil, nil,
			policies.PolicyUnproven},
		"before the removal": {map[string][]version{ownersPath: {removed, given}},
			map[string]policies.TreeFile{ownersPath: file}, map[string]bool{"c2": true}, ""},
		"after the root only": {map[string][]version{ownersPath: {removed, given}}, nil,
			map[string]bool{"c0": true, "c2": true}, ""},
		"another blob": {map[string][]version{ownersPath: {given}},
			map[string]policies.TreeFile{ownersPath: {Mode: "100644", Blob: "x"}}, nil,
			policies.EvaluationError},
		"another mode": {map[string][]version{ownersPath: {given}},
			map[string]policies.TreeFile{ownersPath: {Mode: "120000", Blob: "b"}}, nil,
			policies.EvaluationError},
		"unknown to git": {nil, map[string]policies.TreeFile{ownersPath: file}, nil,
			policies.EvaluationError},
		"missing on GitHub": {map[string][]version{ownersPath: {given}}, nil, nil,
			policies.EvaluationError},
		"of no interest": {map[string][]version{"policies/other.yaml": {removed}}, nil, nil, ""},
		"changed too often since": {map[string][]version{ownersPath: slices.Repeat(
			[]version{removed}, maxVersions)}, nil, map[string]bool{"c2": true},
			policies.EvaluationError},
	} {
		known := trust{root: "c0", files: test.files}
		if code, problem := known.doubt(
			policies.Wanted(policies.KindRequest, request), policies.Tree{Commit: "t",
				Files: test.tree}, test.later); code != test.code {
			t.Errorf("%s: %s %s, want %q", name, code, problem, test.code)
		}
	}
}

// TestEveryFileThatDecidesIsFollowed: what judges a request or a change is a file whose changes are
// proven.
func TestEveryFileThatDecidesIsFollowed(t *testing.T) {
	wanted := policies.Wanted(policies.KindRequest,
		"requests/prod/payments-debug/20261123-alice-a.yaml")
	for _, path := range []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS",
		identityPath, "policies/groups.yaml", policyPath, freezePath, certifiedPath, "catalog/prod/view.yaml"} {
		if !wanted(path) || !policies.IsTrustRoot(path) {
			t.Errorf("%s: wanted %t, followed %t", path, wanted(path), policies.IsTrustRoot(path))
		}
	}
	for _, path := range []string{"requests/a.yaml", "revocations/a.yaml", "README.md"} {
		if policies.IsTrustRoot(path) {
			t.Errorf("%s is followed", path)
		}
	}
}

// TestBranchRewritten: a branch that a person accepted after it was rewritten is followed from its
// root again.
func TestBranchRewritten(t *testing.T) {
	s := newStage(t)
	first := s.Branch("main")
	s.change("policy", "root", s.longer(3))
	s.once(githubOnly)
	s.Must(s.SetBranch("root", "main", first))
	s.pushFiles("bob", "Other history", s.longer(4))
	s.pause()
	name := s.request("one")
	agent := s.agent(githubOnly)
	s.Must(agent.cluster.Note(t.Context(), kube.AnnotationHead, s.Branch("main")))
	s.outlast(agent)
	s.Must(agent.Once(t.Context()))
	s.refused(name, "PolicyUnproven")
}

// TestLongHistory: a root far back is found, commit by commit of the first-parent line.
func TestLongHistory(t *testing.T) {
	s := newStage(t)
	s.pushFiles("bob", "Longer", s.longer(4))
	for n := range 80 {
		s.pushFiles("bob", "More", map[string]string{"README.md": fmt.Sprint(n)})
	}
	s.pause()
	name := s.request("one")
	s.outlast(s.agent(githubOnly))
	s.once(githubOnly)
	s.refused(name, "PolicyUnproven")
}

// TestBrokenTrust: state that somebody broke proves nothing.
func TestBrokenTrust(t *testing.T) {
	s := newStage(t)
	s.once(githubOnly)
	m, err := s.Admin.CoreV1().ConfigMaps(kube.Namespace).Get(t.Context(), kube.TrustName,
		metav1.GetOptions{})
	s.Must(err)
	m.BinaryData["files"] = packFiles(map[string][]version{policyPath: {}})
	s.Must(err)
	_, err = s.Admin.CoreV1().ConfigMaps(kube.Namespace).Update(t.Context(), m,
		metav1.UpdateOptions{})
	s.Must(err)
	s.request("one")
	if err := s.agent(githubOnly).Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"delete it to have everything proven again") {
		t.Errorf("error: %v", err)
	}
	if len(s.Bindings()) != 0 {
		t.Error("granted")
	}
}
