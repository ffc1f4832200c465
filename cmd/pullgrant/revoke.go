package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
GitHub login or a Kubernetes user name.

When that takes too long, or GitHub is down, whoever may delete RoleBindings ends access at once,
and it never comes back:

  kubectl delete rolebinding -A -l app.kubernetes.io/managed-by=pullgrant
  kubectl delete rolebinding -A -l app.kubernetes.io/managed-by=pullgrant,pullgrant.dev/request=NAME

The first is everything, the second one request.

A label has room for 63 characters: for a longer NAME --dry-run says what stands in its place.

The exit code is 1 when nothing that is live is meant.`,
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
			return revoke(cmd.Context(), w, o)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.subject, "subject", "", "everything that this GitHub login asked for, or "+
		"this Kubernetes user has")
	flags.StringVar(&o.policy, "policy", "", "everything under this policy")
	flags.BoolVar(&o.all, "all", false, "everything")
	flags.StringVar(&o.cluster, "cluster", "", "on this cluster only")
	flags.BoolVar(&o.dryRun, "dry-run", false, "only print the requests that are meant")
	return cmd
}

func revoke(ctx context.Context, w world, o revokeOptions) error {
	client, repo, err := o.remote.client(ctx, w)
	if err != nil {
		return err
	}
	files, err := client.Files(ctx, "", requests.Folder)
	if err != nil {
		return err
	}
	wanted := policies.Wanted(policies.KindChange, "")
	tree, err := client.Tree(ctx, "", func(path string) bool {
		return wanted(path) || path == requests.Folder || strings.HasPrefix(path,
			requests.Folder+"/")
	})
	if err != nil {
		return err
	}
	login, id, err := client.User(ctx)
	if err != nil {
		return err
	}
	people, _ := policies.ParseIdentities(policies.IdentitiesPath,
		[]byte(tree.Files[policies.IdentitiesPath].Content))
	var meant []string
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if o.means(path, files[path], people) {
			meant = append(meant, path)
		}
	}
	if len(meant) == 0 {
		w.say("%s has no such request on its default branch", repo)
		return verdict(exitFindings)
	}
	open, err := client.Withdrawing(ctx, id)
	if err != nil {
		w.say("note: whether you have a pull request open for it already could not be told: %v", err)
	}
	others := false
	for _, path := range meant {
		e := ending{client: client, path: path, by: policies.User{Login: login, ID: id,
			Type: "User"}}
		for _, o := range open {
			if o.Path == path {
				e.open = o.PullRequest
			}
		}
		e.find(ctx, w, tree, people)
		if o.own && !e.own(people) {
			others = true
			place, _ := requests.SplitPath(path)
			w.say("%s is not yours to give back; \"%s revoke %[1]s\" ends it, at once if you approved "+
				"it, else once a code owner approves", place.Name, program)
			continue
		}
		if w.say("%s", e); o.dryRun {
			if _, err := fmt.Fprintln(w.out, plain(path)); err != nil {
				return err
			}
			continue
		}
		if err := e.withdraw(ctx, w); err != nil {
			return fmt.Errorf("revoke %s: %w", path, err)
		}
	}
	if others {
		return verdict(exitFindings)
	}
	return nil
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
		return slices.Contains(o.names, place.Name)
	case o.policy != "":
		return place.Policy == o.policy
	case o.subject != "":
		who := request.Spec.Requester
		return strings.EqualFold(who, o.subject) || request.Spec.Subject != nil &&
			request.Spec.Subject.Name == o.subject ||
			slices.ContainsFunc(people.Spec.Users, func(u policies.Identity) bool {
				return strings.EqualFold(u.GitHub, who) && u.On(place.Cluster) == o.subject
			})
	}
	return o.all
}
