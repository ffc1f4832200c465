package requests_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// TestNarrowingLines: what a review says narrows, does not, or is refused, and never passed over.
func TestNarrowingLines(t *testing.T) {
	const none = "none"
	for body, want := range map[string]string{
		"":                                  none,
		"LGTM":                              none,
		"I like pullgrant, and so does bob": none,
		"pullgrant: at most 30m":            "at most 30m",
		"Fine.\r\n\r\npullgrant: at most 2h  \r\nBye": "at most 2h",
		"pullgrant: only namespaces a, b":             "only namespaces a, b",
		"pullgrant: only resources pods/^a{1,3}$, deployments.apps/api": "only resources " +
			"pods/^a{1,3}$, deployments.apps/api",
		"pullgrant: only namespaces a; at most 30m": "at most 30m; only namespaces a",

		"> pullgrant: at most 30m":                               none,
		"   >pullgrant: at most 30m":                             none,
		"```\npullgrant: at most 30m\n```":                       none,
		"~~~ text\npullgrant: at most 30m\n```\n~~~~\t":          none,
		"    pullgrant: at most 30m":                             none,
		"So:\n\n \tpullgrant: at most 30m\n\n    and more":       none,
		"> pullgrant: at most 30m\n\npullgrant: at most 20m":     "at most 20m",
		"```\npullgrant: at most 5m\n```\npullgrant: at most 6m": "at most 6m",

		"pullgrant: at most 30m\npullgrant: at most 30m": "second line",
		"pullgrant: at most 30m\nPullgrant : at most 1h": "second line",
		"pullgrant:":                                        "cannot be read",
		"pullgrant: ":                                       "cannot be read",
		"pullgrant: at most 30":                             "cannot be read",
		"pullgrant: at most -30m":                           "cannot be read",
		"pullgrant: at most 30m.":                           "cannot be read",
		"pullgrant: at most 30m; at most 20m":               "twice",
		"pullgrant: only namespaces a; only namespaces b":   "twice",
		"pullgrant: only namespaces a, a":                   "twice",
		"pullgrant: only namespaces ":                       "names",
		"pullgrant: only namespaces a,b":                    "names",
		"pullgrant: only namespaces *":                      "names",
		"pullgrant: only resources api":                     "", // a kind alone
		"pullgrant: only resources pods/":                   "names",
		"pullgrant: everything":                             "cannot be read",
		"pullgrant: at most 30m;only namespaces a":          "cannot be read",
		" pullgrant: at most 30m":                           "cannot be read",
		"LGTM, pullgrant: at most 30m":                      "cannot be read",
		"**pullgrant:** at most 30m":                        "cannot be read",
		"- pullgrant: at most 30m":                          "cannot be read",
		"`pullgrant: at most 30m`":                          "cannot be read",
		"PullGrant: at most 30m":                            "cannot be read",
		"pull\u200bgrant: at most 30m":                      "cannot be read",
		"pullgrant：at most 30m":                             "cannot be read",
		"pullgrant: " + strings.Repeat("at most 30m; ", 30): "cannot be read",

		// where code or a quote cannot be told for certain
		"```\npullgrant: at most 30m":                         "at most 30m",
		"```\npullgrant: at most 30m\n    ```":                "at most 30m",
		"```\n```\u00a0\nx\n```\npullgrant: at most 30m\n```": "at most 30m",
		"So\n    pullgrant: at most 30m":                      "cannot be read",
		"- a\n\n    pullgrant: at most 30m":                   "cannot be read",
		"- a\n  ```\npullgrant: at most 30m\n  ```":           "at most 30m",
		"1. a\n\n   ```\npullgrant: at most 30m\n   ```":      "at most 30m",
		"[^1]: a\n\n    pullgrant: at most 30m":               "cannot be read",
		"<pre>\n```\n</pre>\npullgrant: at most 30m\n```":     "at most 30m",
		"<div>\n> pullgrant: at most 30m\n</div>":             "cannot be read",
		"<!--\npullgrant: at most 30m\n-->":                   "at most 30m",
		"a\n\u00a0\n    pullgrant: at most 30m":               "cannot be read",
		"``` `\npullgrant: at most 30m\n```":                  "at most 30m",
		"> x\npullgrant: at most 30m":                         "at most 30m",
	} {
		n, rest, found, err := requests.ParseNarrowing(body)
		switch {
		case err != nil:
			if want == "" || want == none || !strings.Contains(err.Error(), want) || !found || rest != body ||
				n.String() == want {
				t.Errorf("%q: %v, want %q", body, err, want)
			}
		case !found:
			if want != none || !reflect.DeepEqual(n, requests.Narrowing{}) {
				t.Errorf("%q: nothing found, want %q", body, want)
			}
		case want == none || want != "" && n.String() != want || strings.Contains(rest, n.String()):
			t.Errorf("%q: %q beside %q, want %q", body, n, rest, want)
		}
	}
}

// FuzzParseNarrowing reads whatever bodies: what is found is written and read as the same, it narrows
// and never widens, and a line of it that stands alone is never passed over.
func FuzzParseNarrowing(f *testing.F) {
	for _, body := range []string{"pullgrant: at most 30m", "> pullgrant: only namespaces a, b",
		"```\nx\n```\npullgrant: only resources pods/api-1, pods; at most 1h", "- a\n\t```\n", "~~~\n<p>\n~~~"} {
		f.Add(body)
	}
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body string) {
		n, rest, found, err := requests.ParseNarrowing(body)
		if err != nil || !found {
			if !reflect.DeepEqual(n, requests.Narrowing{}) || (err != nil) && !found {
				t.Fatalf("%q: %+v, %v, %v", body, n, found, err)
			}
			return
		}
		again, _, _, err := requests.ParseNarrowing("pullgrant: " + n.String())
		if err != nil || !reflect.DeepEqual(again, n) {
			t.Fatalf("%q: %+v is written as %q and read as %+v, %v", body, n, n, again, err)
		}
		if _, _, found, _ := requests.ParseNarrowing(rest); found {
			t.Fatalf("%q: the rest %q narrows too", body, rest)
		}
		if _, _, found, _ := requests.ParseNarrowing(body + "\n\npullgrant: at most 1m"); !found {
			t.Fatalf("%q: nothing found with a line more", body)
		}
		asked := wideGrant()
		checkNarrower(t, asked, asked.Narrowed(n), start)
	})
}

// wideGrant has several of everything that can be narrowed.
func wideGrant() requests.Grant {
	g := requests.Grant{Name: "20261123-alice-test", Duration: requests.Duration(time.Hour)}
	for i, namespace := range []string{"a", "b", ""} {
		g.Items = append(g.Items, requests.Item{Kind: requests.KubernetesRoleBinding,
			Namespace: namespace, Name: requests.ItemName(g.Name, i, "")},
			requests.Item{Kind: requests.KubernetesResourceRole, Namespace: namespace,
				Resources: []string{"deployments.apps/api", "pods", "pods/api-1", "pods/api-*"}, Selector: "app=api",
				Allows: []requests.Rule{
					{Group: "apps", Resource: "deployments", Verbs: []string{"get"}, Names: []string{"api"}},
					{Group: "apps", Resource: "deployments/scale", Verbs: []string{"get"}, Names: []string{"api"}},
					{Resource: "pods", Verbs: []string{"get"}, Names: []string{"api-1"}, Match: []requests.Match{
						{Selector: "app=api", Within: []string{"*"}}, {Pattern: "api-*", Within: []string{"*"}}}}}})
	}
	return g
}

// checkNarrower: everything that is left was there before.
func checkNarrower(t *testing.T, asked, left requests.Grant, at time.Time) {
	t.Helper()
	before, after := asked.From(at), left.From(at)
	if after.Start.Before(before.Start.Time) || after.End.After(before.End.Time) {
		t.Fatalf("%+v became %+v", before, after)
	}
	for _, item := range left.Items {
		if !slices.ContainsFunc(asked.Items, func(wide requests.Item) bool { return within(item, wide) }) {
			t.Fatalf("%+v was not there before", item)
		}
	}
}

func within(item, wide requests.Item) bool {
	subset := func(few, many []string) bool {
		return !slices.ContainsFunc(few, func(s string) bool { return !slices.Contains(many, s) })
	}
	for _, r := range item.Allows {
		if len(r.Names)+len(r.Match) == 0 || !slices.ContainsFunc(wide.Allows, func(w requests.Rule) bool {
			return w.Key() == r.Key() && subset(r.Names, w.Names) && !slices.ContainsFunc(r.Match,
				func(m requests.Match) bool {
					return !slices.ContainsFunc(w.Match, func(o requests.Match) bool { return reflect.DeepEqual(m, o) })
				})
		}) {
			return false
		}
	}
	return item.Kind == wide.Kind && item.Namespace == wide.Namespace && item.Role == wide.Role &&
		item.Mode == wide.Mode && subset(item.Resources, wide.Resources) &&
		(len(item.Allows) > 0) == (len(wide.Allows) > 0)
}

// TestNarrowed: each part of a narrowing leaves what it names, and what only seems to be it goes.
func TestNarrowed(t *testing.T) {
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string][]string{
		"only namespaces b": {"ClusterRole  in namespace b", "ClusterRole  on deployments.apps/api, " +
			"pods with app=api, pods/api-1, pods/api-*, as they come and go, in namespace b"},
		"only resources pods/api-1; only namespaces a": {"ClusterRole  on pods/api-1 in namespace a"},
		"only resources pods; only namespaces a": {"ClusterRole  on pods with app=api, as they come " +
			"and go, in namespace a"},
		"only resources pods/api-*; only namespaces a": {"ClusterRole  on pods/api-*, as they come " +
			"and go, in namespace a"},
		"only resources deployments/api": nil,
	} {
		n, _, _, err := requests.ParseNarrowing("pullgrant: " + text)
		if err != nil {
			t.Fatal(err)
		}
		asked := wideGrant()
		for i := range asked.Items {
			asked.Items[i].Role.Kind = requests.KindClusterRole
		}
		left := asked.Narrowed(n)
		checkNarrower(t, asked, left, start)
		if got := left.Gives(); !slices.Equal(got, want) {
			t.Errorf("%s leaves %q, want %q", text, got, want)
		}
		for i, item := range left.Items {
			if item.Name != requests.ItemName(asked.Name, i, "") {
				t.Errorf("%s: item %d is called %s", text, i, item.Name)
			}
		}
	}
	until := requests.Grant{Until: requests.At(start.Add(3 * time.Hour))}
	short := until.Narrowed(requests.Narrowing{AtMost: requests.Duration(time.Hour)}).
		Narrowed(requests.Narrowing{AtMost: requests.Duration(2 * time.Hour)})
	if w := short.From(start); w.Length() != "1h" || short.For() != "until 2026-11-23T13:00:00Z, for 1h at most" {
		t.Errorf("%s, %s", w.Length(), short.For())
	}
	if why := until.More(requests.Narrowing{AtMost: requests.Duration(4 * time.Hour)}, start); why == "" {
		t.Error("more than is left until the end was taken")
	}
	if why := until.More(requests.Narrowing{AtMost: requests.Duration(3 * time.Hour)}, start); why != "" {
		t.Error(why)
	}
}

// TestExcerpt bounds what people wrote, and takes out of it what nobody sees.
func TestExcerpt(t *testing.T) {
	long := requests.Excerpt(strings.Repeat("ä ", 300))
	if n := len([]rune(long)); n != 200 || !strings.HasSuffix(long, "…") {
		t.Errorf("%d characters: %s", n, long)
	}
	if got := requests.Excerpt(" a\u202e\x1b[31m\r\n\tb\u200b "); got != "a [31m b" {
		t.Errorf("%q", got)
	}
}
