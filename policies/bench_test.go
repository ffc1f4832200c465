package policies_test

import (
	"testing"

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
