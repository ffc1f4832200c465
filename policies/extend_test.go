package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// impersonating gives the policy of the scenarios to an identity of the grant's own, and withTwo
// gives it another grant.
var (
	impersonating = strings.NewReplacer("  target:\n", "  target:\n    mode: Impersonate\n")
	withTwo       = strings.NewReplacer("    grants:\n", `    grants:
      - kind: KubernetesRoleBinding
        name: two
        defaultNamespace: billing
        allowedNamespaces: [billing]
        roleRef: {kind: ClusterRole, name: payments-debug}
`, "        roleRef:", "        name: one\n        roleRef:")
)

// TestAlreadyGranted: the same access under the same policy is not asked for while it is live; it
// is named with its end. Anything else may be asked for, and what is merged is not refused for it.
func TestAlreadyGranted(t *testing.T) {
	const name = "20261123-alice-inc-122"
	for what, c := range map[string]struct {
		change func(f *policies.Facts, l *policies.Live)
		code   policies.Code
	}{
		"the same": {func(*policies.Facts, *policies.Live) {}, policies.AlreadyGranted},
		"not granted": {func(_ *policies.Facts, l *policies.Live) {
			l.Ungranted = policies.InsufficientApprovals
		}, ""},
		"older facts": {func(_ *policies.Facts, l *policies.Live) {
			l.Window = requests.Window{}
		}, ""},
		"over": {func(_ *policies.Facts, l *policies.Live) {
			l.Window.End = requests.At(l.Window.Start.Add(time.Minute))
		}, ""},
		"to begin": {func(_ *policies.Facts, l *policies.Live) {
			l.Window = requests.NewWindow(l.Window.End.Time, requests.Duration(time.Hour))
		}, ""},
		"the same by an identity": {func(f *policies.Facts, l *policies.Live) {
			l.Policy.Content = impersonating.Replace(l.Policy.Content)
			f.Base.Files["policies/payments-debug.yaml"] = l.Policy
		}, policies.AlreadyGranted},
		"by an identity, and now directly": {func(_ *policies.Facts, l *policies.Live) {
			l.Policy.Content = impersonating.Replace(l.Policy.Content)
		}, ""},
		"one grant of two": {func(f *policies.Facts, l *policies.Live) {
			l.Policy.Content = withTwo.Replace(l.Policy.Content)
			f.Base.Files["policies/payments-debug.yaml"] = l.Policy
			l.File.Content += "  grants: [one]\n"
		}, ""},
		"the same grant of two": {func(f *policies.Facts, l *policies.Live) {
			l.Policy.Content = withTwo.Replace(l.Policy.Content)
			f.Base.Files["policies/payments-debug.yaml"] = l.Policy
			l.File.Content += "  grants: [one]\n"
			head := f.Head.Files[cases.Path]
			head.Content += "  grants: [one]\n"
			f.Head.Files[cases.Path] = head
		}, policies.AlreadyGranted},
		"the same namespaces": {func(f *policies.Facts, l *policies.Live) {
			l.File.Content += "  namespace: \"*\"\n"
			head := f.Head.Files[cases.Path]
			head.Content += "  namespace: ^payments|billing$\n"
			f.Head.Files[cases.Path] = head
		}, policies.AlreadyGranted},
		"one of the namespaces": {func(_ *policies.Facts, l *policies.Live) {
			l.File.Content += "  namespace: pay*\n"
		}, policies.AlreadyGranted},
		"more namespaces": {func(_ *policies.Facts, l *policies.Live) {
			l.File.Content += "  namespace: \"*\"\n"
		}, ""},
		"in another namespace": {func(_ *policies.Facts, l *policies.Live) {
			l.File.Content += "  namespace: billing\n"
		}, ""},
		"another role": {func(_ *policies.Facts, l *policies.Live) {
			l.Policy.Content = strings.Replace(l.Policy.Content,
				"ClusterRole, name: payments-debug",
				"ClusterRole, name: view", 1)
		}, ""},
		"of another person": {func(_ *policies.Facts, l *policies.Live) {
			l.Path = strings.Replace(l.Path, "alice", "alice-sre", 1)
			l.File.Content = strings.NewReplacer("20261123-alice", "20261123-alice-sre",
				"requester: alice", "requester: alice-sre").Replace(l.File.Content)
		}, ""},
		"under another policy": {func(_ *policies.Facts, l *policies.Live) {
			l.Path = strings.Replace(l.Path, "payments-debug", "other", 1)
			l.File.Content = strings.Replace(l.File.Content, "policy: payments-debug",
				"policy: other", 1)
			l.Policy.Content = strings.Replace(l.Policy.Content, "  name: payments-debug\n",
				"  name: other\n", 1)
		}, ""},
		"of another cluster": {func(_ *policies.Facts, l *policies.Live) {
			l.Path = strings.Replace(l.Path, "prod-eu", "prod-us", 1)
		}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			s := cases.Base(t)
			f := s.Facts
			content := strings.ReplaceAll(f.Head.Files[cases.Path].Content, "inc-123", name[15:])
			l := policies.Live{Path: strings.Replace(cases.Path, "inc-123", name[15:], 1),
				File: policies.NewTreeFile(policies.PlainFile, "blob", []byte(content),
					int64(len(content))),
				Policy: f.Base.Files["policies/payments-debug.yaml"],
				Window: requests.NewWindow(s.Now.Add(-30*time.Minute),
					requests.Duration(time.Hour))}
			c.change(&f, &l)
			f.Live = []policies.Live{l}
			d := policies.Evaluate(f.Base, f, s.Now)
			if d.Code != c.code || (d.Outcome == policies.Denied) != (c.code != "") ||
				c.code != "" && !strings.Contains(d.Message, name+" until 2026-11-23T10:30:00Z") {
				t.Errorf("%s %s: %s", d.Outcome, d.Code, d.Message)
			}
			merged, ok := s.Landed(t)
			if !ok {
				t.Fatal("it cannot be merged")
			}
			merged.Facts.Live = []policies.Live{l}
			if d := merged.Judge(merged.Facts); d.Outcome != policies.Allowed {
				t.Errorf("once merged: %s %s: %s", d.Outcome, d.Code, d.Message)
			}
		})
	}
}
