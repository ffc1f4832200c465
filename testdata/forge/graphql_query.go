package forge

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pullgrant/pullgrant/testdata/forge/graphql"
)

// asking is the forge as one caller of GraphQL sees it. Its methods give objects of GitHub's schema;
// what takes work is a Field, worked out when it is asked for.
type asking struct {
	*Forge
	call *call
}

// query is what may be asked at the top; cost is what the rate limit tells of this query.
func (q asking) query(cost object) object {
	return object{
		"viewer": object{"login": q.call.who.login(), "databaseId": id32(q.call.who.user.id)},
		"rateLimit": graphql.Field(func(object) (any, error) {
			b := q.budget(q.call.who)
			return object{"cost": cost["cost"], "nodeCount": cost["nodeCount"],
				"limit": q.opts.Points, "remaining": q.opts.Points - b.used, "used": b.used,
				"resetAt": stamp(b.reset)}, nil
		}),
		"repository": graphql.Field(func(arguments object) (any, error) {
			name := text(arguments, "owner") + "/" + text(arguments, "name")
			who := q.call.who
			if !strings.EqualFold(name, q.fullName()) ||
				who.app == nil && !atLeast(q.role(who.user), "read") {
				return nil, unresolved("Repository with the name '%s'", name)
			}
			return q.repository(), nil
		}),
		"organization": graphql.Field(func(arguments object) (any, error) {
			if login := text(arguments, "login"); !strings.EqualFold(login, q.opts.Owner) {
				return nil, unresolved("Organization with the login of '%s'", login)
			}
			return q.organization(), nil
		}),
		"user": graphql.Field(func(arguments object) (any, error) {
			u := q.person(q.Forge.account(text(arguments, "login")))
			if u == nil {
				return nil, unresolved("User with the login of '%s'", text(arguments, "login"))
			}
			return u, nil
		}),
	}
}

// unresolved is the refusal of what is not there, or not for the caller.
func unresolved(format string, values ...any) error {
	return &graphql.Refused{Type: "NOT_FOUND",
		Message: "Could not resolve to a " + fmt.Sprintf(format, values...) + "."}
}

// allowed is a field for those who may make a REST call that tells the same.
func (q asking) allowed(n need, field graphql.Field) graphql.Field {
	return func(arguments object) (any, error) {
		if a := q.authorise(q.call.who, n, q.call.Request); a.status != 0 {
			return nil, &graphql.Refused{Type: "FORBIDDEN",
				Message: "Resource not accessible by integration"}
		}
		return field(arguments)
	}
}

// text is an argument; empty when it is not given.
func text(arguments object, name string) string {
	if arguments[name] == nil {
		return ""
	}
	return fmt.Sprint(arguments[name])
}

// words are an argument that is a list, of which one item may stand for itself; nil when it is not
// given.
func words(arguments object, name string) (all []string) {
	list, isList := arguments[name].([]any)
	if !isList && arguments[name] != nil {
		list = []any{arguments[name]}
	}
	for _, word := range list {
		all = append(all, fmt.Sprint(word))
	}
	return all
}

// id32 is a databaseId, which GraphQL has no place for beyond 32 bits.
func id32(id int64) any {
	if id > math.MaxInt32 {
		return nil
	}
	return id
}

// connection is the page of a list that the arguments ask for, forwards. A cursor tells how many
// came before.
func connection[T any](q asking, arguments object, items []T, render func(T) any) (object, error) {
	return connectionOf(q.opts.PageSize, arguments, items, render)
}

// connectionOf is connection with pages of at most so many.
func connectionOf[T any](most int, arguments object, items []T, render func(T) any) (object, error) {
	if arguments["last"] != nil || arguments["before"] != nil {
		return nil, fmt.Errorf("the forge has no pages backwards")
	}
	size, err := strconv.Atoi(text(arguments, "first"))
	if err != nil {
		size = 0 // only the count is asked for
	}
	start := 0
	if after := text(arguments, "after"); after != "" {
		if start, err = strconv.Atoi(after); err != nil || start < 0 || start > len(items) {
			return nil, &graphql.Refused{Type: "INVALID_CURSOR_ARGUMENTS",
				Message: fmt.Sprintf("`%s` does not appear to be a valid cursor.", after)}
		}
	}
	end := min(start+min(size, most), len(items))
	nodes := []any{}
	for _, item := range items[start:end] {
		nodes = append(nodes, render(item))
	}
	cursor := any(nil)
	if end > start {
		cursor = strconv.Itoa(end)
	}
	return object{"totalCount": len(items), "nodes": nodes, "pageInfo": object{
		"hasNextPage": end < len(items), "endCursor": cursor, "hasPreviousPage": start > 0}}, nil
}

// listed is a connection as a Field.
func listed[T any](q asking, items func(arguments object) ([]T, error), render func(T) any,
) graphql.Field {
	return listedBy(q.opts.PageSize, items, render)
}

// window is a connection of which a client asks for one page, however many there are: it is as large
// as asked.
func window[T any](items func(arguments object) ([]T, error), render func(T) any) graphql.Field {
	return listedBy(math.MaxInt, items, render)
}

func listedBy[T any](most int, items func(object) ([]T, error), render func(T) any) graphql.Field {
	return func(arguments object) (any, error) {
		found, err := items(arguments)
		if err != nil {
			return nil, err
		}
		return connectionOf(most, arguments, found, render)
	}
}
