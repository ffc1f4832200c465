package policies

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// DefaultVerb is what an RBACAuthorization asks for when it names no verb.
const DefaultVerb = "sudo"

// rbacChallenge is met when the cluster's own RBAC lets whoever receives the access use a verb on each
// role that is asked for (R86).
func rbacChallenge() challengeKind {
	return challengeKind{
		name: RBACAuthorization,
		about: "RBACAuthorization: RBAC of the cluster lets whoever receives the access use the verb sudo, " +
			"or the one named, on each ClusterRole asked for; the agent asks when it grants.",
		unreviewed: true,
		fields:     kindFields{takes: []string{"verb", "after"}},
		check:      func(*requests.Document, string, Challenge) {},
		who:        func(world, condition) []Party { return nil },
		asks:       func(world, condition, tally) []Question { return nil },
		inquires: func(_ world, c condition, t tally) (all []Asking) {
			for _, r := range (Asking{Challenge: c.Challenge, Grant: t.request.Grant,
				Receiver: t.request.Receiver}).AccessReviews() {
				all = append(all, t.asks(c, r.of(), r.about()))
			}
			return all
		},
		refusal: NotAuthorizedInCluster,
		met:     replied,
		words: func(c Challenge) string {
			return fmt.Sprintf("the verb %s on the role, by the cluster's RBAC", c.verb())
		},
	}
}

func (c Challenge) verb() string { return cmp.Or(c.Verb, DefaultVerb) }

// AccessReview is one question to the cluster's RBAC: may the user, in those groups, use the verb on
// the ClusterRole, in the namespace or, without one, in the whole cluster?
type AccessReview struct {
	User      string
	Groups    []string
	Verb      string
	Role      string
	Namespace string
}

func (r AccessReview) of() string {
	if r.Namespace == "" {
		return fmt.Sprintf("%s on the ClusterRole %s", r.Verb, r.Role)
	}
	return fmt.Sprintf("%s on the ClusterRole %s in %s", r.Verb, r.Role, r.Namespace)
}

func (r AccessReview) about() string {
	if len(r.Groups) == 0 {
		return r.User
	}
	return fmt.Sprintf("%s in %s", r.User, strings.Join(r.Groups, ", "))
}

// AccessReviews are the questions of an RBACAuthorization, one for each role and namespace of what is
// asked for; none where what is asked for has no role.
func (a Asking) AccessReviews() (all []AccessReview) {
	identity := a.Receiver.in(a.Grant.Cluster)
	for _, item := range a.Grant.Items {
		if item.Role.Name == "" {
			return nil // nothing says what the verb would be on
		}
		r := AccessReview{User: identity.Username, Groups: identity.Groups, Verb: a.Challenge.verb(),
			Role: item.Role.Name, Namespace: item.Namespace}
		if !slices.ContainsFunc(all, func(other AccessReview) bool { return other.of() == r.of() }) {
			all = append(all, r)
		}
	}
	return all
}

// Asked is the one of AccessReviews that the inquiry is about.
func (a Asking) Asked() (AccessReview, bool) {
	all := a.AccessReviews()
	i := slices.IndexFunc(all, func(r AccessReview) bool { return r.of() == a.Of && r.about() == a.About })
	if i < 0 {
		return AccessReview{}, false
	}
	return all[i], true
}

// groupsJoined names the groups of the clusters that a person is in by now: an RBACAuthorization counts
// what they may do by them.
func groupsJoined(old, now Identity) (all []string) {
	add := func(was, is KubernetesIdentity, where string) {
		for _, g := range is.Groups {
			if !slices.Contains(was.Groups, g) {
				all = append(all, fmt.Sprintf("%s (%d) is in the Kubernetes group %s%s", now.GitHub,
					now.GitHubID, requests.Quote(g), where))
			}
		}
	}
	add(old.Kubernetes, now.Kubernetes, "")
	for _, cluster := range slices.Sorted(maps.Keys(now.Clusters)) {
		add(old.in(cluster), now.Clusters[cluster], " on "+cluster)
	}
	return all
}
