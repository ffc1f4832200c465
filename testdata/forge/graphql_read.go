package forge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/pullgrant/pullgrant/testdata/forge/graphql"
)

// serveGraphQL answers what only reads out of what REST answers to the same caller, so that both
// tell one state. What changes something, pages through a list, or asks for the viewer has answers
// of its own.
func (f *Forge) serveGraphQL(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	o := readsOnly(body)
	if who, _ := f.authenticate(r); o == nil || who.user == nil {
		f.operation(need{}, nil, f.graphQL)(w, r)
		return
	}
	value, err := o.Answer(f.overREST(r).Query())
	a := ok(object{"data": value})
	switch {
	case errors.Is(err, graphql.ErrUntold):
		a = ok(object{"data": nil, "errors": []any{object{"type": "FORBIDDEN",
			"message": err.Error()}}})
	case err != nil:
		f.contract.Violation("GraphQL: %v", err)
		a = fault(err)
	}
	data, err := json.Marshal(a.body)
	if err != nil {
		a, data = fault(err), nil
	}
	f.write(w, r, a, data, nil)
}

// readsOnly is the query when REST can answer it.
func readsOnly(body []byte) *graphql.Operation {
	var in struct {
		Query     string
		Variables object
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&in) != nil || strings.HasPrefix(in.Query, "mutation") {
		return nil
	}
	for _, own := range []string{"viewer", "pullRequests(", "pageInfo"} {
		if strings.Contains(in.Query, own) {
			return nil
		}
	}
	o, err := graphql.Parse(in.Query, in.Variables)
	if err != nil {
		return nil // which is told there
	}
	return o
}

func (f *Forge) overREST(r *http.Request) graphql.REST {
	return graphql.REST{Owner: f.opts.Owner, Repo: f.opts.Repo, PageSize: f.opts.PageSize,
		Get: func(path string) (int, string, []byte) {
			asked := httptest.NewRequest(http.MethodGet, path, nil)
			asked.Header = r.Header.Clone()
			asked.Header.Del("Content-Length")
			if f.waits(asked) {
				return 0, "", nil // the trouble is for the call that REST gets then
			}
			recorder := httptest.NewRecorder()
			f.mux.ServeHTTP(recorder, asked)
			return recorder.Code, recorder.Header().Get("Link"), recorder.Body.Bytes()
		},
		Authors: func(commit string) []any {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.authorsGraph(commit)
		},
		Merge: func(number string) string {
			f.mu.Lock()
			defer f.mu.Unlock()
			if n, err := strconv.Atoi(number); err == nil && n <= len(f.pulls) {
				return f.pulls[n-1].mergeSHA
			}
			return ""
		}}
}
