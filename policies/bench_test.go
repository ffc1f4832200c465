package policies_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// BenchmarkEvaluate judges the scenario of a request that is allowed, as an agent does for a policy
// that it has seen before.
func BenchmarkEvaluate(b *testing.B) {
	for _, c := range cases.All(b) {
		if c.Name != "request/allow_approved_by_code_owner" {
			continue
		}
		b.ReportAllocs()
		for b.Loop() {
			c.Judge(c.Facts)
		}
	}
}

// BenchmarkEvaluateAmong judges that scenario beside so many other policies.
func BenchmarkEvaluateAmong(b *testing.B) {
	for _, many := range []int{3, 300} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			c := scenarios(b)["request/allow_approved_by_code_owner"]
			files := maps.Clone(c.Facts.Base.Files)
			policy := files["policies/payments-debug.yaml"]
			for n := range many {
				name := fmt.Sprintf("other-%d", n)
				other := policy
				other.Content = strings.Replace(policy.Content, "name: payments-debug", "name: "+name, 1)
				files[policies.Path(name)] = other
			}
			c.Facts.Base.Files = files
			b.ReportAllocs()
			for b.Loop() {
				if d := c.Judge(c.Facts); d.Outcome != policies.Allowed {
					b.Fatal(d.Message)
				}
			}
		})
	}
}

// BenchmarkValidate checks the example repository with so many requests in it.
func BenchmarkValidate(b *testing.B) {
	for _, many := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../testdata/accessrepo")); err != nil {
				b.Fatal(err)
			}
			for n := range many {
				name := fmt.Sprintf("20261122-alice-inc-%d", n)
				path := filepath.Join(dir, requests.Path("prod-eu", "payments-debug", name))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					b.Fatal(err)
				}
				text := fmt.Sprintf("apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRequest\n"+
					"metadata: {name: %s}\nspec:\n  cluster: prod-eu\n  policy: payments-debug\n"+
					"  requester: alice\n  duration: 1h\n  reason: INC-%d, checkout is slow\n",
					name, n)
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				findings, files, err := policies.Validate(os.DirFS(dir), "acme",
					policies.InTurn)
				if err != nil || len(findings) > 0 || files < many {
					b.Fatal(files, findings, err)
				}
			}
		})
	}
}
