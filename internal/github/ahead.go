package github

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// ahead is what one reading asked GraphQL for at once, before the reads that go by it come to it.
// GraphQL tells the whole of most pull requests in a few calls that are paid for apart. What it does
// not tell, or only in part, each read asks REST for as ever: a longer list than its first page, an
// account or a number that has no place in its answer, a "no", whatever the token may not ask there.
type ahead struct {
	objects
	byREST atomic.Bool // GraphQL is asked for nothing that REST tells
}

type aheadKey struct{}

// reads begins a reading, unless ctx is of one already: what is read twice in it is asked for once.
func reads(ctx context.Context, byREST bool) context.Context {
	if ctx.Value(aheadKey{}) != nil {
		return ctx
	}
	told := &ahead{}
	told.byREST.Store(byREST)
	return context.WithValue(ctx, aheadKey{}, told)
}

// once is what a reading was told of something already, else what load reads.
func once[T any](ctx context.Context, what string, load func() (T, error)) (T, error) {
	told, ok := ctx.Value(aheadKey{}).(*ahead)
	if !ok {
		return load()
	}
	return remembered(ctx, &told.objects, what, func() (T, int, error) {
		value, err := load()
		return value, 0, err
	})
}

// tell has a reading know something.
func tell(ctx context.Context, what string, value any) {
	if told, ok := ctx.Value(aheadKey{}).(*ahead); ok {
		told.put(what, value, 0)
	}
}

// forget has a reading not know some things any more.
func forget(ctx context.Context, all ...string) {
	if told, ok := ctx.Value(aheadKey{}).(*ahead); ok {
		told.mu.Lock()
		defer told.mu.Unlock()
		for _, what := range all {
			delete(told.values, what)
		}
	}
}

// query builds a document out of parts that are asked at once, each under an alias of its own.
type query struct {
	variables map[string]any
	declared  strings.Builder
	parts     strings.Builder
}

// variable declares one and returns how it is written.
func (q *query) variable(kind string, value any) string {
	if q.variables == nil {
		q.variables = map[string]any{}
	}
	name := fmt.Sprintf("v%d", len(q.variables))
	q.variables[name] = value
	if q.declared.Len() > 0 {
		q.declared.WriteString(", ")
	}
	fmt.Fprintf(&q.declared, "$%s: %s!", name, kind)
	return "$" + name
}

// part adds a field to ask for.
func (q *query) part(format string, args ...any) {
	fmt.Fprintf(&q.parts, format+"\n", args...)
}

// inRepository asks for what was built as part of the repository, and returns that.
func (c *Client) inRepository(ctx context.Context, q *query, fragments string) (told node, ok bool,
	err error) {
	parts := q.parts.String()
	q.parts.Reset()
	q.part("repository(owner: %s, name: %s, followRenames: false) {\n%s}",
		q.variable("String", c.owner), q.variable("String", c.repo), parts)
	told, ok, err = c.send(ctx, q, fragments)
	if !ok {
		return told, ok, err
	}
	told = told.field("repository")
	return told, !told.null(), *told.wrong
}

// aheadTimeout bounds a question that REST can answer too.
const aheadTimeout = 12 * time.Second

// send asks what was built, once. ok is false when GraphQL does not tell it: nobody would remember
// it, or the token may not ask that there; or its points are spent, it took too long or knows no such
// field, and then nothing more is asked ahead in this reading. An answer that is none is an error.
func (c *Client) send(ctx context.Context, q *query, fragments string) (told node, ok bool,
	err error) {
	reading, ok := ctx.Value(aheadKey{}).(*ahead)
	if !ok || reading.byREST.Load() {
		return node{}, false, nil
	}
	within, cancel := context.WithTimeout(ctx, aheadTimeout)
	defer cancel()
	var raw struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Type string `json:"type"`
		} `json:"errors"`
	}
	document := fmt.Sprintf("query(%s) {\n%s}\n%s", &q.declared, &q.parts, fragments)
	err = c.ask(within, document, q.variables, &raw)
	switch {
	case ctx.Err() != nil:
		return node{}, false, ctx.Err()
	case err != nil || len(raw.Errors) > 0:
		for _, e := range raw.Errors {
			if slices.Contains([]string{"FORBIDDEN", "NOT_FOUND", "INSUFFICIENT_SCOPES"}, e.Type) {
				return node{}, false, nil
			}
		}
		reading.byREST.Store(true)
		return node{}, false, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw.Data))
	decoder.UseNumber()
	told = node{at: "data", wrong: new(error)}
	if err := decoder.Decode(&told.value); err != nil {
		told.fail("is missing")
	}
	return told, *told.wrong == nil && !told.null(), *told.wrong
}
