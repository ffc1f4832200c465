package policies_test

import (
	"fmt"
	"os"
	"path/filepath"
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
