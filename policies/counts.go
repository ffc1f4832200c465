package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Counts is what the limits of a request's policy count on its cluster: the policy's other requests,
// and what the ledger has of them.
type Counts struct {
	// From is the oldest day of the ledger that was read, as the names of its folders have it; empty:
	// none.
	From  string    `json:"from,omitempty"`
	Found []Counted `json:"found"`
}

// Counted is one request under the policy that gives access, gave it or may come to.
type Counted struct {
	Path      string          `json:"path"` // of the request, or of its ledger entry
	Requester string          `json:"requester"`
	Subject   string          `json:"subject"` // the Kubernetes user who receives it
	Window    requests.Window `json:"window"`  // up to where it ended, or is to end
	// Undecided tells that the agent has not said yet whether it gives anything.
	Undecided bool `json:"undecided,omitempty"`
}

func (c Counted) String() string {
	return fmt.Sprintf("%s, %s to %s", requests.Quote(c.Path), c.Window.Start, c.Window.End)
}

// Take has what an agent knows by its records take the place of what the branch let suppose. What
// has an empty window gave nothing. An entry of the ledger stands.
func (c *Counts) Take(known ...Counted) {
	for _, k := range known {
		i := slices.IndexFunc(c.Found, func(f Counted) bool { return nameIn(f.Path) == nameIn(k.Path) })
		switch {
		case i < 0 && !k.Window.Empty():
			c.Found = append(c.Found, k)
		case i < 0 || isUnder(c.Found[i].Path, requests.RevocationsFolder):
		case k.Window.Empty():
			c.Found = slices.Delete(c.Found, i, i+1)
		default:
			c.Found[i] = k
		}
	}
	sortCounted(c.Found)
}

// Has tells whether a request was found, or its ledger entry.
func (c *Counts) Has(path string) bool {
	return slices.ContainsFunc(c.Found, func(f Counted) bool { return nameIn(f.Path) == nameIn(path) })
}

func sortCounted(all []Counted) {
	slices.SortFunc(all, func(a, b Counted) int {
		return cmp.Or(a.Window.Start.Compare(b.Window.Start.Time), strings.Compare(a.Path, b.Path))
	})
}

func nameIn(path string) string {
	return strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".yaml")
}

const (
	// maxCountedDays bounds the days of the ledger that the limits of a policy may go by.
	maxCountedDays = 31
	// MaxCounted bounds the files that are opened to count.
	MaxCounted = 300
	day        = 24 * time.Hour
	dayLayout  = "20060102"
)

// Counting tells whoever reads a commit what the limits of a request's policy need of it, and puts
// together what was read. Days are listed by their names, and of those only what may be one of the
// people's is opened.
type Counting struct {
	place      requests.Place
	at         time.Time
	spec       PolicySpec
	identities IdentityMap
	from, to   string   // days of the ledger; none: empty
	people     []string // as names of requests have them; nil: everybody's
	opened     int
	found      []counting
}

type counting struct {
	Counted
	extends string
	grant   requests.Grant
	merged  time.Time
}

// CountingOf begins to count for a request that is judged at a moment under one or several versions
// of its policy, the current one first; nil when none of them has anything to count, or there is
// nothing to judge.
func CountingOf(path string, content []byte, at time.Time, trees ...Tree) *Counting {
	request, findings := requests.ParseRequest(path, content)
	place, ok := requests.SplitPath(path)
	if !ok || len(findings) > 0 {
		return nil
	}
	c, counts, everybody := &Counting{place: place, at: at}, false, false
	for _, t := range slices.Backward(trees) {
		policy, findings := parse(t, Path(place.Policy), ParsePolicy)
		if _, there := t.Files[Path(place.Policy)]; !there || len(findings) > 0 {
			continue
		}
		c.spec = policy.Spec
		c.identities, _ = parse(t, IdentitiesPath, ParseIdentities)
		if !policy.Spec.counts() {
			continue
		}
		counts, everybody = true, everybody || len(policy.Spec.OnBehalfOf) > 0
		if from := policy.Spec.countsFrom(at); from != "" && (c.from == "" || from < c.from) {
			c.from = from
		}
		c.people = append(c.people, requests.NamePart(request.Spec.Requester))
	}
	if !counts {
		return nil
	}
	if everybody { // who received access no name tells
		c.people = nil
	}
	if c.from != "" {
		c.to = at.Add(day).UTC().Format(dayLayout)
	}
	return c
}

// Requests is the folder of the policy's requests: all that is in it is opened.
func (c *Counting) Requests() string {
	return requests.Folder + "/" + c.place.Cluster + "/" + c.place.Policy
}

// Ledger is the folder whose days are listed; empty when the ledger does not matter.
func (c *Counting) Ledger() string {
	if c.from == "" {
		return ""
	}
	return requests.RevocationsFolder + "/" + c.place.Cluster
}

// Lists tells whether a folder of the ledger matters, by its name, the day.
func (c *Counting) Lists(name string) bool {
	return len(name) == len(dayLayout) && c.from <= name && name <= c.to
}

// Days are all that matter.
func (c *Counting) Days() (all []string) {
	at, err := time.Parse(dayLayout, c.from)
	for ; err == nil && at.Format(dayLayout) <= c.to; at = at.Add(day) {
		all = append(all, c.Ledger()+"/"+at.Format(dayLayout))
	}
	return all
}

// Places are where the request of a file stands, or its ledger entry.
func (c *Counting) Places(path string) []string {
	return []string{c.Requests() + "/" + nameIn(path) + ".yaml",
		requests.RevocationPath(c.place.Cluster, nameIn(path))}
}

// Opens tells whether a file may be one that counts, by its path.
func (c *Counting) Opens(path string) bool {
	if at, ok := requests.SplitPath(path); ok {
		return at.Cluster == c.place.Cluster && at.Policy == c.place.Policy && at.Name != c.place.Name
	}
	at, ok := requests.SplitRevocationPath(path)
	if !ok || at.Cluster != c.place.Cluster || !c.Lists(at.Day) || at.Name == c.place.Name {
		return false
	}
	_, rest, _ := strings.Cut(at.Name, "-")
	return c.people == nil || slices.ContainsFunc(c.people, func(who string) bool {
		return strings.HasPrefix(rest, who+"-")
	})
}

// opens counts a file that is opened. What cannot be counted is an error, for a limit that overlooks
// something is none.
func (c *Counting) opens() error {
	if c.opened++; c.opened > MaxCounted {
		return fmt.Errorf("the limits of the policy %s would have to count more than %d files of %s "+
			"and the ledger; give it limits that need fewer days", c.place.Policy, MaxCounted, c.Requests())
	}
	return nil
}

// Add counts a request that Opens. merged is when its pull request was merged, as far as anybody says;
// zero: now.
func (c *Counting) Add(path string, content []byte, merged time.Time) error {
	if err := c.opens(); err != nil {
		return err
	}
	request, findings := requests.ParseRequest(path, content)
	if len(findings) > 0 {
		return nil // it gives nothing
	}
	if merged.IsZero() {
		merged = c.at
	}
	asked, target := request.Spec, c.spec.Target
	one := counting{extends: asked.Extends, merged: merged, grant: requests.Grant{
		NotBefore: asked.NotBefore, Until: asked.Until, Windows: c.spec.Windows,
		Duration: cmp.Or(asked.Duration, target.DefaultDuration, target.MaxDuration)},
		Counted: Counted{Path: path, Requester: asked.Requester, Undecided: true}}
	if who, _, ok := c.identities.receiver(asked); ok {
		one.Subject = who.On(asked.Cluster)
	}
	c.found = append(c.found, one)
	return nil
}

// Entered is what limits go by of one entry of the ledger. It follows from the entry alone, so that
// whoever counts often reads each entry once.
type Entered struct {
	one     Counted
	policy  string // empty: it gave no access that counts
	began   *requests.Time
	problem string // why it cannot be read; empty: it can
}

// ReadEntered reads an entry of the ledger.
func ReadEntered(path string, content []byte) Entered {
	r, findings := requests.ParseRevocation(path, content)
	if len(findings) > 0 {
		return Entered{problem: findings[0].String()}
	}
	e := Entered{began: r.Status.GrantedAt}
	if r.Spec == nil || r.Status.GrantedAt == nil || r.Status.ExpiresAt == nil ||
		r.Status.Cause == requests.CauseDenied {
		return e
	}
	e.policy = r.Spec.Policy
	e.one = Counted{Path: path, Requester: r.Spec.Requester, Window: requests.Window{
		Start: *r.Status.GrantedAt, End: *r.Status.ExpiresAt}}
	if r.Status.RevokedAt.Before(e.one.Window.End.Time) {
		e.one.Window.End = r.Status.RevokedAt
	}
	if r.Status.Subject != nil {
		e.one.Subject = r.Status.Subject.Name
	}
	return e
}

// Enter counts an entry of the ledger that Opens and is of a request that was merged before the moment
// that is counted for: as the branch had it then, or because its access began before, where people had
// taken the request and the agent had still to write the entry. One that cannot be read may be such a
// one, and is an error.
func (c *Counting) Enter(e Entered, before bool) error {
	if !before && e.problem == "" && (e.began == nil || !e.began.Before(c.at)) {
		return nil
	}
	if err := c.opens(); err != nil {
		return err
	}
	if e.problem != "" {
		return fmt.Errorf("count what the limits of the policy %s go by: %s", c.place.Policy, e.problem)
	}
	if e.policy == c.place.Policy {
		c.found = append(c.found, counting{Counted: e.one})
	}
	return nil
}

// Counts is what was counted. A request that goes on from another begins at the end of that.
func (c *Counting) Counts() *Counts {
	ends := map[string]requests.Time{}
	for range len(c.found) + 1 {
		for i, one := range c.found {
			if one.Undecided {
				one.grant.NotBefore = cmp.Or(ends[one.extends], one.grant.NotBefore)
				c.found[i].Window = one.grant.From(one.merged)
			}
			ends[nameIn(one.Path)] = c.found[i].Window.End
		}
	}
	counts := &Counts{From: c.from, Found: []Counted{}}
	for _, one := range c.found {
		if !one.Window.Empty() {
			counts.Found = append(counts.Found, one.Counted)
		}
	}
	sortCounted(counts.Found)
	return counts
}
