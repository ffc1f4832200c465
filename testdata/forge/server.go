package forge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge/openapi"
)

// object is a JSON object on its way out.
type object = map[string]any

// raw is a body that is no JSON.
type raw string

// answer is what one operation says: a status, a JSON value (nil for none, or raw) and extra
// headers.
type answer struct {
	status int
	body   any
	header http.Header
}

func ok(body any) answer          { return answer{status: http.StatusOK, body: body} }
func created(body any) answer     { return answer{status: http.StatusCreated, body: body} }
func noContent() answer           { return answer{status: http.StatusNoContent} }
func notFound() answer            { return refuse(http.StatusNotFound, "Not Found") }
func forbidden(why string) answer { return refuse(http.StatusForbidden, why) }

// refuse is GitHub's error body. Each of errors is a string or an object with resource, field and
// code.
func refuse(status int, message string, errors ...any) answer {
	body := object{"message": message, "documentation_url": "https://docs.github.com/rest",
		"status": strconv.Itoa(status)}
	if len(errors) > 0 {
		body["errors"] = errors
	}
	return answer{status: status, body: body}
}

// invalid is a 422 with GitHub's usual message.
func invalid(errors ...any) answer {
	return refuse(http.StatusUnprocessableEntity, "Validation Failed", errors...)
}

// fault reports trouble of the forge itself.
func fault(err error) answer { return refuse(http.StatusInternalServerError, err.Error()) }

// call is one REST call under way.
type call struct {
	*http.Request
	who  identity
	body []byte
}

// into decodes the request body; an empty body leaves v alone.
func (c *call) into(v any) bool { return len(c.body) == 0 || json.Unmarshal(c.body, v) == nil }

// number reads a numeric path value; -1 when it is none.
func (c *call) number(name string) int64 {
	n, err := strconv.ParseInt(c.PathValue(name), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Request is one call the forge received, REST or git.
type Request struct {
	Method, Path, Query string
	User                string // login behind the token; empty for none
	Status              int
}

// Requests lists what was called so far, in the order of the answers.
func (f *Forge) Requests() []Request {
	f.logMu.Lock()
	defer f.logMu.Unlock()
	return slices.Clone(f.requests)
}

// ServeHTTP serves git below /OWNER/REPO.git and the REST API everywhere else.
func (f *Forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.under.RLock()
	defer f.under.RUnlock()
	who, login := f.authenticate(r)
	recorder := &statusRecorder{ResponseWriter: w, log: func(status int) {
		f.record(r,
			login, status)
	}}
	w.Header().Set("Date", f.now().Format(http.TimeFormat))
	x := f.injected(r)
	if x != nil && x.status != 0 {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		for i := 0; i+1 < len(x.headers); i += 2 {
			w.Header().Set(x.headers[i], x.headers[i+1])
		}
		recorder.WriteHeader(x.status)
		_, _ = io.WriteString(recorder, x.body)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/"+f.fullName()+".git/") {
		f.serveGit(recorder, r, who)
		return
	}
	if _, pattern := f.mux.Handler(r); pattern == "" && f.opts.Contract {
		f.contract.Violation("request %s %s: not an operation of GitHub's API that the forge knows",
			r.Method, r.URL.Path)
	}
	recorder.half = x != nil
	f.mux.ServeHTTP(recorder, r)
	if x != nil {
		panic(http.ErrAbortHandler) // the client sees the connection break
	}
}

// record adds a call to the log, before its answer leaves.
func (f *Forge) record(r *http.Request, login string, status int) {
	f.logMu.Lock()
	defer f.logMu.Unlock()
	f.requests = append(f.requests, Request{r.Method, r.URL.Path, r.URL.RawQuery, login, status})
	fmt.Fprintf(f.opts.Log, "%s %s %d %s\n", r.Method, r.URL.RequestURI(), status, login)
}

// statusRecorder logs the call as soon as its status is known; with half it lets only half of each
// write through.
type statusRecorder struct {
	http.ResponseWriter
	log  func(status int) // nil once called
	half bool
}

func (s *statusRecorder) WriteHeader(status int) {
	if s.log != nil {
		s.log(status)
		s.log = nil
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(p []byte) (int, error) {
	if s.log != nil {
		s.WriteHeader(http.StatusOK)
	}
	if !s.half {
		return s.ResponseWriter.Write(p)
	}
	_, err := s.ResponseWriter.Write(p[:len(p)/2])
	if flusher, ok := s.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
	return len(p), err
}

// Unwrap lets git's handler flush.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// operation serves one route: authenticate, authorise, run under the lock, complete, check, write.
func (f *Forge) operation(
	need need, route *openapi.Route, handle func(*call) answer,
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var check *openapi.Exchange
		if f.opts.Contract && route != nil {
			check = f.contract.Request(route, r, body)
		}
		f.mu.Lock()
		who := f.authenticateLocked(r)
		a := f.authorise(who, need, r)
		if a.status == 0 {
			a = handle(&call{Request: r, who: who, body: body})
			f.autoMerge()
		}
		f.mu.Unlock()
		if a.header == nil {
			a.header = http.Header{}
		}
		data, err := f.encode(route, a)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		f.write(w, r, a, data, check)
	}
}

// encode turns an answer into JSON, completed with the fields GitHub always sends.
func (f *Forge) encode(route *openapi.Route, a answer) ([]byte, error) {
	switch body := a.body.(type) {
	case nil:
		return nil, nil
	case raw:
		return []byte(body), nil
	}
	return f.contract.Encode(route, a.status, a.body)
}

func (f *Forge) write(w http.ResponseWriter, r *http.Request, a answer, data []byte,
	check *openapi.Exchange) {
	header := w.Header()
	header.Set("X-RateLimit-Limit", "5000")
	header.Set("X-RateLimit-Remaining", "4999")
	header.Set("X-RateLimit-Reset", strconv.FormatInt(f.now().Add(time.Hour).Unix(), 10))
	for key, values := range a.header {
		header[key] = values
	}
	if _, isRaw := a.body.(raw); isRaw {
		header.Set("Content-Type", "application/octet-stream")
		check = nil // the description speaks of JSON only
	} else if data != nil {
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if check != nil {
		if err := check.Response(a.status, header, data); err != nil {
			f.contract.Violation("%v", err)
		}
	}
	if f.in2026() {
		data = in2026(data)
	}
	if a.status == http.StatusOK && r.Method == http.MethodGet {
		sum := sha256.Sum256(data)
		etag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
		header.Set("ETag", etag)
		if match := r.Header.Get("If-None-Match"); match != "" && strings.TrimPrefix(match,
			"W/") == strings.TrimPrefix(etag, "W/") {
			header.Del("Link") // no client can count on it in a 304
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if data != nil {
		header.Set("Content-Length", strconv.Itoa(len(data)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(data)
}

// page cuts the page that the query asks for out of all items, and links to its neighbours as
// GitHub does.
func page[T any](f *Forge, c *call, items []T, render func(T) any) ([]any, http.Header) {
	size := f.opts.PageSize
	if n, err := strconv.Atoi(c.URL.Query().Get("per_page")); err == nil && n > 0 {
		size = min(size, n)
	}
	at := 1
	if n, err := strconv.Atoi(c.URL.Query().Get("page")); err == nil && n > 0 {
		at = n
	}
	last := max(1, (len(items)+size-1)/size)
	var links []string
	link := func(rel string, n int) {
		query := c.URL.Query()
		query.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, f.URL, c.URL.EscapedPath(),
			query.Encode(), rel))
	}
	if at > 1 {
		link("prev", at-1)
	}
	if at < last {
		link("next", at+1)
		link("last", last)
	}
	if at > 1 {
		link("first", 1)
	}
	out := []any{}
	for i := (at - 1) * size; i < min(at*size, len(items)); i++ {
		out = append(out, render(items[i]))
	}
	header := http.Header{}
	if len(links) > 0 {
		header.Set("Link", strings.Join(links, ", "))
	}
	return out, header
}

// list answers one page of items.
func list[T any](f *Forge, c *call, items []T, render func(T) any) answer {
	out, header := page(f, c, items, render)
	return answer{http.StatusOK, out, header}
}

// stamp writes a time as GitHub does; the zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}
