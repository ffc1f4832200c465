package sync

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// proveTimeout bounds the questions to GitHub about one request, and about all of one pass:
// revocations wait for the next.
const proveTimeout = time.Minute

// A judgement is for now: what it rests on, such as who may approve, can change at any time.
const (
	proofFor = 30 * time.Second // from a judgement to the try that rests on it
	atOnce   = 5 * time.Second  // to another try that follows it, because the first did not work
)

// maxProved bounds how many requests are judged beside each other.
const maxProved = 4

// maxUntold bounds for how many requests a pass looks for their pull requests while nothing is
// granted.
const maxUntold = 20

// waiting is a request without a record: it cannot be judged yet, or what its judgement asks for
// does not work yet.
type waiting struct {
	blob  string
	since time.Time // when it was first tried
	came  time.Time // when it came to the branch, as the commit says that brought it; zero: not known
	again retry

	doubted bool // since is by a clock that nobody can trust, and it is not to be refused by that

	allowed bool // by the last judgement
	behind  bool // trust was, at the last judgement, which came to nothing

	number int           // of its pull request; 0 while that is not known
	told   policies.Code // why it waits, as its pull request was told
	first  bool          // it has its name, or had as long as it was on the branch
}

// from is since when it waits, whoever saw it first: a process that makes one pass only saw nothing before.
func (w waiting) from() time.Time {
	if w.came.IsZero() || w.came.After(w.since) {
		return w.since
	}
	return w.came
}

// prover judges what is on the branch, policies before the requests that they decide, from git,
// GitHub and the cluster.
type prover struct {
	cluster *kube.Cluster
	branch  *branch
	github  *github.Client // nil: the branch is the evidence
	clocks  *clocks
	gate    *gate
	metrics *monitor.Metrics
	log     *slog.Logger
	root    string // of --trust-root

	answerers   inquire.Answerers // of what others than GitHub must tell
	withdrawals *withdrawals

	records   []plan.Record         // as they were looked at last, for what limits count
	waiting   map[string]waiting    // by path, of what is neither granted nor refused
	proved    map[string]plan.Proof // by path, of those that are allowed
	trust     *trust                // nil: what earlier runs proved was not read yet
	asking    map[string]retry      // by path, who ended what is over
	following retry                 // trust, which is behind the branch
	silent    silences              // what GitHub knows of no pull request for
}

// prove judges the requests on main that have no record, and again those whose grant was begun and
// is not finished, before each try. Those that cannot be judged are tried again at growing
// intervals; others are not held up by it, and judged once more where it took long.
func (v *prover) prove(ctx context.Context, w plan.World) map[string]plan.Proof {
	v.release(w)
	v.records = w.Records
	first, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	records := map[string]plan.Record{} // by path
	for _, r := range w.Records {
		records[r.Grant.Path] = r
	}
	v.trace(first, w.Main, records)
	begin, looked := v.clocks.wall(), 0
	var due []string
	proofs := map[string]plan.Proof{}
	paths := slices.Sorted(maps.Keys(w.Main.Requests))
	slices.SortStableFunc(paths, func(p, q string) int {
		return cmp.Compare(v.patience(p),
			v.patience(q))
	})
	for _, p := range paths {
		blob, now := w.Main.Requests[p], v.clocks.wall()
		r, begun := records[p]
		if begun && !r.Unfinished(now) {
			continue
		}
		if proof, here := v.proved[p]; begun && here && proof.Blob == blob && v.withdrawals.unread == nil &&
			within(proof.At, now, proofLasts(r, now)) {
			proofs[p] = proof
			continue
		}
		wait, tried := v.waiting[p]
		if !tried || wait.blob != blob {
			wait = waiting{blob: blob, doubted: true, number: r.Grant.Evidence.PullRequest}
		}
		if wait.doubted || wait.since.After(now) {
			wait.since, wait.doubted = now, v.clocks.problem() != ""
		}
		last := r.Refused != nil && !now.Before(r.Refused.Since.Add(refusedFor))
		if !wait.again.due(now) && !last {
			proofs[p] = plan.Proof{Blob: blob, Since: wait.since,
				Decision: policies.Refuse(policies.EvaluationError, "it is tried again at %s",
					requests.At(wait.again.next))}
			continue
		}
		if stands(w, p) {
			v.waiting[p] = wait
			proofs[p] = plan.Proof{Blob: blob, Since: wait.since,
				Decision: policies.Refuse(policies.EvaluationError, "what it gave is there, and no record "+
					"says so; it is judged again once that is taken away")}
			continue
		}
		if stop, held := v.held(); held { // it is judged once it can be granted, at once
			if v.github != nil && wait.number == 0 && looked < maxUntold {
				looked++ // without an answer nobody is told, which is no error
				var commit string
				wait.number, commit, _ = v.github.Introduced(first, p, w.Main.Tip)
				if added, here := v.branch.repository.HeldCommit(commit); here {
					wait.came = added.Committer.When
				}
			}
			v.waiting[p] = wait
			proofs[p] = plan.Proof{Blob: blob, Since: wait.since, At: now,
				Decision: policies.Refuse(stop.Code, "%s", stop.Message)}
			continue
		}
		v.waiting[p] = wait
		due = append(due, p)
	}
	for some := range slices.Chunk(due, maxProved) {
		if first.Err() == nil && within(begin, v.clocks.wall(), proofFor/2) {
			maps.Copy(proofs, v.judgeAll(first, w.Main, some))
			continue
		}
		for _, p := range some {
			proofs[p] = plan.Proof{Blob: w.Main.Requests[p], Since: v.waiting[p].since,
				Decision: policies.Refuse(policies.EvaluationError, "the requests before it "+
					"took too long; it is tried again at once")}
		}
	}
	late, left := v.late(proofs)
	again, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	for some := range slices.Chunk(late, maxProved) {
		if again.Err() == nil {
			maps.Copy(proofs, v.judgeAll(again, w.Main, some))
		}
	}
	return proofs
}

// stands tells whether what gives the access that a request without a record asks for is there: somebody
// spoiled its record while the access could not be ended. It does not wait to be given, nor is it over.
func stands(w plan.World, path string) bool {
	return slices.ContainsFunc(w.Live, func(l plan.Live) bool {
		return l.Managed && !l.IsBackstop() && l.Name == requests.ObjectName(nameOf(path), 0)
	}) && !recorded(w, path)
}

// recorded tells whether a request has a record.
func recorded(w plan.World, path string) bool {
	return slices.ContainsFunc(w.Records, func(r plan.Record) bool { return r.Grant.Path == path })
}

// late are those that are allowed by a judgement that is from too long ago by now, as one of the others took
// that long. They are due together with it each time, so that they would never be granted. left is how long
// they may take before more are late.
func (v *prover) late(proofs map[string]plan.Proof) (late []string, left time.Duration) {
	const most = proofFor - plan.Wait
	now := v.clocks.wall()
	left = proofFor / 2
	for _, p := range slices.Sorted(maps.Keys(proofs)) {
		switch proof := proofs[p]; {
		case proof.Decision.Outcome != policies.Allowed:
		case within(proof.At, now, most):
			left = min(left, most-now.Sub(proof.At))
		default:
			late = append(late, p)
		}
	}
	return late, left
}

// held tells what keeps everything from beginning, whatever a judgement would say: a stop, or, in this
// pass only, that an open withdrawal may be what nobody sees.
func (v *prover) held() (stop plan.Stop, held bool) {
	if stops := v.gate.stops(); len(stops) > 0 {
		return stops[0], true
	}
	if err := v.withdrawals.unread; err != nil {
		return plan.Stop{Code: policies.EvaluationError, Message: err.Error()}, true
	}
	return stop, false
}

// judgeAll judges requests beside each other, and notes when each is due again.
func (v *prover) judgeAll(ctx context.Context, main *plan.Main, paths []string) map[string]plan.Proof {
	now := v.clocks.wall()
	judged := make([]plan.Proof, len(paths))
	var all gosync.WaitGroup
	for n, p := range paths {
		all.Go(func() {
			judged[n] = v.judge(ctx, main.Tip, p, main.Requests[p])
			judged[n].At = v.clocks.wall()
		})
	}
	all.Wait()
	proofs := map[string]plan.Proof{}
	for n, p := range paths {
		proof, wait := judged[n], v.waiting[p]
		proof.Decision = v.bear(ctx, proof.Evidence.MergeCommit+" "+p, proof.Decision)
		proof.Blob, proof.Since = main.Requests[p], wait.since
		proofs[p] = proof
		delete(v.proved, p)
		allowed := proof.Decision.Outcome == policies.Allowed
		if allowed {
			v.proved[p] = proof
		}
		if allowed && !wait.allowed { // what was in the way before is not what may be now
			wait.again = retry{}
		}
		wait.allowed = allowed
		wait.behind = proof.Decision.Outcome == policies.Failed && !v.knows(main.Tip)
		wait.again.later(now)
		wait.number = cmp.Or(proof.Evidence.PullRequest, wait.number) // which GitHub may not tell again
		wait.came = cmp.Or(proof.Came, wait.came)
		v.waiting[p] = wait
		d := proof.Decision
		level := slog.LevelInfo
		if d.Outcome == policies.Failed {
			level = slog.LevelError
			v.metrics.Decided(d.Outcome, string(d.Code))
		}
		v.log.Log(ctx, level, "judged", "event", "judge", "request", nameOf(p), "cluster",
			v.cluster.Name,
			"commit", main.Tip, "decision", d.Outcome.String(), "code", string(d.Code),
			"message", d.Message)
	}
	return proofs
}

// soon has a request be due as after a first try: what was in the way before is not what is now.
func (v *prover) soon(p string) {
	if wait, here := v.waiting[p]; here {
		wait.again = retry{}
		wait.again.later(v.clocks.wall())
		v.waiting[p] = wait
	}
}

// patience is how long a request can wait: those that were not tried yet cannot at all, and come
// first.
func (v *prover) patience(p string) time.Duration {
	wait, known := v.waiting[p]
	if !known {
		return -1
	}
	return wait.again.pause
}

// within tells whether a moment is no longer ago than some time; one in the future says that the
// clock was set back.
func within(at, now time.Time, most time.Duration) bool {
	ago := now.Sub(at)
	return ago >= 0 && ago <= most
}

// holds tells whether a request was found to be allowed just now.
func (v *prover) holds(p string) bool {
	proof, here := v.proved[p]
	return here && within(proof.At, v.clocks.wall(), proofFor)
}

// release drops from waiting, and from what was proved, what is granted or refused now, or is off
// the branch.
func (v *prover) release(w plan.World) {
	open := map[string]bool{}
	for p := range w.Main.Requests {
		open[p] = true
	}
	for _, r := range w.Records {
		open[r.Grant.Path] = open[r.Grant.Path] && r.Unfinished(v.clocks.wall())
	}
	maps.DeleteFunc(v.waiting, func(p string, _ waiting) bool { return !open[p] })
	maps.DeleteFunc(v.proved, func(p string, _ plan.Proof) bool { return !open[p] })
}
