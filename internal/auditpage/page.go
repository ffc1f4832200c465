// Package auditpage is the audit as one page for a browser, which needs nothing from a network:
// its style, its script and the requests are inside.
package auditpage

import (
	"crypto/sha256"
	_ "embed" // style and script
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
)

var (
	//go:embed page.html
	text string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

var page = template.Must(template.New("page").Parse(text))

// Page is what one page tells.
type Page struct {
	Title string        // of the access repository
	Made  requests.Time // when it was written
	About string        // what narrowed it, in words; empty: nothing
	// Base is the address of the repository on GitHub, for links to pull requests and commits;
	// empty: there are no links.
	Base string
	Rows []audit.Row
}

// Write writes the page. Whatever a row says is text in it, never markup: html/template escapes
// the data, the script puts it into text nodes alone, and the policy in the page's head lets no
// other script run and nothing be fetched.
func Write(w io.Writer, p Page) error {
	err := page.Execute(w, struct {
		Page
		Policy string
		Style  template.CSS
		Script template.JS
		Data   any
	}{p, policy(), template.CSS(style), template.JS(script), data(p)})
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// policy is the page's Content-Security-Policy.
func policy() string {
	return "default-src 'none'; script-src " + source(script) + "; style-src " + source(style) +
		"; base-uri 'none'; form-action 'none'"
}

func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// grant is a row as the script takes it: words where it would have to know them, times in seconds
// since 1970, 0 where there is none.
type grant struct {
	Name    string `json:"name"`
	Who     string `json:"who"`
	User    string `json:"user,omitempty"`
	Where   string `json:"where"`
	Policy  string `json:"policy,omitempty"`
	Roles   string `json:"roles,omitempty"`
	From    int64  `json:"from,omitempty"`
	Until   int64  `json:"until,omitempty"`
	Ended   int64  `json:"ended,omitempty"`
	Cause   string `json:"cause,omitempty"`
	How     string `json:"how,omitempty"`
	By      string `json:"by,omitempty"` // who approved
	Reason  string `json:"reason,omitempty"`
	Pull    int    `json:"pull,omitempty"`
	Commit  string `json:"commit"`
	Granted string `json:"granted,omitempty"` // commit that tells of its beginning
	Proof   string `json:"proof"`
	Glass   bool   `json:"glass,omitempty"`
	Entered int64  `json:"entered"`
}

func data(p Page) any {
	all := make([]grant, len(p.Rows))
	for i, r := range p.Rows {
		all[i] = grant{Name: r.Name, Who: r.Who(), User: r.Subject, Where: r.Where(), Policy: r.Policy,
			Roles: strings.Join(r.Roles, ", "), From: seconds(r.From), Until: seconds(r.Until),
			Ended: seconds(r.Ended), Cause: r.Cause, How: r.How(),
			By: strings.Join(r.Approvers, ", "), Reason: r.Reason, Pull: r.PullRequest,
			Commit: r.Commit, Proof: string(r.Proof), Glass: r.BreakGlass, Entered: seconds(r.Entered)}
		if r.Granted != nil {
			all[i].Granted = r.Granted.Commit
		}
	}
	return struct {
		Base   string  `json:"base"`
		Made   int64   `json:"made"`
		Grants []grant `json:"grants"`
	}{p.Base, seconds(p.Made), all}
}

func seconds(t requests.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
