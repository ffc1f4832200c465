package simulation

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// entries are those of mapUsers that pullgrant makes.
var entries = regexp.MustCompile(`(?m)^` + strings.TrimPrefix(render.AWSEntry, "^"))

// isAWSAuth tells whether a version is one of the list by which people come in.
func (v *version) isAWSAuth() bool {
	return v.Resource == "configmaps" && v.object().GetNamespace() == render.AWSAuthNamespace &&
		v.object().GetName() == render.AWSAuth
}

func mapUsers(o *unstructured.Unstructured) string {
	text, _, _ := unstructured.NestedString(o.Object, "data", render.MapUsers)
	return text
}

// othersStay: what keeps aws-auth writes that list alone, and of it only entries of its own form.
func othersStay(h history) (wrong []string) {
	others := func(o *unstructured.Unstructured) string {
		o = o.DeepCopy()
		_ = unstructured.SetNestedField(o.Object, entries.ReplaceAllString(mapUsers(o), ""), "data",
			render.MapUsers) // it is one already
		o.SetResourceVersion("")
		o.SetManagedFields(nil)
		data, err := json.Marshal(o.Object)
		if err != nil {
			panic(err) // it came from JSON
		}
		return string(data)
	}
	for _, e := range h {
		v := e.version
		switch {
		case v == nil || programOf(v.process) != awsKeepers.name:
		case !v.isAWSAuth() || v.Old == nil || v.New == nil:
			wrong = append(wrong, fmt.Sprintf("%s: %s of %s", v.process, v.kind(), v.object().GetName()))
		case others(v.Old) != others(v.New):
			wrong = append(wrong, fmt.Sprintf("%s changed what is not its own from\n%s\nto\n%s", v.process,
				others(v.Old), others(v.New)))
		}
	}
	return wrong
}

// inStepBound is how long aws-auth may be another than the grants while one process that keeps it
// lives: it looks that often where it hears of nothing, and begins by finding out whether its fence
// stands.
const inStepBound = 30*time.Second + 15*time.Second

// inStep: who has access is in aws-auth, and nobody is by pullgrant without it.
func inStep(h history) (wrong []string) {
	lives := h.lives()
	for _, c := range h.lists() {
		down := h.downs(of(kubernetes, c.name))
		for _, m := range c.differ {
			for _, p := range lives {
				if m.what == "" || p.cluster != c.name || p.program != awsKeepers.name {
					continue
				}
				from, to := m.from, m.to
				if p.from.After(from) {
					from = p.from
				}
				if p.to.Before(to) {
					to = p.to
				}
				if !from.Before(to) {
					continue
				}
				allowed := inStepBound + max(p.skew, -p.skew) +
					time.Duration(h.hindered(p, from, to))*tryLost
				if had := answered(down, from, to); had > allowed {
					wrong = append(wrong, fmt.Sprintf("%s from %s until %s, and %s had %s to change that, "+
						"where %s is enough", m.what, m.from, m.to, p.process, had, allowed))
				}
			}
		}
	}
	return wrong
}

// list is aws-auth of a cluster, and when it was another than the grants.
type list struct {
	name   string
	text   string
	phases map[string]string // of records, by their requests' labels
	there  map[string]int    // how many bindings, by the same
	differ []difference
}

type difference struct {
	span
	what string // empty: it does not
}

// lists goes through a history, and through the ends of windows in it.
func (h history) lists() (all []*list) {
	accounts, told := h.accounts(), h.told()
	h = slices.Clone(h)
	for _, a := range accounts {
		for _, end := range a.saidEnds() {
			h = append(h, event{at: end})
		}
	}
	slices.SortStableFunc(h, func(a, b event) int { return a.at.Compare(b.at) })
	byName := map[string]*list{}
	for _, e := range h {
		if v := e.version; v != nil {
			c := byName[v.cluster]
			label := v.object().GetLabels()[render.LabelRequest]
			switch {
			case v.isAWSAuth():
				if c == nil {
					c = &list{name: v.cluster, phases: map[string]string{}, there: map[string]int{}}
					byName[v.cluster] = c
					all = append(all, c)
				}
				c.text = mapUsers(v.object())
			case c == nil || label == "":
			case v.binds() && v.Old == nil:
				c.there[label]++
			case v.binds() && v.New == nil:
				c.there[label]--
			case v.Resource == "configmaps":
				c.phases[label], _, _ = unstructured.NestedString(v.object().Object, "data", "phase")
				if v.New == nil {
					delete(c.phases, label)
				}
			}
		}
		for _, c := range all {
			c.look(e.at, accounts, told)
		}
	}
	return all
}

// look notes what differs from a time on. Who keeps aws-auth takes out as early as the API server's
// clock says that a window is over. It knows of a window by its record alone, so where that was prolonged
// and no agent ends it, it may leave somebody in until that later end.
func (c *list) look(now time.Time, accounts []*account, told history) {
	in, what, may := entries.MatchString(c.text), "", false
	for _, a := range accounts {
		label := requests.LabelValue(a.name)
		phase := c.phases[label]
		if a.cluster != c.name || phase != "Granting" && phase != "Granted" || !now.Before(a.endBy(now)) {
			continue
		}
		if may = true; phase == "Granted" && c.there[label] > 0 && !in &&
			told.latest(c.name, now, of(kubernetes, c.name)).Before(a.end) {
			what = a.name + " gave access, and aws-auth of " + c.name + " let nobody in"
		}
	}
	if in && !may {
		what = "aws-auth of " + c.name + " let somebody in who had no access"
	}
	last := len(c.differ) - 1
	if last >= 0 && c.differ[last].what == what {
		c.differ[last].to = now
		return
	}
	if last >= 0 {
		c.differ[last].to = now
	}
	c.differ = append(c.differ, difference{span{now, now}, what})
}
