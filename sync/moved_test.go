package sync

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	gosync "sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// pods makes the pods of a line of a scenario: a name, or the beginning of names and how many, then
// labels. With let it waits for one that a Deployment made, with all for so many.
func (g *given) pods(line []string) {
	g.Helper()
	switch line[0] {
	case "let":
		g.let(line[1], line[2])
		return
	case "all":
		count, err := strconv.Atoi(line[2])
		g.Must(err)
		g.Until("there are all pods of "+line[1], func() bool { return len(g.podsOf(line[1])) == count })
		return
	}
	names, labels := line[:1], map[string]string{}
	for _, word := range line[1:] {
		if count, err := strconv.Atoi(word); err == nil {
			names = nil
			for n := range count {
				names = append(names, fmt.Sprintf("%s%d", line[0], n))
			}
			continue
		}
		key, value, _ := strings.Cut(word, "=")
		labels[key] = value
	}
	var makers gosync.WaitGroup
	some := make(chan struct{}, 8)
	for _, name := range names {
		some <- struct{}{}
		makers.Go(func() {
			defer func() { <-some }()
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
			if _, err := g.Admin.CoreV1().Pods(g.Namespace).Create(g.Context(), pod,
				metav1.CreateOptions{}); err != nil {
				g.Error(err)
			}
		})
	}
	makers.Wait()
}

// let gives a pod of a Deployment that has no name in the scenario one, as soon as there is one.
func (g *given) let(name, deployment string) {
	g.Helper()
	g.Until("there is a pod of "+deployment, func() bool {
		for _, pod := range g.podsOf(deployment) {
			if !slices.Contains(slices.Collect(maps.Values(g.named)), pod) {
				g.named[name] = pod
				return true
			}
		}
		return false
	})
}

// podsOf are the names of the pods that a Deployment made.
func (g *given) podsOf(deployment string) (names []string) {
	g.Helper()
	list, err := g.Admin.CoreV1().Pods(g.Namespace).List(g.Context(), metav1.ListOptions{
		LabelSelector: "pod-template-hash"})
	g.Must(err)
	for _, pod := range list.Items {
		if pod.GenerateName == deployment+"-"+pod.Labels["pod-template-hash"]+"-" {
			names = append(names, pod.Name)
		}
	}
	return names
}

// plain is a line with the names of pods in the place of those that the scenario gave them.
func (g *given) plain(line string) string {
	for name, pod := range g.named {
		line = strings.ReplaceAll(line, name, pod)
	}
	return strings.TrimSpace(line)
}

// moved has pods come and go while an agent runs, and makes calls in between.
func (g *given) moved(name string) {
	g.Helper()
	if g.section("moves") == "" {
		return
	}
	stop := g.run(options{github: true})
	defer stop()
	for line := range strings.Lines(g.section("moves")) {
		line = g.plain(line)
		switch what, rest, _ := strings.Cut(line, " "); what {
		case "+":
			g.pods(strings.Fields(rest))
		case "-":
			g.Must(g.Admin.CoreV1().Pods(g.Namespace).Delete(g.Context(), rest,
				*metav1.NewDeleteOptions(0)))
		case "~":
			name, labels, _ := strings.Cut(rest, " ")
			key, value, _ := strings.Cut(labels, "=")
			_, err := g.Admin.CoreV1().Pods(g.Namespace).Patch(g.Context(), name,
				types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`,
					key, value),
				metav1.PatchOptions{})
			g.Must(err)
		case "let":
			g.pods(strings.Fields(line))
		case "set":
			deployment, patch, _ := strings.Cut(rest, " ")
			g.Must(g.deployment(g.Admin.RESTClient().Patch(types.MergePatchType), deployment).
				Body([]byte(patch)).Do(g.Context()).Error())
		case "apply":
			g.Must(controlplane.ForTest(g.T).Apply(g.Context(), []byte(g.section(rest))))
		case "gone":
			g.Must(g.deployment(g.Admin.RESTClient().Delete(), rest).Do(g.Context()).Error())
		case "told":
			g.Until("the pull request says "+rest,
				func() bool { return strings.Contains(html.UnescapeString(g.said(2)), rest) })
		case "said":
			g.Until("it says "+rest, func() bool { return strings.Contains(g.Log.String(), rest) })
		default:
			g.expect(name, line, false)
		}
	}
}

// deployment is a call about a Deployment.
func (g *given) deployment(r *rest.Request, name string) *rest.Request {
	return r.AbsPath("/apis/apps/v1/namespaces", g.Namespace, "deployments", name)
}

// granted has an agent grant what was asked for. The section first is what the pull request is told
// before the Role is there, by which access works.
func (g *given) granted(o options) {
	g.Helper()
	first := g.section("first")
	made := &beforeMade{path: "/roles", told: func() string { return html.UnescapeString(g.said(2)) }}
	if first != "" {
		o.wire = made.wrap
	}
	g.once(o)
	for line := range strings.Lines(first) {
		if !strings.Contains(made.said, strings.TrimSpace(line)) {
			g.Errorf("before there is a Role the pull request says %q, not %q", made.said, line)
		}
	}
}

// beforeMade notes what is told right before an object is made.
type beforeMade struct {
	next http.RoundTripper
	path string
	told func() string
	said string
}

func (b *beforeMade) wrap(next http.RoundTripper) http.RoundTripper {
	b.next = next
	return b
}

// RoundTrip passes a call on.
func (b *beforeMade) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, b.path) {
		b.said = b.told()
	}
	return b.next.RoundTrip(r)
}
