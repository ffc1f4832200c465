package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// Faults that come with a doing of people's: GitHub behaves otherwise, up to the time outage.
const (
	lags         = "GitHub lags"       // lists, merges and pushes show late, and deleted branches are forgotten
	tokenRefused = "token is refused"  // of the App, by GitHub and git
	rightLost    = "App loses a right" // one of those that its owner gave it
	partDown     = "part of GitHub"    // answers nobody, all else does
)

// parts are those of GitHub that may be down by themselves, by how their paths end; what has a slash behind
// it is anywhere in them.
var parts = []string{openPulls, "/graphql", "/files", "/reviews", "/commits", "/commits/", "/activity",
	"/comments", "/errors", "/git/", "/permission", "/members/", "/check-runs", "/merge", "/events"}

// openPulls is where the open pull requests are listed.
const openPulls = "/access/pulls"

// partly is such a part, as a system.
func partly(part string) string { return partDown + " " + part }

// isPartDown tells whether what a call is for answers nobody.
func (w *world) isPartDown(path string) bool {
	return slices.ContainsFunc(parts, func(part string) bool {
		is := strings.HasSuffix(path, part) || strings.HasSuffix(part, "/") && strings.Contains(path, part)
		return is && w.isDown(partly(part))
	})
}

// contents is the right to read and write the repository, also by git.
const contents = "contents:write"

// appRights are those that the agent's App has.
var appRights = []string{contents, "pull_requests:write", "members:read", "checks:read",
	"issues:write"}

// forgets is what GitHub may do while it lags: it lists no activity of a deleted branch at all, so that who
// pushed the head of a pull request is not known.
const forgets = "GitHub forgets deleted branches"

// lagsBy is how much later what is written shows at most.
const lagsBy = 3 * time.Minute

// usualManners are those of GitHub while it does not lag.
var usualManners = forge.Manners{Rebase: true}

// hubFaults are those of GitHub that last.
var hubFaults = []beside{
	{lags, 5000, true, func(w *world, _ *site, _ string) func() {
		set := func(m forge.Manners) {
			w.forge.SetManners(m)
			w.hub.lag(m.AssociationLag, m.MergedLag, m.ActivityLag, m.ListLag)
		}
		m, when := usualManners, time.Since(begin).String()
		for i, lag := range []*time.Duration{&m.AssociationLag, &m.MergedLag, &m.ActivityLag, &m.ListLag} {
			*lag = w.span(0, lagsBy, fmt.Sprint(lags, i, when))
		}
		m.NoActivityByDeletedRef = w.below(2, lags+" by name "+when) == 0
		m.NoActivityOfDeletedRef = w.below(10, lags+" at all "+when) == 0
		set(m)
		w.becomes(lags, "yes")
		if m.NoActivityOfDeletedRef {
			w.becomes(forgets, "yes")
		}
		return func() { set(usualManners); w.becomes(lags, ""); w.becomes(forgets, "") }
	}},
	{partDown, 4000, true, func(w *world, _ *site, occasion string) func() {
		return w.stops(partly(parts[w.below(len(parts), "which "+partDown+" "+occasion)]))
	}},
	{tokenRefused, 1000, true, func(w *world, _ *site, _ string) func() { return w.stops(tokenRefused) }},
	{rightLost, 1000, true, func(w *world, _ *site, _ string) func() {
		set := func(rights []string) {
			w.forge.SetAppRights("agent", rights...)
			w.hub.forgetAll()
		}
		lost := w.below(len(appRights), fmt.Sprint(rightLost, time.Since(begin)))
		set(slices.Delete(slices.Clone(appRights), lost, lost+1))
		over, one := w.stops(rightLost), w.stops(of(rightLost, appRights[lost]))
		return func() { set(appRights); over(); one() }
	}},
}

// answerFault is one answer of GitHub's API that is not what it should be.
type answerFault struct {
	name string
	rate int
	// unasked: what was asked for is not done; else it is, and its answer is spoilt
	unasked bool
	spoil   func(answer *http.Response, body []byte, draw func(int) int) []byte
}

// rateLimit has GitHub answer a process no more until a time that it names, up to ten minutes on: who
// heard so asks no more until then.
const rateLimit = "rate limit"

// limitOf is that of a process, as a system that is down until then.
func limitOf(process, until, cluster string) string {
	return of(rateLimit+" of "+process+" until "+until, cluster)
}

// limited notes until when GitHub answers the process no more.
func (n *wire) limited(until string) {
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil {
		panic(err) // this is the only one that says so
	}
	name := limitOf(n.process, until, n.site.name)
	n.w.add(event{down: map[string]bool{name: true}})
	time.AfterFunc(time.Until(time.Unix(seconds, 0)), func() {
		n.w.add(event{down: map[string]bool{name: false}})
	})
}

// page is what a proxy answers in GitHub's place.
const page = "<html><head><title>Unicorn!</title></head><body>We had issues.</body></html>"

// answerFaults are those that there are, of calls of GitHub's API.
var answerFaults = []answerFault{
	{"502", 300, true, refusedWith(http.StatusBadGateway, page)},
	{"502 after all", 200, false, refusedWith(http.StatusBadGateway, page)},
	{rateLimit, 150, true, func(a *http.Response, _ []byte, draw func(int) int) []byte {
		a.Header.Set("X-RateLimit-Limit", "5000")
		a.Header.Set("X-RateLimit-Remaining", "0")
		a.Header.Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Unix()+int64(1+draw(600))))
		return refusedWith(http.StatusForbidden, `{"message":"API rate limit exceeded"}`)(a, nil, draw)
	}},
	{"secondary limit", 150, true, func(a *http.Response, _ []byte, draw func(int) int) []byte {
		a.Header.Set("Retry-After", fmt.Sprint(1+draw(120)))
		return refusedWith(http.StatusForbidden,
			`{"message":"You have exceeded a secondary rate limit. Please wait."}`)(a, nil, draw)
	}},
	{"secondary limit without a time", 100, true, refusedWith(http.StatusTooManyRequests,
		`{"message":"You have exceeded a secondary rate limit. Please wait."}`)},
	{"HTML", 200, false, func(a *http.Response, _ []byte, _ func(int) int) []byte {
		a.Header.Set("Content-Type", "text/html; charset=utf-8")
		return []byte(page)
	}},
	{"answer cut", 300, false, func(_ *http.Response, body []byte, draw func(int) int) []byte {
		return body[:draw(len(body)+1)]
	}},
	{"field missing", 400, false, otherwise(func(o map[string]any, key string) { delete(o, key) })},
	{"field null", 400, false, otherwise(func(o map[string]any, key string) { o[key] = nil })},
	{"GraphQL errors", 300, false, func(_ *http.Response, body []byte, draw func(int) int) []byte {
		var answer map[string]any
		if json.Unmarshal(body, &answer) != nil || answer["data"] == nil {
			return body
		}
		if draw(2) == 0 {
			answer["data"] = nil
		}
		answer["errors"] = []any{map[string]any{"type": "INTERNAL",
			"message": "Something went wrong while executing your query."}}
		return encoded(answer)
	}},
}

// ratesOfAnswers adds those of answerFaults, and of answers of services outside.
func ratesOfAnswers(all map[string]int) map[string]int {
	for _, f := range slices.Concat(answerFaults, outsideFaults) {
		all[f.name] = f.rate
	}
	return all
}

func refusedWith(status int, text string) func(*http.Response, []byte, func(int) int) []byte {
	return func(a *http.Response, _ []byte, _ func(int) int) []byte {
		a.StatusCode, a.Status = status, fmt.Sprint(status, " ", http.StatusText(status))
		return []byte(text)
	}
}

// otherwise changes one field of one object of an answer.
func otherwise(change func(o map[string]any, key string)) func(*http.Response, []byte, func(int) int) []byte {
	return func(_ *http.Response, body []byte, draw func(int) int) []byte {
		var answer any
		numbers := json.NewDecoder(bytes.NewReader(body))
		numbers.UseNumber()
		if numbers.Decode(&answer) != nil {
			return body
		}
		type field struct {
			of  map[string]any
			key string
		}
		var fields []field
		var find func(any)
		find = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, item := range v {
					find(item)
				}
			case map[string]any:
				for _, key := range sorted(v) {
					fields = append(fields, field{v, key})
					find(v[key])
				}
			}
		}
		if find(answer); len(fields) == 0 {
			return body
		}
		one := fields[draw(len(fields))]
		change(one.of, one.key)
		return encoded(answer)
	}
}

func encoded(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was read a moment ago
	}
	return data
}

// askHub is a call of GitHub's, or git's, with what may become of it.
func (n *wire) askHub(id string, r *http.Request, body []byte) *http.Response {
	w := n.w
	if w.isDown(tokenRefused) {
		return said(r, http.StatusUnauthorized, `{"message":"Bad credentials"}`)
	}
	if n.systemOf(r) == git {
		return w.hub.serve(n, r, body)
	}
	if w.isPartDown(r.URL.Path) {
		return said(r, http.StatusServiceUnavailable, page)
	}
	draw := func(most int) int { return w.below(most, "spoilt "+id) }
	for _, f := range answerFaults {
		graph := !strings.HasPrefix(f.name, "GraphQL") || strings.HasSuffix(r.URL.Path, "/graphql")
		if !graph || !w.fault(f.name, id) {
			continue
		}
		answer := said(r, http.StatusOK, "")
		if !f.unasked {
			answer = w.hub.serve(n, r, body)
		}
		whole, err := io.ReadAll(answer.Body)
		if err != nil || !f.unasked && len(whole) == 0 { // there is nothing to spoil
			return said(r, answer.StatusCode, "", answer.Header)
		}
		answer.Header.Del("ETag") // it is of another answer
		spoilt := f.spoil(answer, whole, draw)
		w.note("%s: %s", id, f.name)
		if f.name == rateLimit {
			n.limited(answer.Header.Get("X-RateLimit-Reset"))
		}
		return replaced(answer, spoilt, len(whole), f.name == "answer cut")
	}
	return w.hub.serve(n, r, body)
}

// said is an answer to a call.
func said(r *http.Request, status int, text string, header ...http.Header) *http.Response {
	answer := &http.Response{StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{}}
	answer.Header.Set("Content-Type", "application/json; charset=utf-8")
	if len(header) > 0 {
		answer.Header = header[0]
	}
	answer.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return replaced(answer, []byte(text), len(text), false)
}

// replaced gives an answer another body; one that is cut breaks off where it ends.
func replaced(answer *http.Response, body []byte, announced int, cut bool) *http.Response {
	var text io.Reader = bytes.NewReader(body)
	if cut && len(body) < announced {
		text = io.MultiReader(text, breaks{})
	} else {
		announced = len(body)
	}
	answer.Body, answer.ContentLength = io.NopCloser(text), int64(announced)
	answer.Header.Set("Content-Length", fmt.Sprint(announced))
	return answer
}

// breaks is where a connection broke.
type breaks struct{}

func (breaks) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
