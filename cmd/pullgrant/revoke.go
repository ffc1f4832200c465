package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type revokeOptions struct {
	remote  remote
	names   []string
	subject string
	policy  string
	cluster string
	all     bool
	dryRun  bool
	own     bool // only what the caller has themselves
}

func newRevokeCommand(w world) *cobra.Command {
	var o revokeOptions
	cmd := &cobra.Command{
		Use:   "revoke NAME... | --subject WHO | --policy NAME | --all",
		Short: "End access before its time, with a pull request for each request",
		Long: `Open a pull request for each live request that is meant, which removes the request's
file. The agent ends the access as soon as it sees one by the requester, the subject or somebody who
approved the request; for anybody else a code owner must approve and it must be merged. WHO is a
GitHub login or a Kubernetes user name, in whatever case.

When that takes too long, or GitHub is down, whoever may list and delete RoleBindings ends access at
once, and it never comes back:

  kubectl delete rolebinding -A -l app.kubernetes.io/managed-by=pullgrant
  kubectl delete rolebinding -A -l app.kubernetes.io/managed-by=pullgrant,pullgrant.dev/request=NAME

The first is everything, the second one request.

A label has room for 63 characters: for a longer NAME --dry-run says what stands in its place.

What cannot be ended keeps nothing else from it. The exit code is the worst that came of one: 1 when
what is meant is not live, 3 when it could not be ended.`,
		Example: `  pullgrant revoke 20261122-alice-inc-123
  pullgrant revoke --subject alice --dry-run
  pullgrant revoke --all --cluster prod-eu`,
		Args: arguments(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.names = args
			ways := 0
			for _, given := range []bool{len(args) > 0, o.subject != "", o.policy != "", o.all} {
				if given {
					ways++
				}
			}
			if ways != 1 {
				return usagef(cmd, "say which access to end in one way: names of requests, "+
					"--subject, --policy or --all")
			}
			return revoke(cmd, w, o)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.subject, "subject", "", "everything that this GitHub login asked for or "+
		"receives, or this Kubernetes user has")
	flags.StringVar(&o.policy, "policy", "", "everything under this policy")
	flags.BoolVar(&o.all, "all", false, "everything")
	flags.StringVar(&o.cluster, "cluster", "", "on this cluster only")
	flags.BoolVar(&o.dryRun, "dry-run", false, "only print the requests that are meant")
	return cmd
}

// revocable is what stands on the default branch when access is to be ended, and who ends it.
type revocable struct {
	client *github.Client
	repo   string
	files  map[string][]byte // below requests/
	tree   policies.Tree
	people policies.IdentityMap
	by     policies.User
}

func (o revokeOptions) read(ctx context.Context, w world) (s revocable, err error) {
	if s.client, s.repo, err = o.remote.client(ctx, w); err != nil {
		return s, err
	}
	if s.files, err = s.client.Files(ctx, "", requests.Folder); err != nil {
		return s, err
	}
	wanted := policies.Wanted(policies.KindChange, "")
	s.tree, err = s.client.Tree(ctx, "", func(path string) bool {
		return wanted(path) || path == requests.Folder || strings.HasPrefix(path,
			requests.Folder+"/")
	})
	if err != nil {
		return s, err
	}
	s.people, _ = policies.ParseIdentities(policies.IdentitiesPath,
		[]byte(s.tree.Files[policies.IdentitiesPath].Content))
	s.by.Type = "User"
	s.by.Login, s.by.ID, err = s.client.User(ctx)
	return s, err
}

func revoke(cmd *cobra.Command, w world, o revokeOptions) error {
	ctx := cmd.Context()
	s, err := o.read(ctx, w)
	if err != nil {
		o.sayWithoutGitHub(w)
		return err
	}
	if err := o.known(cmd, s); err != nil {
		return err
	}
	var meant []string
	for _, path := range slices.Sorted(maps.Keys(s.files)) {
		if o.means(path, s.files[path], s.people) {
			meant = append(meant, path)
		}
	}
	if len(meant)+len(o.names) == 0 {
		w.say("%s", o.nothing(s))
		return verdict(exitFindings)
	}
	open, err := s.client.Withdrawing(ctx, s.by.ID)
	if err != nil {
		w.say("note: whether you have a pull request open for it already could not be told: %v", err)
	}
	all := endings{world: w, dry: o.dryRun}
	for _, path := range meant {
		place, _ := requests.SplitPath(path)
		e := ending{client: s.client, path: path, by: s.by}
		for _, o := range open {
			if o.Path == path {
				e.open = o.PullRequest
			}
		}
		e.find(ctx, w, s.tree, s.people)
		if o.own && !e.own(s.people) {
			all.lacks(exitFindings, place.Name, "not yours to give back; \"%s revoke %s\" ends it, at "+
				"once if you approved it, else once a code owner approves", program, place.Name)
			continue
		}
		all.end(ctx, place.Name, e)
	}
	o.lacking(ctx, s, meant, &all)
	return all.verdict()
}

// means tells whether a request is one of those to end. One that does not read has nobody but its
// path to go by.
func (o revokeOptions) means(path string, content []byte, people policies.IdentityMap) bool {
	place, ok := requests.SplitPath(path)
	if !ok || o.cluster != "" && place.Cluster != o.cluster {
		return false
	}
	request, _ := requests.ParseRequest(path, content)
	switch {
	case len(o.names) > 0:
		return slices.ContainsFunc(o.names, func(name string) bool { return named(name, path) })
	case o.policy != "":
		return place.Policy == o.policy
	case o.subject != "":
		return strings.EqualFold(request.Spec.Requester, o.subject) || o.receives(place.Cluster, request.Spec,
			people)
	}
	return o.all
}

// receives tells whether the subject gets what a request asks for on a cluster, whoever asked.
func (o revokeOptions) receives(cluster string, asked requests.RequestSpec,
	people policies.IdentityMap) bool {
	if asked.Subject != nil && strings.EqualFold(asked.Subject.Name, o.subject) {
		return true
	}
	return slices.ContainsFunc(people.Spec.Users, func(u policies.Identity) bool {
		user := u.On(cluster)
		switch {
		case !strings.EqualFold(u.GitHub, o.subject) && !strings.EqualFold(user, o.subject):
			return false
		case asked.Subject != nil:
			return asked.Subject.Name == user
		}
		return strings.EqualFold(u.GitHub, asked.Requester)
	})
}

// named tells whether a person named the request at path, by its name or its file.
func named(name, path string) bool {
	t, ok := parseTarget(name)
	return ok && t.number == 0 && t.is(path)
}
