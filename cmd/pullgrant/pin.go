package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// home is the repository whose commit a workflow pins.
const home = "pullgrant/pullgrant"

// pin is what a build tells of the commit that it was made from.
type pin struct {
	Commit string // in full; empty where the build only knows Ref, or nothing
	Ref    string // a release's tag, or the first digits of a commit: GitHub knows the commit by it
}

// pinOf finds the commit of a build: what was stamped or recorded from a checkout, else what stands
// in the version of the module, which is all that "go install" records.
func pinOf(b build) pin {
	version, _, _ := strings.Cut(b.Version, "+")
	switch {
	case commitPattern.MatchString(b.Commit):
		return pin{Commit: b.Commit}
	case module.IsPseudoVersion(version):
		if digits, err := module.PseudoVersionRev(version); err == nil {
			return pin{Ref: digits}
		}
	case semver.IsValid(version):
		return pin{Ref: version}
	}
	return pin{}
}

// pinnedCommit is the commit of this build, which a workflow pins. Of a program that "go install"
// made only GitHub knows it.
func pinnedCommit(ctx context.Context, w world, b build) (string, error) {
	const give = "give --pin and the 40 digits of a commit of " + home
	p := pinOf(b)
	switch {
	case p.Commit != "":
		return p.Commit, nil
	case p.Ref == "":
		return "", fmt.Errorf("find the commit to pin: this build knows neither its commit nor its "+
			"version; %s", give)
	}
	client, _, err := remote{repo: home}.client(ctx, w)
	if err == nil {
		var commit string
		if commit, err = client.CommitOf(ctx, p.Ref); err == nil {
			w.say("%s of %s is the commit %s, as GitHub says", p.Ref, home, commit)
			return commit, nil
		}
	}
	return "", fmt.Errorf("find the commit to pin: this build knows its version, %s, and GitHub does "+
		"not tell the commit of that: %w; %s, which \"%s\" prints", b.Version, err, give, tellCommit(p.Ref))
}

func tellCommit(ref string) string { return "gh api repos/" + home + "/commits/" + ref + " --jq .sha" }

// compiles says what it costs to pin the commit of a build that has no binary; empty where it has
// one. Only the commit that a release's tag names does, and only "go install" pins that one
// (docs/decisions/0010-action-binary.md).
func compiles(b build) string {
	release := semver.IsValid(b.Version) && semver.Prerelease(b.Version) == "" &&
		semver.Build(b.Version) == ""
	instead := "pin a release's commit with --pin once there is one, or that of a fork, with --action, " +
		"that holds what \"make release\" writes as release/checksums"
	switch p := pinOf(b); {
	case release && p.Commit == "":
		return ""
	case release:
		instead = "pin the commit that \"" + tellCommit(b.Version) + "\" prints, with --pin"
	}
	return "the pinned commit has no binary (release/checksums), so the Action compiles the program on " +
		"every judgement, which takes minutes of a runner each time; " + instead
}
