package sync

import (
	"fmt"
	"strconv"
	"strings"
	gosync "sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pods makes the pods of a line of a scenario: a name, or the beginning of names and how many, then
// labels.
func (g *given) pods(line []string) {
	g.Helper()
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

// moved has pods come and go while an agent runs, and makes calls in between.
func (g *given) moved(name string) {
	g.Helper()
	if g.section("moves") == "" {
		return
	}
	stop := g.run(options{github: true})
	defer stop()
	for line := range strings.Lines(g.section("moves")) {
		line = strings.TrimSpace(line)
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
		case "said":
			g.Until("it says "+rest, func() bool { return strings.Contains(g.Log.String(), rest) })
		default:
			g.expect(name, line, false)
		}
	}
}
