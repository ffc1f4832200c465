package sync

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// stranded is an agent that nobody answers.
func stranded(t *testing.T) *Agent {
	t.Helper()
	const nowhere = "http://127.0.0.1:1"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	repository, err := git.NewRepository(nowhere+"/access.git", "main", nil, nil)
	must(err)
	clock := func() time.Time { return noon }
	hub, err := github.New(github.Config{APIURL: nowhere, Owner: "acme", Repo: "access",
		CheckApp: 7001, Clock: clock,
		Token: func(context.Context) (string, error) { return "token", nil }})
	must(err)
	a, err := NewAgent(Config{Cluster: grants.Cluster, Identity: "replica", Repository: repository,
		GitHub: hub, Kubernetes: &kube.Config{Host: nowhere}, Poll: time.Second, Clock: clock,
		Logger: slog.New(slog.DiscardHandler)})
	must(err)
	return a
}

// TestNothingAnswers: whatever is begun when its time is over is an error that says so, and is
// never taken for done or for nothing to do.
func TestNothingAnswers(t *testing.T) {
	tip := strings.Repeat("a", 40)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	g := grants.Of("stranded", 1, 1)
	g.Window = requests.NewWindow(noon, requests.Duration(time.Hour))
	record := plan.Record{Phase: plan.Granting, Grant: g, Objects: plan.ObjectsOf(g, true)}
	made := record
	made.Objects = plan.ObjectsOf(g, true)
	for i := range made.Objects {
		made.Objects[i].UID = "made"
	}
	main := &plan.Main{Tip: tip, Requests: map[string]string{g.Path: tip},
		Names: map[string][]string{g.Name: {g.Path}}}
	allowed := map[string]plan.Proof{g.Path: {Blob: tip, At: noon,
		Decision: policies.Decision{Outcome: policies.Allowed, Grant: &g}}}
	passed := func(do func(*pass) error) func(*Agent) error {
		return func(a *Agent) error {
			p := &pass{Agent: a, main: main, world: plan.World{Main: main}, judged: main,
				knows: theTip}
			return errors.Join(do(p), p.failed.err())
		}
	}
	for name, do := range map[string]func(*Agent) error{
		"Once":   func(a *Agent) error { return a.Once(over) },
		"DryRun": func(a *Agent) error { _, err := a.DryRun(over); return err },
		"a pass": func(a *Agent) error {
			failed := a.pass(over)
			return failed.err()
		},
		"look":           func(a *Agent) error { _, err := a.look(over); return err },
		"end due":        passed(func(p *pass) error { return p.endDue(over) }),
		"fetch":          passed(func(p *pass) error { return p.fetch(over) }),
		"end and record": passed(func(p *pass) error { return p.endAndRecord(over) }),
		"end withdrawn": passed(func(p *pass) error {
			p.world.Stopped = nil
			return p.endWithdrawn(over)
		}),
		"prove policies": passed(func(p *pass) error { return p.provePolicies(over) }),
		"judge":          passed(func(p *pass) error { return p.judge(over) }),
		"ask GitHub": func(a *Agent) error {
			return a.askGitHub(over, plan.World{Main: main})
		},
		"read notes": func(a *Agent) error { return a.gate.readNotes(over) },
		"read rules": func(a *Agent) error { return a.gate.readRules(over) },
		"the limits": func(a *Agent) error { return a.gate.testFence(over) },
		"the fence": func(a *Agent) error {
			return a.gate.fencedIn(over, "payments", g, nil)
		},
		"withdrawals": func(a *Agent) error {
			return a.withdrawals.find(over, plan.World{Main: main})
		},
		"the people": func(a *Agent) error {
			_, err := a.withdrawals.people(over, plan.World{Main: main})
			return err
		},
		"the branch resumes": func(a *Agent) error { return a.branch.resume(over) },
		"the branch moved": func(a *Agent) error {
			_, _, err := a.branch.read(over, tip)
			return err
		},
		"a tip accepted": func(a *Agent) error { return a.branch.accept(over, tip) },
		"a file": func(a *Agent) error {
			_, err := a.branch.file(over, tip,
				"x")
			return err
		},
		"a tree": func(a *Agent) error {
			_, err := a.branch.tree(over, tip,
				g.Path)
			return err
		},
		"who was first": func(a *Agent) error {
			_, err := a.branch.first(over, tip, []string{g.Path})
			return err
		},
		"another look": func(a *Agent) error { return a.branch.latest.has(over, g) },
		"trust":        func(a *Agent) error { return a.prover.follow(over, tip, true) },
		"trust that is known": func(a *Agent) error {
			a.prover.trust = &trust{root: tip, head: tip}
			return a.prover.follow(over, strings.Repeat("b", 40), true)
		},
		"trust that begins": func(a *Agent) error {
			a.prover.trust = &trust{}
			_, err := a.prover.begin(over, tip)
			return err
		},
		"trust that is written": func(a *Agent) error {
			return (&trust{root: tip, head: tip}).save(over, a.cluster)
		},
		"who ended it": func(a *Agent) error {
			_, err := a.prover.doer(over, tip, plan.Record{Phase: plan.Ended, Grant: g})
			return err
		},
		"who changed the policy": func(a *Agent) error {
			_, err := a.prover.doer(over, tip, plan.Record{Phase: plan.Ended, Grant: g,
				Cause: requests.CausePolicyChanged})
			return err
		},
		"a judgement": func(a *Agent) error {
			d := a.prover.judge(over, tip, g.Path, tip).Decision
			if d.Outcome != policies.Failed || d.Code != policies.EvaluationError {
				t.Errorf("judged without an answer: %+v", d)
			}
			if !strings.Contains(d.Message, git.ErrNotInMemory.Error()) {
				t.Errorf("judged: %s", d.Message)
			}
			return over.Err()
		},
		"the entry": func(a *Agent) error {
			return a.enter(over, []ledger.Entry{{Record: made}})[g.Path]
		},
		"what is to be entered": func(a *Agent) error {
			_, _, err := a.change(over, tip, []ledger.Entry{{Record: made}})
			return err
		},
		"a comment": func(a *Agent) error { return a.tell.comments.say(over, &comment{}) },
		"a silence": func(a *Agent) error {
			s := silences{changed: true, since: map[string]time.Time{"x": noon}}
			return s.save(over, a.cluster, noon)
		},
		"a grant": func(a *Agent) error {
			a.prover.proved = allowed
			_, err := a.grant(over, record, false)
			return err
		},
		"a backstop": func(a *Agent) error {
			r := record
			return a.backstop(over, &r, nil, true)
		},
		"what is armed": func(a *Agent) error {
			r := made
			if err := a.armed(over, &r); err == nil || !strings.Contains(err.Error(),
				"is not complete yet") {
				t.Errorf("error: %v", err)
			}
			return over.Err()
		},
		"no backstop": func(a *Agent) error {
			r := made
			return a.withoutBackstop(over, &r, errCut)
		},
		"what is given up": func(a *Agent) error {
			r := made
			r.Refused = &plan.Refusal{Code: "NoBackstop"}
			_, err := a.giveUp(over, r)
			return err
		},
		"what is saved": func(a *Agent) error { r := made; return a.save(over, &r) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := do(stranded(t)); err == nil || !strings.Contains(err.Error(),
				"context canceled") && !errors.Is(err, git.ErrNotInMemory) {
				t.Errorf("error: %v", err)
			}
		})
	}
	for _, action := range []plan.Action{plan.Grant, plan.End, plan.Sweep, plan.Deny,
		plan.Forget} {
		a := stranded(t)
		if r, err := a.step(over, plan.Step{Action: action, Record: made}); !errors.Is(err,
			context.Canceled) || r.Phase != made.Phase {
			t.Errorf("%s: %v, %v", action, r.Phase, err)
		}
	}
}
