package plan

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// scenario is one file of testdata/plan. A short name x stands for the request 20261122-alice-x
// under the policy payments-debug, whose window is 10:00 to 11:00 and whose bindings, and the Job
// where it has one, are in the namespace payments.
type scenario struct {
	Now  time.Time
	Main *struct {
		Requests map[string]string // short name to blob
		Ledger   []string          // short names
		More     map[string]string // further requests by path
		Other    []string          // further paths
		First    map[string]string // short name to the path that was first; empty: several
	}
	Records []struct {
		Name, Phase, Cause string
		Ended              requests.Time
		Bindings           []struct {
			UID     string
			Planned bool // and not about to be made yet
		}
		Used *bool                 // its command was used, allowed or not; and it is for a single use
		Job  *struct{ UID string } // none: the policy let it be made without
	}
	Live []struct {
		Of, Name, UID, Content    string // a name, where it is not that of the request's object
		Number                    int
		Unmanaged, Elsewhere, Job bool // without the label; of another cluster, or none
	}
	Namespaces map[string]string
	Gone       []struct {
		Of, UID, Content string
		At               time.Time
		Expired          bool
	}
	Doers     map[string]string // short name to login; "": nobody
	Drift     map[string]string
	Withdrawn map[string]string // short name to cause
	// logins of those who withdrew
	Withdrawers map[string]string
	Stopped     []policies.Code
	Proofs      map[string]struct {
		Outcome policies.Outcome
		Code    policies.Code
		Since   time.Time
		Hours   int
		Minutes int    // less, that its window has
		Later   int    // minutes that its window begins later
		Subject string // of its grant, where that is another one
		ARN     string // of its grant, where there is one
		Role    string // likewise
	}
	Want  []string
	Ended map[string]requests.Time // when a grant ended, where the plan knows
	UIDs  map[string][]string      // that a step notes
	By    map[string]string        // logins of those who ended them
}

// person is the account of a login; nobody of none.
func person(login string) requests.Person {
	if login == "" {
		return requests.Person{}
	}
	return requests.Person{Login: login, ID: 100 + int64(len(login)), PullRequest: 9}
}

func (s scenario) world() World {
	w := World{Cluster: grants.Cluster, Namespaces: s.Namespaces,
		Doers: map[string]requests.Person{},
		Drift: map[string]string{}, Withdrawn: map[string]Why{}, Proofs: map[string]Proof{}}
	for short, cause := range s.Withdrawn {
		w.Withdrawn[grants.Path(short)] = Why{cause, person(s.Withdrawers[short])}
	}
	for _, code := range s.Stopped {
		w.Stopped = append(w.Stopped, Stop{Code: code})
	}
	if w.Namespaces == nil {
		w.Namespaces = map[string]string{"payments": "ns"}
	}
	if s.Main != nil {
		w.Main = s.main()
	}
	for _, r := range s.Records {
		record := Record{Phase: Phase(r.Phase), Grant: grants.Of(r.Name, len(r.Bindings), 1),
			Cause: r.Cause, EndedAt: r.Ended, Version: "1"}
		if r.Used != nil {
			record.Grant.Items[0].Once = true
			record.Uses.Add(requests.Use{Command: "run payments/api-1/app date", Allowed: *r.Used})
		}
		if r.Job != nil {
			record.Objects = append(record.Objects, Object{Kind: render.KindJob,
				Namespace: "payments", Name: requests.ObjectName(grants.Name(r.Name), 0),
				NamespaceUID: "ns", UID: r.Job.UID, Content: "own"})
		}
		for i, b := range r.Bindings {
			o := Object{Kind: render.KindRoleBinding, Namespace: "payments",
				Name: requests.ObjectName(grants.Name(r.Name), i), NamespaceUID: "ns",
				UID: b.UID, Content: "own"}
			if b.Planned {
				o.Content = ""
			}
			record.Objects = append(record.Objects, o)
		}
		w.Records = append(w.Records, record)
	}
	live := func(kind, short string, number int, uid, content string) Live {
		return Live{Kind: kind, Namespace: "payments",
			Name: requests.ObjectName(grants.Name(short), number), UID: uid,
			Content: cmp.Or(content, "own"), Labelled: true, Managed: true}
	}
	for _, l := range s.Live {
		kind := render.KindRoleBinding
		if l.Job {
			kind = render.KindJob
		}
		o := live(kind, l.Of, l.Number, l.UID, l.Content)
		o.Labelled, o.Managed = !l.Unmanaged, !l.Unmanaged && !l.Elsewhere
		o.Name = cmp.Or(l.Name, o.Name)
		w.Live = append(w.Live, o)
	}
	for _, g := range s.Gone {
		w.Gone = append(w.Gone, Gone{Live: live(render.KindRoleBinding, g.Of, 0, g.UID, g.Content),
			At: g.At, Expired: g.Expired})
	}
	for short, login := range s.Doers {
		w.Doers[grants.Path(short)] = person(login)
	}
	for short, cause := range s.Drift {
		w.Drift[grants.Path(short)] = cause
	}
	for short, p := range s.Proofs {
		grant := grants.Of(short, 1, max(p.Hours, 1))
		grant.Subject.Name = cmp.Or(p.Subject, grant.Subject.Name)
		grant.ARN = p.ARN
		grant.Items[0].Role.Name = cmp.Or(p.Role, grant.Items[0].Role.Name)
		grant.Window.End = requests.At(grant.Window.End.Add(-time.Duration(p.Minutes) * time.Minute))
		grant.Window.Start = requests.At(grant.Window.Start.Add(time.Duration(p.Later) * time.Minute))
		w.Proofs[grants.Path(short)] = Proof{Blob: "b1", Since: p.Since,
			Decision: policies.Decision{Outcome: p.Outcome, Code: p.Code, Grant: &grant}}
	}
	return w
}

// main is the branch of a scenario that has one.
func (s scenario) main() *Main {
	main := &Main{Tip: "tip", Requests: map[string]string{}, Names: map[string][]string{},
		First: map[string]string{}}
	name := func(path string) {
		base := strings.TrimSuffix(filepath.Base(path), ".yaml")
		main.Names[base] = append(main.Names[base], path)
	}
	for short, blob := range s.Main.Requests {
		main.Requests[grants.Path(short)] = blob
		name(grants.Path(short))
	}
	for path, blob := range s.Main.More {
		main.Requests[path] = blob
		name(path)
	}
	for _, short := range s.Main.Ledger {
		name(requests.RevocationPath(grants.Cluster, grants.Name(short)))
	}
	for _, path := range s.Main.Other {
		name(path)
	}
	for short, path := range s.Main.First {
		main.First[grants.Name(short)] = path
	}
	return main
}

func TestPlan(t *testing.T) {
	files, err := filepath.Glob("../../testdata/plan/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s scenario
			decoder := yaml.NewDecoder(bytes.NewReader(data))
			decoder.KnownFields(true)
			if err := decoder.Decode(&s); err != nil {
				t.Fatal(err)
			}
			w := s.world()
			steps := Make(s.Now, w)
			var got []string
			for _, step := range steps {
				got = append(got, step.String())
			}
			if !slices.Equal(got, s.Want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "),
					strings.Join(s.Want, "\n  "))
			}
			for _, step := range steps {
				for short, at := range s.Ended {
					if step.Action == End && step.Record.Grant.Name == grants.Name(short) &&
						!step.Record.EndedAt.Equal(at.Time) {
						t.Errorf("%s ended at %s, want %s", short, step.Record.EndedAt, at)
					}
				}
				for short, login := range s.By {
					if slices.Contains([]Action{End, Deny, Enter}, step.Action) &&
						step.Record.Grant.Name == grants.Name(short) &&
						step.Record.EndedBy != person(login) {
						t.Errorf("%q says that %v ended it, want %q", step, step.Record.EndedBy,
							login)
					}
				}
				for short, uids := range s.UIDs {
					if step.Action == Grant && step.Record.Grant.Name == grants.Name(short) &&
						step.Record.Objects[0].UID != uids[0] {
						t.Errorf("%s notes UID %q, want %s", short,
							step.Record.Objects[0].UID, uids[0])
					}
				}
			}
			if sim := newSimulation(w); sim.apply(s.Now, steps) != nil ||
				len(Make(s.Now, sim.World)) != 0 {
				t.Errorf("planning again gives %v", Make(s.Now, sim.World))
			}
		})
	}
}
