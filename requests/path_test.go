package requests_test

import (
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// TestFactsPath: facts stand beside their entry, and nothing else is taken for facts.
func TestFactsPath(t *testing.T) {
	const entry = "revocations/prod-eu/20261122/20261122-alice-inc-123.yaml"
	facts := requests.FactsPath(entry)
	if facts != "revocations/prod-eu/20261122/20261122-alice-inc-123.facts.json" {
		t.Errorf("the facts of %s stand at %s", entry, facts)
	}
	if back, ok := requests.SplitFactsPath(facts); !ok || back != entry {
		t.Errorf("%s stands beside %s, %t", facts, back, ok)
	}
	if _, ok := requests.SplitRevocationPath(facts); ok {
		t.Errorf("%s is taken for an entry", facts)
	}
	for _, path := range []string{"", ".facts.json", entry,
		"revocations/prod-eu/20261122/20261122-alice-inc-123.facts.yaml",
		"revocations/prod-eu/20261123/20261122-alice-inc-123.facts.json",
		"revocations/prod-eu/20261122/20261122-alice-inc-123.facts.json.facts.json",
		"revocations/prod-eu/20261122/x/20261122-alice-inc-123.facts.json",
		"requests/prod-eu/payments-debug/20261122-alice-inc-123.facts.json"} {
		if entry, ok := requests.SplitFactsPath(path); ok {
			t.Errorf("%s is taken for the facts of %s", path, entry)
		}
	}
}
