package simulation

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// TestUndecided: a commit is undecided until the agents are past it, and again when they lost how far
// they were, each time up to the bound, of the time in which all answers.
func TestUndecided(t *testing.T) {
	after := func(minutes time.Duration) time.Time { return begin.Add(minutes * time.Minute) }
	trust := func(minutes time.Duration, head string) event {
		o := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"head": head}}}
		o.SetName(kube.TrustName)
		return event{at: after(minutes), version: &version{cluster: clusterName,
			Event: cluster.Event{Resource: records, Old: o, New: o}}}
	}
	h := history{
		trust(0, "first"),
		{at: after(1), fact: &fact{unapproved + "second", "yes"}},
		{at: after(1), push: &push{tip: "second", line: "second\nfirst"}},
		trust(12, "second"),
		{at: after(20), push: &push{tip: "third", line: "third\nsecond\nfirst"}},
		trust(30, "first"),
		{at: after(200), end: true},
	}
	troubles := []span{{after(40), after(64)}}
	want := []span{{after(1), after(12)}, {after(30), after(30).Add(decidedOf + 24*time.Minute + toldAgain)}}
	if got := h.undecided(clusterName, troubles); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
