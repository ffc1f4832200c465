// The program auditpage prints the audit's page of so many requests, for the tests in a browser.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/internal/auditpage"
	"github.com/pullgrant/pullgrant/requests"
)

func main() {
	n, err := strconv.Atoi(strings.Join(os.Args[1:], " "))
	if err == nil {
		made := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
		err = auditpage.Write(os.Stdout, auditpage.Page{Title: "acme/access", Made: requests.At(made),
			Base: "https://github.com/acme/access", Rows: rows(n, made)})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "auditpage:", err)
		os.Exit(1)
	}
}

// rows are requests of some people in some namespaces, that ended in every way there is, the last
// shortly before made.
func rows(n int, made time.Time) (all []audit.Row) {
	causes := []string{requests.CauseExpired, requests.CauseExpired, requests.CauseExpired,
		requests.CauseRelinquished, requests.CauseRevoked, requests.CauseDenied,
		requests.CauseBindingDeleted, ""}
	namespaces := []string{"payments", "web", "search", "warehouse-of-the-north", "mail"}
	roles := []string{"payments-debug", "view", "edit"}
	people := min(150, n/3)
	for i := range n {
		from := made.Add(-time.Duration(n-i) * 97 * time.Minute)
		r := audit.Row{Name: fmt.Sprintf("%s-person-%d-inc-%d", from.Format("20060102"), i%people, i),
			Cluster: []string{"prod-eu", "prod-us"}[i%2], Policy: "payments-debug",
			Requester: fmt.Sprintf("person-%d", i%people), Roles: roles[i%3 : i%3+1],
			Subject:    fmt.Sprintf("person-%d@example.com", i%people),
			Namespaces: namespaces[i%5 : i%5+1], Cause: causes[i%len(causes)],
			From: requests.At(from), Until: requests.At(from.Add(2 * time.Hour)),
			Ended:       requests.At(from.Add(2 * time.Hour)),
			PullRequest: i + 1, Reason: "INC-123, checkout is slow", Entered: requests.At(from),
			Commit: strings.Repeat("0123456789", 4), Proof: requests.Signed, Approvers: []string{"bob"}}
		switch r.Cause {
		case "":
			r.Ended, r.Proof, r.PullRequest = requests.Time{}, requests.NotEnded, 0
			r.Granted = &requests.Granted{Commit: strings.Repeat("9876543210", 4)}
		case requests.CauseDenied:
			r.From, r.Until, r.Code, r.Namespaces = requests.Time{}, requests.Time{}, "RequesterNotAllowed", nil
		case requests.CauseExpired:
			r.BreakGlass = i%16 == 1
			r.Reason = `<b class="injected">INC-4</b></script><img src=x>`
		default:
			r.Ended = requests.At(from.Add(50 * time.Minute))
			r.EndedBy = "@bob in #9"
		}
		all = append(all, r)
	}
	return all
}
