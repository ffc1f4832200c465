package policies_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

const accessrepo = "../testdata/accessrepo"

func TestExampleRepositoryIsValid(t *testing.T) {
	findings, files, err := policies.Validate(os.DirFS(accessrepo), "acme", policies.InTurn)
	if err != nil || len(findings) > 0 || files < 5 {
		t.Fatalf("%d files, %v, %v", files, findings, err)
	}
}

// Each file names the schema of its kind in its first line, and is valid under it.
func TestExampleRepositoryNamesItsSchemas(t *testing.T) {
	count := 0
	err := fs.WalkDir(os.DirFS(accessrepo), ".", func(name string, entry fs.DirEntry,
		err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		count++
		data, err := fs.ReadFile(os.DirFS(accessrepo), name)
		if err != nil {
			return err
		}
		var header struct {
			Kind string `yaml:"kind"`
		}
		if err := yaml.Unmarshal(data, &header); err != nil {
			return err
		}
		want := "# yaml-language-server: $schema=" + requests.SchemaAddress(header.Kind)
		if first, _, _ := strings.Cut(string(data), "\n"); first != want {
			t.Errorf("%s begins with %q, not %q", name, first, want)
		}
		if err := validate(t, compile(t, header.Kind), data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return nil
	})
	if err != nil || count < 4 {
		t.Fatalf("%d YAML files, %v", count, err)
	}
}

// Under each policy alice can ask for what the example says, and is told who may approve.
func TestExampleRepositoryTakesRequests(t *testing.T) {
	tree, err := policies.ReadTree(os.DirFS(accessrepo), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ cluster, policy, grant, challenge string }{
		{"prod-eu", "payments-debug", "alice@example.com payments-debug in payments for 1h",
			"CodeOwnerReview 1 of [acme/squad-b bob]"},
		{"staging", "staging-logs", "alice@example.com logs-reader in payments for 4h",
			"PeerReview 1 of [bob carol]"},
	} {
		const name = "20261122-alice-inc-123"
		path := requests.Path(want.cluster, want.policy, name)
		content := fmt.Sprintf("apiVersion: pullgrant.dev/v1alpha1\nkind: "+
			"AccessRequest\nmetadata: {name: %s}\n"+
			"spec: {cluster: %s, policy: %s, requester: alice, reason: checkout is slow}\n", name,
			want.cluster, want.policy)
		d := policies.Preview(tree, path, policies.TreeFile{Mode: "100644", Content: content})
		if d.Outcome != policies.Allowed || d.Grant == nil || len(d.Grant.Items) != 1 ||
			len(d.Challenges) != 1 {
			t.Fatalf("%s: %+v", path, d)
		}
		b, c := d.Grant.Items[0], d.Challenges[0]
		if got := fmt.Sprintf("%s %s in %s for %s", d.Grant.Subject.Name, b.Role.Name, b.Namespace,
			d.Grant.Duration); got != want.grant {
			t.Errorf("%s gives %s, not %s", path, got, want.grant)
		}
		if got := fmt.Sprintf("%s %d of %v", c.Kind, c.Count, c.Reviewers); got != want.challenge {
			t.Errorf("%s needs %s, not %s", path, got, want.challenge)
		}
	}
}
