package faults

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// slugs names n requests.
func slugs(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("many-%d", i))
	}
	return all
}

// report gives the distribution of some times in milliseconds.
func report(b *testing.B, of string, times []time.Duration) {
	b.Helper()
	slices.Sort(times)
	for name, at := range map[string]int{"p50": len(times) / 2, "p99": len(times) * 99 / 100,
		"max": len(times) - 1} {
		b.ReportMetric(float64(times[at].Microseconds())/1000, "ms-"+of+"-"+name)
	}
	b.ReportMetric(0, "ns/op")
}

func (s *stage) allGranted(all []asked) {
	s.Helper()
	for deadline := all[0].end; ; s.wait(time.Second) {
		granted := s.bindings.count()
		if granted == len(all) {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("only %d of %d are granted by their end", granted, len(all))
		}
	}
}

func (s *stage) lateness(all []asked) (times []time.Duration) {
	s.Helper()
	s.until("all have ended", func() bool { return s.bindings.live() == 0 })
	for _, a := range all {
		times = append(times, s.late(a))
	}
	return times
}

// BenchmarkExpiryAlone has sixty grants end, each in a second of its own.
func BenchmarkExpiryAlone(b *testing.B) {
	s := newStage(b, "branch", nil)
	s.newReplica().directly().start()
	var all []asked
	for i, slug := range slugs(60) {
		all = append(all, s.ask(slug, time.Minute+time.Duration(i)*time.Second))
	}
	s.wait(time.Until(all[len(all)-1].end))
	report(b, "late", s.lateness(all))
}

// BenchmarkExpiryTogether has a thousand grants end in the same second, and then deletes as many
// bindings by plain client-go.
func BenchmarkExpiryTogether(b *testing.B) {
	const n = 1000
	s := newStage(b, "branch", nil)
	r := s.newReplica().directly()
	r.start()
	all := s.askAll(window-15*time.Second, slugs(n)...)
	tip := s.forge.Branch("main")
	s.allGranted(all)
	s.wait(time.Until(all[0].end))
	times := s.lateness(all)
	s.finish(r, byAgent, all...)
	r.kill()
	report(b, "late", times)
	report(b, "plain", s.deletePlainly(n))
	entered := s.git("rev-list", tip+"..main", "--", requests.RevocationsFolder)
	b.ReportMetric(float64(len(strings.Fields(entered))), "commits")
}

// deletePlainly tells when each of n bindings was deleted by 32 workers, from when they began.
func (s *stage) deletePlainly(n int) (times []time.Duration) {
	s.Helper()
	bindings := s.admin.RbacV1().RoleBindings(namespace)
	each := func(do func(name string) error) {
		var group sync.WaitGroup
		next := make(chan int)
		for range 32 {
			group.Go(func() {
				for i := range next {
					if err := do(fmt.Sprintf("plain-%d", i)); err != nil {
						s.Error(err)
					}
				}
			})
		}
		for i := range n {
			next <- i
		}
		close(next)
		group.Wait()
	}
	each(func(name string) error {
		_, err := bindings.Create(s.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
			Name: name},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: policy},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User",
				Name: "bob@example.com"}}}, metav1.CreateOptions{})
		return err
	})
	begin := time.Now()
	var mu sync.Mutex
	each(func(name string) error {
		err := bindings.Delete(s.Context(), name, metav1.DeleteOptions{})
		mu.Lock()
		defer mu.Unlock()
		times = append(times, time.Since(begin))
		return err
	})
	return times
}

// BenchmarkBackstop has three hundred grants end in the same second without an agent.
func BenchmarkBackstop(b *testing.B) {
	const n = 300
	s := newStage(b, "branch", nil)
	r := s.newReplica().directly()
	r.start()
	all := s.askAll(2*time.Minute, slugs(n)...)
	s.allGranted(all)
	r.kill()
	s.wait(time.Until(all[0].end))
	times := s.lateness(all)
	report(b, "late", times)
	b.ReportMetric(n/(times[n-1]-times[0]).Seconds(), "ended/s")
}

// BenchmarkLive has ten thousand grants live. They have no backstop: to arm as many takes a quarter
// of an hour.
func BenchmarkLive(b *testing.B) {
	const n, batch = 10000, 500
	path := "policies/" + policy + ".yaml"
	file, err := os.ReadFile("testdata/accessrepo/" + path)
	if err != nil {
		b.Fatal(err)
	}
	s := newStage(b, "branch", map[string]string{path: strings.Replace(string(file), "  target:\n",
		"  target:\n    backstop: optional\n", 1)})
	s.window = 2 * time.Hour
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "no-jobs"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			"count/jobs.batch": resource.MustParse("0")}}}
	quotas := s.admin.CoreV1().ResourceQuotas(namespace)
	_, err = quotas.Create(b.Context(), quota, metav1.CreateOptions{})
	s.must(err)
	s.until("the quota is known", func() bool {
		q, err := quotas.Get(b.Context(), quota.Name, metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) == 1
	})
	r := s.newReplica().directly()
	r.start()
	var all []asked
	var granting time.Duration
	for some := range slices.Chunk(slugs(n), batch) {
		all = append(all, s.askAll(s.window-time.Minute, some...)...)
		begin := time.Now()
		s.allGranted(all)
		granting += time.Since(begin)
	}
	b.ReportMetric(n/granting.Seconds(), "granted/s")
	s.wait(10 * time.Second)
	b.ReportMetric(float64(r.resident())/(1<<20), "MiB-resident")
	r.kill()
	begin := time.Now()
	once := r.command("--once")
	if out, err := once.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.ReportMetric(time.Since(begin).Seconds(), "s-pass")
	b.ReportMetric(0, "ns/op")
	s.must(quotas.Delete(b.Context(), quota.Name, metav1.DeleteOptions{}))
}

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident is the memory of the process that is in use, in bytes.
func (r *replica) resident() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.child.Pid()))
	r.s.must(err)
	kib, err := strconv.ParseInt(string(residentLine.FindSubmatch(status)[1]), 10, 64)
	r.s.must(err)
	return kib << 10
}
