package graphql

import (
	"fmt"
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// What GitHub takes at most:
// https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
const (
	maxPage  = 100
	maxNodes = 500_000
)

// Cost is how many points GitHub takes for the operation and how many nodes it may answer, both
// worked out from the sizes of the pages that it asks for, before anything is read. The error is
// GitHub's refusal of a connection without a size, of one that is too large, and of too many nodes.
func (o *Operation) Cost() (points, nodes int, err error) {
	requests, nodes, err := o.cost(o.operation.SelectionSet, 1)
	if err == nil && nodes > maxNodes {
		err = &Refused{"MAX_NODE_LIMIT_EXCEEDED", fmt.Sprintf("This query requests up to %d possible "+
			"nodes which exceeds the maximum limit of %d.", nodes, maxNodes)}
	}
	return max(1, int(math.Round(float64(requests)/100))), nodes, err
}

// cost counts for a selection that is answered so many times.
func (o *Operation) cost(selection ast.SelectionSet, times int) (requests, nodes int, err error) {
	for _, s := range selection {
		below, each := ast.SelectionSet(nil), times
		switch s := s.(type) {
		case *ast.InlineFragment:
			below = s.SelectionSet
		case *ast.FragmentSpread:
			below = s.Definition.SelectionSet
		case *ast.Field:
			below = s.SelectionSet
			size, paged, err := o.pageSize(s)
			if err != nil {
				return 0, 0, err
			}
			if paged {
				requests, nodes, each = requests+times, nodes+times*size, times*size
			}
		}
		r, n, err := o.cost(below, each)
		if err != nil {
			return 0, 0, err
		}
		requests, nodes = requests+r, nodes+n
	}
	return requests, nodes, nil
}

// pageSize is the size of the page that is asked of a connection; paged is false of another field,
// and of a connection of which only the count is asked.
func (o *Operation) pageSize(f *ast.Field) (size int, paged bool, err error) {
	if f.Definition.Arguments.ForName("first") == nil {
		return 0, false, nil
	}
	arguments := f.ArgumentMap(o.Variables)
	given := arguments["first"]
	if given == nil {
		given = arguments["last"]
	}
	if given == nil {
		for _, name := range []string{"nodes", "edges", "pageInfo"} {
			if asks(f.SelectionSet, name) {
				return 0, false, &Refused{"MISSING_PAGINATION_BOUNDARIES", fmt.Sprintf("You must "+
					"provide a `first` or `last` value to properly paginate the `%s` connection.",
					f.Name)}
			}
		}
		return 0, false, nil
	}
	size, err = strconv.Atoi(fmt.Sprint(given))
	if err != nil || size < 1 || size > maxPage {
		return 0, false, &Refused{"EXCESSIVE_PAGINATION", fmt.Sprintf("Requesting %v records on the "+
			"`%s` connection exceeds the `first` limit of %d records.", given, f.Name, maxPage)}
	}
	return size, true, nil
}

// asks tells whether a selection has a field, in fragments too.
func asks(selection ast.SelectionSet, name string) bool {
	for _, s := range selection {
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == name {
				return true
			}
		case *ast.InlineFragment:
			if asks(s.SelectionSet, name) {
				return true
			}
		case *ast.FragmentSpread:
			if asks(s.Definition.SelectionSet, name) {
				return true
			}
		}
	}
	return false
}
