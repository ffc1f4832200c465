package action

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/policies"
)

// TestLogVerdict: the first line has the colour of the verdict, what explains it none.
func TestLogVerdict(t *testing.T) {
	for outcome, want := range map[policies.Outcome]string{
		policies.Allowed: "::notice::", policies.Pending: "::warning::",
		policies.Denied: "::error::", policies.Failed: "::error::",
	} {
		var log bytes.Buffer
		logVerdict(githubactions.New(githubactions.WithWriter(&log)), verdict{number: 7,
			decision: policies.Decision{Outcome: outcome, Message: "m",
				Challenges: []policies.ChallengeResult{{Kind: "PeerReview", Count: 1}}}})
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if !strings.HasPrefix(lines[0], want) || len(lines) < 2 ||
			!strings.HasPrefix(lines[1], "::notice::") {
			t.Errorf("%s: the log is\n%s", outcome, log.String())
		}
	}
}
