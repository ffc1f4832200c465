package policies

import (
	"cmp"
	"fmt"

	"github.com/pullgrant/pullgrant/requests"
)

// TestAccess is access that somebody has beside what a case asks for.
type TestAccess struct {
	Requester string        `yaml:"requester" json:"requester"`
	For       string        `yaml:"for,omitempty" json:"for,omitempty"` // default: the requester
	From      requests.Time `yaml:"from" json:"from"`
	Until     requests.Time `yaml:"until" json:"until"`
}

// counts are what a branch with the case's other access has of it.
func (c TestCase) counts(identities IdentityMap) *Counts {
	counts := &Counts{From: "00000000"} // all that there is
	for n, o := range c.Others {
		who, _ := identities.find(cmp.Or(o.For, o.Requester))
		name := fmt.Sprintf("%s-%s-other-%d", o.From.Format(dayLayout), requests.NamePart(o.Requester), n+1)
		one := Counted{Path: requests.Path(c.Request.Cluster, c.Request.Policy, name),
			Requester: o.Requester, Subject: who.On(c.Request.Cluster),
			Window: requests.Window{Start: o.From, End: o.Until}}
		if !c.now().Before(o.Until.Time) {
			one.Path = requests.RevocationPath(c.Request.Cluster, name)
		}
		counts.Found = append(counts.Found, one)
	}
	sortCounted(counts.Found)
	return counts
}
