package policies_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pullgrant/pullgrant/policies"
)

// peers is a policy whose requests the reviewers in the list approve.
func peers(name, reviewers string) string {
	return challenged(name, "{kind: PeerReview, reviewers: ["+reviewers+"], count: 1}")
}

func challenged(name, challenges string) string {
	return "apiVersion: pullgrant.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: " + name +
		"}\nspec:\n  clusters: [prod-eu, staging]\n" +
		"  subjects: [{kind: User, name: alice}]\n  challenges: [" + challenges +
		"]\n  target:\n    maxDuration: 2h\n    grants:\n" +
		"      - {kind: KubernetesRoleBinding, defaultNamespace: payments, allowedNamespaces: " +
		"[payments], roleRef: {kind: ClusterRole, name: logs}}\n"
}

const (
	peerGroup = "{kind: Group, name: platform}"
	peerTeam  = "{kind: Group, name: acme/squad-b}"
	begin     = `# pullgrant: begin (written by "pullgrant codeowners" from the reviewers in policies/)` + "\n"
	ofBoth    = "/requests/prod-eu/logs/  @acme/squad-b @bob @carol\n/requests/staging/logs/  " +
		"@acme/squad-b @bob @carol\n"
	end = "# pullgrant: end\n"
)

func ownersFile(t *testing.T, codeowners string, files map[string]string) policies.OwnersFile {
	t.Helper()
	fsys := fstest.MapFS{policies.GroupsPath: {Data: []byte("apiVersion: " +
		"pullgrant.dev/v1alpha1\nkind: GroupMap\nmetadata: {name: groups}\n" +
		"spec: {groups: [{name: platform, members: [carol, bob]}]}\n")}}
	if codeowners != "" {
		fsys["CODEOWNERS"] = &fstest.MapFile{Data: []byte(codeowners)}
	}
	for name, content := range files {
		fsys[policies.Path(name)] = &fstest.MapFile{Data: []byte(content)}
	}
	tree, err := policies.ReadTree(fsys, "")
	if err != nil {
		t.Fatal(err)
	}
	return tree.OwnersFile()
}

func TestOwnersFile(t *testing.T) {
	both := map[string]string{"logs": peers("logs", peerGroup+", "+peerTeam+
		", {kind: User, name: bob}")}
	for _, test := range []struct {
		name, before string
		policies     map[string]string
		after        string // empty: as before
		findings     string // rules, and lines of the file
	}{
		{"no block yet", "* @dave\n", both, "* @dave\n\n" + begin + ofBoth + end, ""},
		{"no line feed at the end", "* @dave", both, "* @dave\n\n" + begin + ofBoth + end, ""},
		{"block is current", "* @dave\n" + begin + ofBoth + end + "# more\n", both, "", ""},
		{"block is old", "* @dave\n# pullgrant: begin\n/requests/old/ @eve\n# pullgrant: " +
			"end\n\n/docs/ @eve\n", both, "* @dave\n" + begin + ofBoth + end + "\n/docs/ @eve\n",
			""},
		{"two peer reviews make one line", "* @dave\n", map[string]string{"logs": challenged("logs",
			"{kind: PeerReview, reviewers: ["+peerTeam+"], count: 1}, {kind: PeerReview, "+
				"reviewers: ["+peerGroup+"], count: 1}")},
			"* @dave\n\n" + begin + ofBoth + end, ""},
		{"code owners are written by people", "* @dave\n",
			map[string]string{"logs": challenged("logs",
				"{kind: PeerReview, reviewers: ["+peerTeam+
					"], count: 1}, {kind: CodeOwnerReview, count: 1}")}, "", ""},
		{"a block that nothing is left for", "* @dave\n# pullgrant: begin\n/requests/old/ " +
			"@eve\n# pullgrant: end\n", nil, "* @dave\n" + begin + end, ""},
		{"a later line takes the place", "* @dave\n" + begin + ofBoth + end + "/requests/ @dave\n",
			both, "", "codeowners-order:6 codeowners-order:6"},
		{"a second beginning", "* @dave\n# pullgrant: begin\n# pullgrant: begin\n# pullgrant: end\n",
			both, "", "codeowners-block:3"},
		{"a beginning without an end", "* @dave\n# pullgrant: begin\n/docs/ @eve\n", both, "",
			"codeowners-block:2"},
		{"an end without a beginning", "* @dave\n# pullgrant: end\n", both, "",
			"codeowners-block:2"},
		{"a second end", "* @dave\n# pullgrant: begin\n# pullgrant: end\n# pullgrant: end\n", both,
			"", "codeowners-block:4"},
		{"a comment that begins like a mark", "* @dave\n# pullgrant: beginning\n", nil, "", ""},
		{"the file is broken", "* dave\n", both, "", "codeowners-owner:1"},
		{"a policy is broken", "* @dave\n", map[string]string{"logs": "x"}, "", "yaml-document:1"},
		{"no owner of the rules", "/docs/ @dave\n", both, "/docs/ @dave\n\n" + begin + ofBoth + end,
			"codeowners-strict:1 codeowners-strict:1 " +
				"codeowners-strict:1 codeowners-strict:1 codeowners-strict:1 codeowners-strict:1"},
		{"a team whose name CODEOWNERS cannot hold", "* @dave\n",
			map[string]string{"logs": peers("logs", "{kind: Group, name: acme/squad.b}")},
			"", "codeowners-owner:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.after == "" {
				test.after = test.before
			}
			file := ownersFile(t, test.before, test.policies)
			var findings []string
			for _, f := range file.Findings {
				findings = append(findings, f.Rule+":"+strings.Split(f.String(), ":")[1])
			}
			if file.Before != test.before || file.After != test.after || file.Path != "CODEOWNERS" {
				t.Errorf("got\n%s\nwant\n%s", file.After, test.after)
			}
			if got := strings.Join(findings, " "); !strings.HasPrefix(got, test.findings) ||
				test.findings == "" && got != "" {
				t.Errorf("findings %v, want %s", file.Findings, test.findings)
			}
			if again := ownersFile(t, file.After, test.policies); again.After != file.After {
				t.Errorf("written again it is\n%s", again.After)
			}
		})
	}
}

// Without a CODEOWNERS file one is made where GitHub looks first.
func TestOwnersFileIsMade(t *testing.T) {
	file := ownersFile(t, "", map[string]string{"logs": peers("logs", peerGroup+", "+peerTeam)})
	if file.Path != ".github/CODEOWNERS" || file.After != begin+ofBoth+end ||
		len(file.Findings) == 0 || file.Findings[0].Rule != "codeowners-strict" {
		t.Errorf("%+v", file)
	}
}
