package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

type catalogOptions struct {
	remote     remote
	cluster    string
	kubeconfig string
	check      bool
	pr         bool
	output     *format
}

// roleChange is a file of the catalogue that does not show its role as the cluster has it.
type roleChange struct {
	File       string   `json:"file"`
	Role       string   `json:"role" about:"Name of the ClusterRole."`
	State      string   `json:"state" enum:"new,not valid,written otherwise,changed"`
	Added      []string `json:"added,omitempty" about:"What the cluster has and the file has not."`
	Removed    []string `json:"removed,omitempty" about:"What the file has and the cluster has not."`
	Aggregated *bool    `json:"aggregated,omitempty" about:"Where that has changed."`
}

func newCatalogCommand(w world) *cobra.Command {
	var o catalogOptions
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "Show approvers the rules of a cluster's roles",
		Long: `Read from a cluster every ClusterRole that the policies for it name, and write its
rules to catalog/<cluster>/<role>.yaml (a colon in the name as +). Approvers are shown the rules
from there, and the agent refuses a role that has others.

The files are written to the checkout. With --repo or --pr they are compared with the default branch
on GitHub, and what differs becomes a pull request. With --check nothing is written: what differs
goes to stdout, and the exit code is 1 when something does. It is also 1 when a role is missing in
the cluster or cannot be shown.

The cluster is the one that kubectl would use, and the right to get those ClusterRoles is all it
takes.`,
		Example: `  pullgrant catalog --cluster prod-eu
  pullgrant catalog --cluster prod-eu --check
  pullgrant catalog --cluster prod-eu --repo acme/access --kubeconfig prod-eu.yaml`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch problem := requests.CheckName(o.cluster); {
			case o.cluster == "":
				return usagef(cmd, "--cluster is missing")
			case problem != "":
				return usagef(cmd, "--cluster %q: %s", o.cluster, problem)
			case o.check && o.pr:
				return usagef(cmd, "--check writes nothing; leave --pr out")
			case cmd.Flags().Changed("output") && !o.check && (o.pr || o.remote.repo != ""):
				return usagef(cmd, "of a pull request only its address is printed; leave -o out, or give --check")
			}
			return catalog(cmd.Context(), w, o)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.cluster, "cluster", "", "name of the cluster in the access repository")
	kubeconfigFlag(cmd, &o.kubeconfig)
	flags.BoolVar(&o.check, "check", false, "write nothing; show what differs")
	flags.BoolVar(&o.pr, "pr", false, "open a pull request instead of writing to the checkout")
	o.output = outputFlag(cmd, []roleChange{}, asName)
	return cmd
}

func catalog(ctx context.Context, w world, o catalogOptions) error {
	dir, client, tree, err := o.tree(ctx, w)
	if err != nil {
		return err
	}
	names, findings := tree.Roles(o.cluster)
	if len(findings) > 0 {
		w.say("the policies are not valid, so which roles they name is not known:")
		return endWithFindings(w, findings)
	}
	if len(names) == 0 {
		return fmt.Errorf("no policy is for the cluster %s", o.cluster)
	}
	config, err := clusterAtHand(ctx, w, o.kubeconfig, o.cluster)
	if err != nil {
		return err
	}
	w.say("reading %s", count(len(names), "role"))
	_, stop := w.awaiting("the cluster " + o.cluster)
	live, missing, err := kube.LiveRoles(ctx, config, o.cluster, names)
	stop()
	if err != nil {
		return fmt.Errorf("read the roles of the cluster %s: %w", o.cluster, err)
	}
	for _, name := range missing {
		w.say("the cluster has no ClusterRole %s, which a policy gives", name)
	}
	files, changes, err := outdated(w, tree, live)
	if err != nil {
		return err
	}
	o.unnamed(w, tree, names)
	switch {
	case !o.check && client != nil && len(files) > 0:
		err = o.propose(ctx, w, client, files, changeLines(changes))
	case !o.check && client == nil:
		err = o.write(dir, files)
	}
	if err == nil && (o.check || client == nil) {
		err = o.print(w, changes)
	}
	switch {
	case err != nil:
		return err
	case len(files) == 0 && len(missing) == 0:
		w.say("the catalogue shows the roles of %s as they are", o.cluster)
	case len(missing) > 0 || o.check:
		return verdict(exitFindings)
	}
	return nil
}

// tree reads the policies and the catalogue: from the checkout in dir, or through client from
// GitHub.
func (o catalogOptions) tree(ctx context.Context, w world) (dir string, client *github.Client,
	tree policies.Tree, err error) {
	if o.pr || o.remote.repo != "" {
		client, tree, err = o.remote.tree(ctx, w)
		return "", client, tree, err
	}
	if dir, err = o.remote.checkout.folder(); err == nil {
		tree, err = o.remote.checkout.tree()
	}
	return dir, nil, tree, err
}

// outdated are the files of roles that the catalogue does not show as they are in the cluster, and
// what has changed.
func outdated(w world, tree policies.Tree, live []rbac.RoleCatalog) (map[string][]byte, []roleChange,
	error) {
	files := map[string][]byte{}
	var changes []roleChange
	for _, role := range live {
		file := rbac.CatalogPath(role.Spec.Cluster, role.Spec.Role.Name)
		data, err := role.Encode()
		if err != nil {
			return nil, nil, err
		}
		if _, findings := rbac.ParseCatalog(file, data); len(findings) > 0 {
			w.say("the rules of %s cannot be shown:", role.Spec.Role.Name)
			return nil, nil, endWithFindings(w, findings)
		}
		if tree.Files[file].Content == string(data) {
			continue
		}
		files[file] = data
		changes = append(changes, moved(tree, role, file))
	}
	return files, changes, nil
}

// moved is how a role differs from what the catalogue shows.
func moved(tree policies.Tree, live rbac.RoleCatalog, file string) roleChange {
	shown, known, findings := tree.Role(live.Spec.Cluster, live.Spec.Role.Name)
	c := roleChange{File: file, Role: live.Spec.Role.Name, State: "changed"}
	switch {
	case !known:
		c.State = "new"
	case len(findings) > 0:
		c.State = "not valid"
	case shown.Spec.Hash == live.Spec.Hash && shown.Spec.Aggregated == live.Spec.Aggregated:
		c.State = "written otherwise"
	}
	for _, p := range rbac.Beyond(live.Spec.Rules, shown.Spec.Rules) {
		c.Added = append(c.Added, p.What()+": "+p.Does())
	}
	for _, p := range rbac.Beyond(shown.Spec.Rules, live.Spec.Rules) {
		c.Removed = append(c.Removed, p.What()+": "+p.Does())
	}
	if live.Spec.Aggregated != shown.Spec.Aggregated {
		c.Aggregated = &live.Spec.Aggregated
	}
	return c
}

// changeLines say what has changed.
func changeLines(changes []roleChange) *report {
	r := new(report)
	for _, c := range changes {
		state := c.State
		if state == "written otherwise" {
			state = "the same rules, written otherwise"
		}
		r.line("%s: %s", c.File, state)
		for _, added := range c.Added {
			r.line("  + %s", added)
		}
		for _, removed := range c.Removed {
			r.line("  - %s", removed)
		}
		if c.Aggregated != nil {
			r.line("  aggregated: %t", *c.Aggregated)
		}
	}
	return r
}

// print says what has changed, as the data of the command.
func (o catalogOptions) print(w world, changes []roleChange) error {
	var names []string
	for _, c := range changes {
		names = append(names, c.File)
	}
	return o.output.print(w, printed{value: changes, names: names,
		people: func(bool) error { return changeLines(changes).to(w.out) }})
}

// unnamed tells of files of the cluster's catalogue that no policy needs any more. Whoever took the
// role out of the policy may take them away.
func (o catalogOptions) unnamed(w world, tree policies.Tree, names []string) {
	for _, file := range slices.Sorted(maps.Keys(tree.Files)) {
		needed := slices.ContainsFunc(names, func(name string) bool {
			return rbac.CatalogPath(
				o.cluster, name) == file
		})
		if strings.HasPrefix(file, rbac.CatalogFolder+"/"+o.cluster+"/") && !needed {
			w.say("note: %s shows a role that no policy for %s gives; remove it", file, o.cluster)
		}
	}
}

// write puts the files into the checkout.
func (o catalogOptions) write(dir string, files map[string][]byte) error {
	if len(files) == 0 {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write the catalogue: %w", err)
	}
	defer root.Close()
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(root, file, files[file]); err != nil {
			return err
		}
	}
	return nil
}

// propose opens the pull request. Its branch has one name a cluster, so that a second one says
// where the first is.
func (o catalogOptions) propose(ctx context.Context, w world, client *github.Client,
	files map[string][]byte, r *report) error {
	fence := codeFence(r.String())
	_, err := propose(ctx, w, client, github.Proposal{
		Branch:  program + "/catalog-" + o.cluster,
		Files:   files,
		Message: "Show the roles of " + o.cluster + " as they are",
		Title:   fmt.Sprintf("Catalogue: %s of %s", count(len(files), "role"), o.cluster),
		Body:    fence + "text\n" + r.String() + fence + "\n",
	})
	return err
}
