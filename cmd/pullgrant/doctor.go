package main

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/doctor"
	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type doctorOptions struct {
	remote     remote
	cluster    string
	kubeconfig string
	checkApp   number
	agentApp   number
	backstop   bool
	output     *format
}

func newDoctorCommand(w world) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [github|repository|cluster]...",
		Short: "Find what lets somebody around the pipeline",
		Long: `Look at GitHub, at the access repository and at the cluster that kubectl would use, and
tell of each check what was found, why it matters and what mends it. Nothing is changed. Without an
argument all three parts are looked at; one that cannot be, for want of a token, a checkout or a
kubeconfig, is skipped and says why.

GitHub shows bypass lists, and what workflows may do, to administrators only: with another token
these are unknown. The repository is the checkout, or without one the default branch on GitHub. Of
the cluster it takes the right to read roles and bindings and to impersonate the agent for dry runs.

The exit code is 1 where somebody can get around the pipeline, or nobody can tell that nobody can
(a check of severity "bypass" is wrong or unknown); 3 where a part that was named, or every part,
could not be looked at. docs/doctor.md has a row for each check.`,
		Example: `  pullgrant doctor
  pullgrant doctor github --repo acme/access --check-app-id 1233
  pullgrant doctor repository cluster --cluster prod-eu -o json`,
		Args:      arguments(0, -1),
		ValidArgs: doctor.Parts,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, part := range args {
				if !slices.Contains(doctor.Parts, part) {
					return usagef(cmd, "there is no part %q: there are %s", part,
						strings.Join(doctor.Parts, ", "))
				}
			}
			if problem := requests.CheckName(o.cluster); o.cluster != "" && problem != "" {
				return usagef(cmd, "--cluster %q: %s", o.cluster, problem)
			}
			return examine(cmd.Context(), w, o, args)
		},
	}
	o.remote.flags(cmd)
	kubeconfigFlag(cmd, &o.kubeconfig)
	flags := cmd.Flags()
	flags.StringVar(&o.cluster, "cluster", "", "name of the cluster in the access repository "+
		"(default: what the agent there says)")
	flags.Var(&o.checkApp, "check-app-id", "number of the Action's App, as the agent is given it")
	flags.Var(&o.agentApp, "app-id", "number of the agent's App, as the agent is given it")
	flags.BoolVar(&o.backstop, "backstop", false, "run a Job that ends in 15 seconds, and wait for "+
		"the cluster to delete it; without, it is only a dry run")
	o.output = outputFlag(cmd, doctorReport{}, asName)
	return cmd
}

// patient is somebody's world while it is looked at: what the parts share, got once.
type patient struct {
	world
	doctorOptions
	hub    *github.Client
	repo   string
	noHub  error
	tree   policies.Tree
	noTree error
	found  []requests.Finding
	local  bool // the tree is that of a checkout
}

// section is a part that was looked at.
type section struct {
	part, of string
	results  []doctor.Result
	failed   error // it could not be looked at
}

func examine(ctx context.Context, w world, o doctorOptions, parts []string) error {
	p := patient{world: w, doctorOptions: o}
	p.hub, p.repo, p.noHub = o.remote.timed(ctx, w, int64(o.checkApp))
	p.read(ctx)
	look := map[string]func(context.Context) section{doctor.PartGitHub: p.github,
		doctor.PartRepository: p.repository, doctor.PartCluster: p.inCluster}
	var sections []section
	for _, part := range doctor.Parts {
		if len(parts) > 0 && !slices.Contains(parts, part) {
			continue
		}
		_, stop := w.awaiting(awaited[part])
		s := look[part](ctx)
		stop()
		s.part = part
		if s.failed != nil {
			s.results = doctor.Skip(part, s.failed)
		}
		sections = append(sections, s)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("look at all that was asked for: %w", err)
	}
	if err := writeSections(w, o.output, sections); err != nil {
		return err
	}
	return sayOutcome(w, sections, len(parts) > 0)
}

// sayOutcome says what all sections come to, and ends the command with it. named tells that the
// parts were asked for by name.
func sayOutcome(w world, sections []section, named bool) error {
	states, open := map[doctor.State]int{}, 0
	var failed []string
	for _, s := range sections {
		for _, r := range s.results {
			states[r.State]++
			if r.Open() {
				open++
			}
		}
		if s.failed != nil {
			failed = append(failed, s.part)
		}
	}
	var counts []string
	for _, state := range []doctor.State{doctor.OK, doctor.Wrong, doctor.Warning, doctor.Unknown,
		doctor.Skipped} {
		if states[state] > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", states[state], state))
		}
	}
	w.say("%s", strings.Join(counts, ", "))
	switch {
	case open > 0:
		w.say("%d of them (BYPASS) may let somebody around the pipeline: doubt counts as a way", open)
		return verdict(exitFindings)
	case named && len(failed) > 0, len(failed) == len(sections):
		return fmt.Errorf("look at what was asked for: %s could not be looked at",
			strings.Join(failed, ", "))
	}
	w.say("nothing that was looked at lets anybody around the pipeline")
	return nil
}

// read gets the tree: from the checkout, else from the default branch.
func (p *patient) read(ctx context.Context) {
	dir, files, err := p.remote.checkout.open()
	if p.remote.repo == "" && err == nil {
		p.local = true
		if p.tree, p.noTree = p.remote.checkout.tree(); p.noTree == nil {
			p.found, _, p.noTree = policies.Validate(files, ownerOf(dir), onAllCores)
		}
		return
	}
	if p.noHub != nil {
		p.noTree = fmt.Errorf("there is no checkout, and GitHub cannot be asked: %w", p.noHub)
		return
	}
	wanted := policies.Wanted(policies.KindChange, "")
	p.tree, p.noTree = p.hub.Tree(ctx, "", func(path string) bool {
		return wanted(path) || path == policies.AttributesPath
	})
	if p.noTree == nil {
		p.found = p.tree.Check()
	}
}

func (p *patient) repository(context.Context) section {
	s := section{of: p.repo, failed: p.noTree}
	if p.local {
		s.of, _ = p.remote.checkout.folder()
	}
	if s.failed == nil {
		s.results = doctor.Repository(doctor.Checkout{Tree: p.tree, Findings: p.found, Now: p.now()})
	}
	return s
}

func (p *patient) github(ctx context.Context) section {
	s := section{of: p.repo, failed: p.noHub}
	if s.failed == nil {
		s.results, s.failed = doctor.GitHub(ctx, doctor.Hub{Client: p.hub, Teams: p.tree.Teams(),
			CheckApp: int64(p.checkApp), AgentApp: int64(p.agentApp), Workflows: shippedWorkflows,
			Now: p.now()})
	}
	return s
}

// shippedWorkflows are those that init writes, for a default branch.
func shippedWorkflows(branch string) (map[string][]byte, error) {
	o := initOptions{Branch: branch, Action: program + "/" + program + "@" + strings.Repeat("0", 40)}
	files, err := o.fill(scaffold, "init")
	if err != nil {
		return nil, fmt.Errorf("fill in the templates: %w", err)
	}
	workflows := map[string][]byte{}
	for _, f := range files {
		if path.Dir(f.path) == ".github/workflows" {
			workflows[f.path] = f.content
		}
	}
	return workflows, nil
}

func (p *patient) inCluster(ctx context.Context) section {
	config, err := clusterConfig(p.kubeconfig)
	if err != nil {
		return section{failed: err}
	}
	s := section{of: "context " + cmp.Or(currentContext(p.kubeconfig), "unknown") + ", server " + config.Host}
	name, results, err := doctor.Cluster(ctx, doctor.Place{Config: config, Name: p.cluster,
		Tree: p.tree, NoTree: p.noTree, Wall: p.now, Run: p.backstop})
	if name != "" {
		s.of = name + ", " + s.of
	}
	s.results, s.failed = results, err
	return s
}
