package github

import (
	"net/http"
	"strconv"
)

// Budget is what GitHub has of calls for a token within an hour: calls of REST, or points of GraphQL,
// which are paid for apart
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api,
// https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api).
type Budget struct {
	Calls     int64 // that this client made and that count; GraphQL's mostly take a point each
	Remaining int64 // of the hour, as GitHub told last; for everybody who uses the token
	Known     bool  // GitHub told
}

// Budgets are those of REST and of GraphQL.
func (c *Client) Budgets() (rest, graphQL Budget) {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	return c.wire.calls, c.wire.points
}

// spend notes what an answer cost, and what is left.
func (t *transport) spend(req *http.Request, response *http.Response) {
	t.mu.Lock()
	defer t.mu.Unlock()
	budget := &t.calls
	if req.Method == http.MethodPost && req.URL.String() == t.graphQL {
		budget = &t.points
	}
	if response.StatusCode != http.StatusNotModified {
		budget.Calls++
	}
	remaining, err := strconv.ParseInt(response.Header.Get("X-RateLimit-Remaining"), 10, 64)
	if err == nil {
		budget.Remaining, budget.Known = remaining, true
	}
}
