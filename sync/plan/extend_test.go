package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// handOver is a world in which a lives until 11:00 and b, which extends it, has its Job.
func handOver() (World, requests.Grant) {
	a, b := grants.Of("a", 1, 1), grants.Of("b", 1, 1)
	b.Extends, b.NotBefore = a.Name, a.Window.End
	b.Window = requests.NewWindow(a.Window.End.Time, requests.Duration(time.Hour))
	w := World{Cluster: grants.Cluster, Namespaces: map[string]string{"payments": "ns"},
		Main: &Main{Tip: "tip", Requests: map[string]string{a.Path: "b1", b.Path: "b1"},
			Names: map[string][]string{a.Name: {a.Path}, b.Name: {b.Path}}},
		Proofs: map[string]Proof{b.Path: {Blob: "b1", Decision: policies.Decision{
			Outcome: policies.Allowed, Grant: &b, PolicyCommit: "tip"}}},
		Withdrawn: map[string]Why{}}
	for _, g := range []requests.Grant{a, b} {
		r := Record{Phase: Granted, Grant: g, Version: "1", Objects: ObjectsOf(g, true)}
		for i := range r.Objects {
			o := &r.Objects[i]
			o.NamespaceUID, o.Content = "ns", "own"
			if o.IsBinding() && g.Name == b.Name {
				o.Content, r.Phase = "", Granting
				continue
			}
			o.UID = g.Name[len(g.Name)-1:] + o.Kind[:1]
			w.Live = append(w.Live, Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name,
				UID: o.UID, Labelled: true, Managed: true, Content: "own"})
		}
		w.Records = append(w.Records, r)
	}
	return w, b
}

// TestHandOver: what extends live access and gives the same is planned before its window, and
// before the end of what it extends; anything else waits, or is not granted at all.
func TestHandOver(t *testing.T) {
	const (
		beside  = "grant b beside a"
		alone   = "grant b"
		over    = "end a: Expired"
		entered = "enter a"
		forget  = "forget a"
	)
	end := time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		at     time.Time
		change func(w *World, b *requests.Grant)
		want   []string
	}{
		"six seconds before":  {end.Add(-6 * time.Second), nil, nil},
		"five seconds before": {end.Add(-5 * time.Second), nil, []string{beside}},
		"too late": {end, func(w *World, _ *requests.Grant) {
			c := grants.Of("c", 1, 1) // is over too, and is not held up
			w.Records = append(w.Records, Record{Phase: Granted, Grant: c, Version: "1",
				Objects: ObjectsOf(c, false)})
			w.Main.Requests[c.Path] = "b1"
		}, []string{"end c: Denied", beside, over, entered, "enter c", forget, "forget c"}},
		"another role": {end.Add(-5 * time.Second), func(_ *World, b *requests.Grant) {
			b.Items[0].Role.Name = "view"
		}, []string{alone}},
		"another end": {end.Add(-5 * time.Second), func(w *World, _ *requests.Grant) {
			w.Records[0].Grant.Window.End = requests.At(end.Add(time.Minute))
		}, []string{alone}},
		"another subject": {end.Add(-5 * time.Second), func(w *World, _ *requests.Grant) {
			w.Records[0].Grant.Subject.Name = "root@example.com"
		}, []string{alone}},
		"other rules": {end.Add(-5 * time.Second), func(w *World, _ *requests.Grant) {
			w.Records[0].Grant.Items[0].Rules = "sha256:0"
		}, []string{alone}},
		"not granted yet": {end.Add(-5 * time.Second), func(w *World, _ *requests.Grant) {
			w.Records[0].Phase = Granting
			w.Proofs[w.Records[0].Grant.Path] = Proof{}
		}, []string{"grant a", alone}},
		"given back": {end.Add(-5 * time.Second), func(w *World, _ *requests.Grant) {
			w.Withdrawn[w.Records[0].Grant.Path] = Why{Cause: requests.CauseRelinquished}
		}, []string{"end a: Relinquished", entered}},
		"its binding deleted": {end.Add(-time.Minute), func(w *World, _ *requests.Grant) {
			w.Live = slices.DeleteFunc(w.Live, func(l Live) bool { return l.UID == "aR" })
		}, []string{"end a: BindingDeleted", entered}},
		"edited": {end.Add(-5 * time.Second), func(w *World, _ *requests.Grant) {
			i := slices.IndexFunc(w.Live, func(l Live) bool { return l.UID == "aR" })
			w.Live[i].Content = "other"
		}, []string{"end a: Revoked", entered}},
		"ended by somebody": {end, func(w *World, _ *requests.Grant) {
			w.Records[0].Phase, w.Records[0].Cause = Ended, requests.CauseRevoked
			w.Live = slices.DeleteFunc(w.Live, func(l Live) bool { return l.UID[0] == 'a' })
		}, []string{entered, forget}},
		"ended by time": {end, func(w *World, _ *requests.Grant) {
			w.Records[0].Phase, w.Records[0].Cause = Ended, requests.CauseExpired
			w.Live = slices.DeleteFunc(w.Live, func(l Live) bool { return l.UID[0] == 'a' })
		}, []string{alone, entered, forget}},
		"in the ledger since it was judged": {end, func(w *World, _ *requests.Grant) {
			gone(w)
			w.Main.Tip = "next"
		}, nil},
		"in the ledger when it was judged": {end, func(w *World, _ *requests.Grant) {
			gone(w)
		}, []string{alone}},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := handOver()
			if c.change != nil {
				c.change(&w, &b)
			}
			proof := w.Proofs[b.Path]
			proof.Decision.Grant = &b
			w.Proofs[b.Path] = proof
			var got []string
			for _, s := range Make(c.at, w) {
				line := string(s.Action) + " " + strings.TrimPrefix(s.Record.Grant.Name,
					"20261122-alice-")
				if s.Action == End {
					line += ": " + s.Record.Cause
				}
				if s.Overlaps {
					line += " beside a"
				}
				got = append(got, line)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// gone is a world whose ledger has a.
func gone(w *World) {
	name := w.Records[0].Grant.Name
	delete(w.Main.Requests, w.Records[0].Grant.Path)
	w.Main.Names[name] = []string{requests.RevocationPath(grants.Cluster, name)}
	w.Records = w.Records[1:]
	w.Live = slices.DeleteFunc(w.Live, func(l Live) bool {
		return l.UID[0] == 'a'
	})
}

// TestHandOverOfACommand: what extends a command gives the container that was decided for it, and
// overlaps it only so.
func TestHandOverOfACommand(t *testing.T) {
	command := requests.Item{Kind: requests.KubernetesExec, Namespace: "payments",
		Exec: &requests.Exec{Pod: "api-1", Command: []string{"date"}}, Containers: []string{"app", "side"}}
	for name, c := range map[string]struct {
		before, after string // containers; empty: not decided
		want          string
		overlaps      bool
	}{
		"decided":       {"app", "", "app", true},
		"decided alike": {"app", "app", "app", true},
		"decided apart": {"app", "side", "side", false},
	} {
		w, b := handOver()
		for i, container := range []string{c.before, c.after} {
			item := command.Asked()
			item.Name = w.Records[i].Grant.Items[0].Name
			if container != "" {
				item = item.Decided(container)
			}
			w.Records[i].Grant.Items = []requests.Item{item}
			if i == 1 {
				b.Items = []requests.Item{item.Asked()}
				w.Proofs[b.Path].Decision.Grant.Items = b.Items
			}
		}
		p := planner{World: w, now: b.Window.Start.Add(-5 * time.Second), live: map[Object]Live{}}
		for _, l := range w.Live {
			p.live[l.Place()] = l
		}
		p.grant(w.Records[1])
		if len(p.steps) != 1 || p.steps[0].Overlaps != c.overlaps ||
			p.steps[0].Record.Grant.Items[0].Exec.Container != c.want {
			t.Errorf("%s: %+v", name, p.steps)
		}
	}
}
