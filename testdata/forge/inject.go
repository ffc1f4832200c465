package forge

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// injection is trouble, or a function, that waits for a call.
type injection struct {
	method  string
	path    *regexp.Regexp
	times   int
	status  int
	body    string
	headers []string
	before  func()
}

func (x *injection) matches(r *http.Request) bool {
	return x.times != 0 && (x.method == "" || x.method == r.Method) &&
		x.path.MatchString(r.URL.Path)
}

// Fail makes the next `times` calls (-1: every one) of method ("" any) on a path that the regular
// expression matches as a whole answer status and body instead, with extra headers as key, value
// pairs. Status 0 gives the true answer but breaks the connection halfway through its body. Git's
// own calls can be failed too (/OWNER/REPO.git/...).
func (f *Forge) Fail(method, pathPattern string, times, status int, body string,
	headers ...string) {
	f.inject(&injection{method: method, path: whole(pathPattern), times: times, status: status,
		body: body, headers: headers})
}

// Before runs fn once, when the next call of method ("" any) on a path that the regular expression
// matches as a whole arrives and before it is served. fn may call the forge: what it changes
// happened between two of the client's calls.
func (f *Forge) Before(method, pathPattern string, fn func()) {
	f.inject(&injection{method: method, path: whole(pathPattern), times: 1, before: fn})
}

// BeforeReceive is Before for the next push, when its pack arrives. A real push made in it wins the
// race against the one that was arriving.
func (f *Forge) BeforeReceive(fn func()) { f.Before(http.MethodPost, ".*/git-receive-pack", fn) }

// Heal takes back every Fail and Before that has not run out.
func (f *Forge) Heal() {
	f.logMu.Lock()
	defer f.logMu.Unlock()
	f.injections = nil
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }

func (f *Forge) inject(x *injection) {
	f.logMu.Lock()
	defer f.logMu.Unlock()
	f.injections = append(f.injections, x)
}

// waits tells whether trouble, or a function, waits for a call of REST: a query that asks for what
// REST tells too is not answered then, so that the call is made.
func (f *Forge) waits() bool {
	f.logMu.Lock()
	defer f.logMu.Unlock()
	return slices.ContainsFunc(f.injections, func(x *injection) bool {
		return x.times != 0 && x.method != http.MethodPost && !x.path.MatchString("/graphql") &&
			!strings.Contains(x.path.String(), "git-")
	})
}

// injected runs what waits before a call and returns the trouble that waits for it, or nil.
func (f *Forge) injected(r *http.Request) *injection {
	f.logMu.Lock()
	var first []func()
	var fail *injection
	for _, x := range f.injections {
		switch {
		case !x.matches(r):
		case x.before != nil:
			x.times--
			first = append(first, x.before)
		case fail == nil:
			x.times--
			fail = x
		}
	}
	f.logMu.Unlock()
	for _, fn := range first {
		fn()
	}
	return fail
}
