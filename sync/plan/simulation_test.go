package plan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// simulation is a world that steps are applied to, in the smallest parts the real agent can be
// killed between.
type simulation struct {
	World
	budget  int // parts that may still be done; negative: no limit
	uids    int
	created map[string]string // request by the name of every binding whose UID was noted, ever
	entered map[string]int    // ledger entries written, by request
	made    map[string]bool   // requests that ever had a binding
	// requests that had, and that the ledger says had none because their time was over
	lost   []string
	grants map[string]requests.Grant

	conflict bool // something stood under the name of a new binding, which no plan can know
}

func newSimulation(w World) *simulation {
	s := &simulation{World: w, budget: -1, created: map[string]string{}, entered: map[string]int{},
		made: map[string]bool{}, grants: map[string]requests.Grant{}}
	s.Records = slices.Clone(w.Records)
	s.Live = slices.Clone(w.Live)
	if w.Main != nil {
		s.Main = &Main{Requests: maps.Clone(w.Main.Requests), Names: maps.Clone(w.Main.Names),
			First: maps.Clone(w.Main.First)}
	}
	return s
}

var errKilled = fmt.Errorf("killed")

func (s *simulation) part() error {
	if s.budget == 0 {
		return errKilled
	}
	s.budget--
	return nil
}

func (s *simulation) save(r Record) {
	r.Version = "1"
	for _, o := range r.Objects {
		if o.UID != "" {
			s.created[o.Kind+o.Name] = r.Grant.Name
		}
	}
	i := slices.IndexFunc(s.Records, func(o Record) bool { return o.Grant.Name == r.Grant.Name })
	if i < 0 {
		s.Records = append(s.Records, r)
		return
	}
	s.Records[i] = r
}

// apply returns errKilled when the budget ends, and another error for a step that must never be.
func (s *simulation) apply(now time.Time, steps []Step) error {
	for _, step := range steps {
		r := step.Record
		r.Objects = slices.Clone(r.Objects)
		if step.Action == End && len(step.Delete) > 0 && r.Cause != requests.CauseExpired {
			if err := s.part(); err != nil {
				return err
			}
			begun := r
			begun.Phase, begun.Objects = Ending, slices.Clone(r.Objects)
			s.save(begun)
		}
		for _, b := range step.Delete {
			if err := s.part(); err != nil {
				return err
			}
			s.Live = slices.DeleteFunc(s.Live, func(l Live) bool { return l.UID == b.UID })
		}
		switch step.Action {
		case End, Deny:
			if r.EndedAt.IsZero() {
				r.EndedAt = requests.At(now)
			}
			if err := s.part(); err != nil {
				return err
			}
			s.save(r)
		case Note, Schedule:
			if err := s.part(); err != nil {
				return err
			}
			s.save(r)
		case Grant:
			if err := s.grant(now, r); err != nil {
				return err
			}
		case Enter, Discard:
			if err := s.part(); err != nil {
				return err
			}
			s.enter(step)
		case Forget:
			if err := s.part(); err != nil {
				return err
			}
			s.Records = slices.DeleteFunc(s.Records,
				func(o Record) bool { return o.Grant.Name == r.Grant.Name })
		}
	}
	return nil
}

func (s *simulation) grant(now time.Time, r Record) error {
	if len(r.Objects) == 0 {
		r.Objects = ObjectsOf(r.Grant, true)
		for i, o := range r.Objects {
			r.Objects[i].NamespaceUID = s.Namespaces[o.Namespace]
			if !o.IsBinding() {
				r.Objects[i].Content = "own"
			}
		}
	}
	if err := s.part(); err != nil {
		return err
	}
	r.Phase = Granting
	s.save(Record{Phase: Granting, Grant: r.Grant, Objects: slices.Clone(r.Objects)})
	s.grants[r.Grant.Name] = r.Grant
	for i, o := range r.Objects {
		if o.UID != "" {
			continue
		}
		if start := r.Grant.Window.Start.Time; o.IsBinding() && now.Before(start) {
			if start.Sub(now) > Wait { // a later pass goes on
				return nil
			}
			now = start
		}
		if o.IsBinding() { // that it is about to be made, and which Job owns it, is noted
			if err := s.part(); err != nil {
				return err
			}
			r.Objects[i].Content = "own"
			s.save(Record{Phase: Granting, Grant: r.Grant, Objects: slices.Clone(r.Objects)})
		}
		if err := s.part(); err != nil {
			return err
		}
		if o.IsBinding() && !r.Grant.Window.Open(now) {
			return fmt.Errorf("%s created outside its window", r.Grant.Name)
		}
		if who, twice := s.created[o.Kind+o.Name]; twice {
			return fmt.Errorf("%s %s created twice, first for %s", o.Kind, o.Name, who)
		}
		if slices.ContainsFunc(s.Live, func(l Live) bool { return l.Place() == o.Place() }) {
			s.Live = slices.DeleteFunc(s.Live, func(l Live) bool {
				return slices.ContainsFunc(r.Objects, func(o Object) bool { return o.UID == l.UID })
			})
			r.Phase, r.Cause, r.Code, r.EndedAt = Ended, requests.CauseDenied,
				string(policies.BindingConflict), requests.At(now)
			s.save(r)
			s.conflict = true
			return nil
		}
		s.uids++
		r.Objects[i].UID = fmt.Sprintf("made-%d", s.uids)
		s.Live = append(s.Live, Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name,
			UID: r.Objects[i].UID, Labelled: true, Managed: true, Content: "own"})
		if o.IsBinding() {
			s.made[r.Grant.Name] = true
		}
	}
	if err := s.part(); err != nil {
		return err
	}
	r.Phase = Granted
	s.save(r)
	return nil
}

func (s *simulation) enter(step Step) {
	g := step.Record.Grant
	delete(s.Main.Requests, g.Path)
	names := slices.DeleteFunc(slices.Clone(s.Main.Names[g.Name]),
		func(p string) bool { return p == g.Path })
	ledger := requests.RevocationPath(grants.Cluster, g.Name)
	if step.Action == Enter && !slices.Contains(names, ledger) {
		names = append(names, ledger)
		s.entered[g.Name]++
		if r := step.Record; s.made[g.Name] && r.Code == string(policies.ExpiredBeforeGrant) {
			s.lost = append(s.lost, g.Name)
		}
	}
	s.Main.Names[g.Name] = names
	s.order(g.Name)
}

// order has the branch say which request of a name it had first: names are in their order.
func (s *simulation) order(name string) {
	delete(s.Main.First, name)
	for _, path := range s.Main.Names[name] {
		if _, asked := requests.SplitPath(path); asked {
			s.Main.First[name] = path
			return
		}
	}
}

// TestPlanProperties lets random things happen to a world for some hours, kills the agent between
// any two parts of its work, and holds every pass that was not killed to what must always be true.
func TestPlanProperties(t *testing.T) {
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newSimulation(World{Cluster: grants.Cluster, Main: &Main{Requests: map[string]string{},
			Names: map[string][]string{}, First: map[string]string{}},
			Namespaces: map[string]string{"payments": "ns"}, Doers: map[string]requests.Person{},
			Proofs: map[string]Proof{}})
		now := time.Date(2026, 11, 22, 9, 50, 0, 0, time.UTC)
		for step := range 40 {
			now = now.Add(time.Duration(random.IntN(12)) * time.Minute)
			s.disturb(random, now)
			w := s.World
			if random.IntN(4) == 0 {
				w.Main = nil
			}
			steps := Make(now, w)
			if at := slices.IndexFunc(
				steps, func(s Step) bool { return s.Action != End && s.Action != Sweep }); at >= 0 {
				if late := slices.IndexFunc(
					steps[at:], func(s Step) bool { return len(s.Delete) > 0 }); late >= 0 {
					t.Fatalf("seed %d, step %d: %q comes after %q", seed, step,
						steps[at+late], steps[at])
				}
			}
			if w.Main == nil && slices.ContainsFunc(steps, func(s Step) bool {
				return slices.Contains([]Action{Schedule, Deny, Enter, Discard, Forget}, s.Action) ||
					s.Action == Grant && s.Record.Phase == ""
			}) {
				t.Fatalf("seed %d, step %d: without git it plans %q", seed, step, steps)
			}
			s.budget, s.conflict = -1, false
			if random.IntN(3) == 0 {
				s.budget = random.IntN(6)
			}
			err := s.apply(now, steps)
			if err == errKilled {
				s.World.Gone = nil // a new agent has seen nothing
				continue
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			if w.Records, w.Live = s.Records, s.Live; s.conflict {
				s.budget = -1
				if err := s.apply(now, Make(now, w)); err != nil {
					t.Fatalf("seed %d, step %d: %v", seed, step, err)
				}
				w.Records, w.Live = s.Records, s.Live
			}
			if again := Make(now, w); len(again) > 0 {
				t.Fatalf("seed %d, step %d: after %q it plans %q", seed, step, steps, again)
			}
			s.check(t, seed, step, now)
		}
	}
}

// check is what must be true after a whole pass.
func (s *simulation) check(t *testing.T, seed uint64, step int, now time.Time) {
	t.Helper()
	for _, l := range s.Live {
		name, ours := s.created[l.Kind+l.Name]
		if ours && l.Managed && !now.Before(s.grants[name].Window.End.Time) {
			t.Fatalf("seed %d, step %d: %s lives past %s", seed, step, l.Name,
				s.grants[name].Window.End)
		}
		if l.Ours() && !slices.ContainsFunc(s.Records, func(r Record) bool {
			return r.Phase != Ended && slices.ContainsFunc(r.Objects, func(o Object) bool {
				return (o.UID == l.UID || o.UID == "" && l.Place() == o.Place()) &&
					l.Content == o.Content
			})
		}) {
			t.Fatalf("seed %d, step %d: nothing explains %+v", seed, step, l)
		}
	}
	for name, n := range s.entered {
		if n > 1 {
			t.Fatalf("seed %d, step %d: %d ledger entries of %s", seed, step, n, name)
		}
	}
	if len(s.lost) > 0 {
		t.Fatalf("seed %d, step %d: the ledger does not say that %q were granted",
			seed, step, s.lost)
	}
}

// disturb does what people, GitHub and the network may do.
func (s *simulation) disturb(random *rand.Rand, now time.Time) {
	short := string(rune('a' + random.IntN(4)))
	name, path := grants.Name(short), grants.Path(short)
	put := func(path, blob string) {
		if _, there := s.Main.Requests[path]; !there {
			s.Main.Names[name] = append(slices.Clone(s.Main.Names[name]), path)
			s.order(name)
		}
		s.Main.Requests[path] = blob
		delete(s.Doers, path)
	}
	switch random.IntN(13) {
	case 0, 1, 2:
		put(path, "b1")
		grant := grants.Of(short, 1+random.IntN(2), 1+random.IntN(2))
		outcomes := []policies.Outcome{policies.Allowed, policies.Allowed, policies.Allowed,
			policies.Denied, policies.Failed}
		s.Proofs[path] = Proof{Blob: "b1", Since: now,
			Decision: policies.Decision{Outcome: outcomes[random.IntN(len(outcomes))],
				Grant: &grant}}
	case 3:
		if _, there := s.Main.Requests[path]; there {
			delete(s.Main.Requests, path)
			s.Main.Names[name] = slices.DeleteFunc(slices.Clone(s.Main.Names[name]),
				func(p string) bool { return p == path })
			s.order(name)
		}
	case 4:
		s.Doers[path] = []requests.Person{{}, {Login: "alice", ID: 101, PullRequest: 9},
			{Login: "bob", ID: 102, PullRequest: 9}}[random.IntN(3)]
	case 5:
		put(path, "b2")
	case 6:
		put(requests.Path(grants.Cluster, "other", name), "b1")
	case 7: // an object vanishes, seen or not; only bindings are watched
		if len(s.Live) > 0 {
			i := random.IntN(len(s.Live))
			if random.IntN(2) == 0 && s.Live[i].Kind == render.KindRoleBinding {
				s.Gone = append(slices.Clone(s.Gone),
					Gone{Live: s.Live[i], At: now.Add(-time.Minute), Expired: random.IntN(2) == 0})
			}
			s.Live = slices.Delete(slices.Clone(s.Live), i, i+1)
		}
	case 8: // or is edited
		if len(s.Live) > 0 {
			s.Live = slices.Clone(s.Live)
			i := random.IntN(len(s.Live))
			s.Live[i].Content, s.Live[i].Managed = "other", random.IntN(2) == 0
			s.Live[i].Labelled = s.Live[i].Managed || random.IntN(2) == 0
		}
	case 9: // or made by hand
		made := Live{Kind: []string{render.KindJob, render.KindRoleBinding}[random.IntN(2)],
			Namespace: "payments", Name: requests.ObjectName(name, 0),
			UID: fmt.Sprintf("hand-%d", s.uids), Managed: random.IntN(2) == 0,
			Content: []string{"own", "other"}[random.IntN(2)]}
		made.Labelled = made.Managed || random.IntN(2) == 0
		if !slices.ContainsFunc(s.Live,
			func(l Live) bool { return l.Kind == made.Kind && l.Name == made.Name }) {
			s.uids++
			s.Live = append(slices.Clone(s.Live), made)
		}
	case 10:
		s.Withdrawn = map[string]Why{grants.Path(short): {Cause: []string{
			requests.CauseRelinquished, requests.CauseRevoked}[random.IntN(2)]}}
	case 11:
		s.Withdrawn, s.Stopped = nil, nil
		if random.IntN(2) == 0 {
			s.Stopped = []Stop{{Code: policies.RulesetWeakened}}
		}
	case 12:
		s.Namespaces = map[string]string{"payments": fmt.Sprintf("ns-%d", random.IntN(2))}
	}
}
