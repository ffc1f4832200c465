package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// scaffold holds the files of a new access repository as templates, at the paths they get. The
// delimiters are [[ and ]]: workflows use {{ }} themselves.
//
//go:embed all:init
var scaffold embed.FS

// examples holds a policy of each other kind of grant, for --examples.
//
//go:embed examples
var examples embed.FS

type initOptions struct {
	Org      string // of the access repository
	Repo     string // its name
	Cluster  string
	Approver string // login or org/team, without @
	Action   string // owner/name@commit
	Branch   string // the default branch
	Examples bool   // a policy of each other kind too
	GitOps   bool   // what install renders is kept in the repository
	Checks   number // of the Action's App; 0 where there is none yet
	Agent    number // of the agent's App; the same
	pin      string // commit of the action
	dir      string
}

func newInitCommand(w world) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Scaffold an access repository",
		Long: `Write an example policy, its role, identities, groups, CODEOWNERS and the workflows of an
access repository into DIR (default: the current folder), with the manifests of its two GitHub Apps
and, where their numbers are given, its ruleset in .github/pullgrant/. Nothing is overwritten: where
one of the files exists, none is written.

On a terminal it asks for what no flag says. What is left to do is printed at the end, as numbered
steps, each with how to see that it worked; docs/setup.md has more about each.

The workflow pins the action by the commit of this build. A program that "go install" made has only
its version, and asks GitHub for the commit of that.`,
		Example: `  pullgrant init my-access-repository --org acme --cluster prod-eu
  pullgrant init --org acme --cluster staging --approver acme/platform --examples
  pullgrant init access --org acme --cluster prod-eu --check-app-id 1233 --agent-app-id 1234 --gitops`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = "."
			if len(args) == 1 {
				o.dir = args[0]
			}
			if t := newTerminal(w); t != nil {
				if err := o.ask(cmd.Context(), w, cmd, t); err != nil {
					return err
				}
			}
			if problem := o.complete(); problem != "" {
				return usagef(cmd, "%s", problem)
			}
			return initialize(cmd.Context(), w, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Org, "org", "acme",
		"GitHub organization, or account, that owns the repository")
	flags.StringVar(&o.Cluster, "cluster", "prod-eu", "name of the first cluster")
	flags.StringVar(&o.Approver, "approver", "", "team (org/team) or login that approves "+
		"(default: <org>/platform)")
	flags.BoolVar(&o.Examples, "examples", false, "write a policy of each other kind of grant too: "+
		"single objects, one command, a role of the whole cluster; and one with conditions")
	flags.StringVar(&o.Branch, "branch", "main", "default branch of the repository")
	flags.StringVar(&o.Action, "action", "", "the pullgrant action as owner/name@commit "+
		"(default: "+home+" at --pin)")
	flags.StringVar(&o.pin, "pin", "", "commit of "+home+" that the workflow pins "+
		"(default: the commit of this build)")
	flags.StringVar(&o.Repo, "name", "", "name of the repository on GitHub (default: that of the folder)")
	flags.Var(&o.Checks, "check-app-id", "number of the Action's App, for the ruleset")
	flags.Var(&o.Agent, "agent-app-id", "number of the agent's App, for the ruleset")
	flags.BoolVar(&o.GitOps, "gitops", false, "have the steps keep what \"install\" renders under "+
		"install/ of the repository, for Argo CD or Flux")
	return cmd
}

var (
	teamPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*/[a-z0-9][a-z0-9_.-]*$`)
	actionPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+@[0-9a-f]{40}$`)
)

// complete fills in defaults and tells what is wrong with the options; empty when nothing is.
func (o *initOptions) complete() string {
	if o.Approver == "" {
		o.Approver = o.Org + "/platform"
	}
	o.Approver = strings.TrimPrefix(o.Approver, "@")
	if o.Repo == "" {
		o.Repo = repositoryName(o.dir)
	}
	if problem := requests.CheckLogin(o.Org); problem != "" {
		return fmt.Sprintf("--org %q: %s", o.Org, problem)
	}
	if !isBranch(o.Branch) {
		return fmt.Sprintf("--branch %q: name a branch, such as main", o.Branch)
	}
	if problem := requests.CheckName(o.Cluster); problem != "" {
		return fmt.Sprintf("--cluster %q: %s", o.Cluster, problem)
	}
	if requests.CheckLogin(o.Approver) != "" && !teamPattern.MatchString(o.Approver) {
		return fmt.Sprintf("--approver %q: it must be a GitHub login or a team such as "+
			"acme/platform",
			o.Approver)
	}
	if org, _, isTeam := strings.Cut(o.Approver, "/"); isTeam && !strings.EqualFold(org, o.Org) {
		return fmt.Sprintf("--approver %q: GitHub asks no team of another organization than %s, "+
			"which owns the repository",
			o.Approver, o.Org)
	}
	if !repositoryPattern.MatchString(o.Repo) {
		return fmt.Sprintf("--name %q: it must be the name of a repository, such as access", o.Repo)
	}
	switch {
	case o.Action != "" && o.pin != "":
		return "--action names its commit; leave --pin out"
	case o.Action != "" && !actionPattern.MatchString(o.Action):
		return fmt.Sprintf("--action %q: it must be owner/name@ and the 40 digits of a commit, "+
			"because a tag can be moved", o.Action)
	case o.pin != "" && !commitPattern.MatchString(o.pin):
		return fmt.Sprintf("--pin %q: it must be the 40 digits of a commit, because a tag can be "+
			"moved", o.pin)
	case (o.Checks == 0) != (o.Agent == 0):
		return "--check-app-id and --agent-app-id go together: the ruleset needs both"
	}
	if o.pin != "" {
		o.Action = home + "@" + o.pin
	}
	return ""
}

var repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// repositoryName is the name of a folder where a repository can have it too.
func repositoryName(dir string) string {
	full, err := filepath.Abs(dir)
	if name := filepath.Base(full); err == nil && repositoryPattern.MatchString(name) {
		return name
	}
	return "access"
}

var branchPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$`)

// isBranch tells whether git takes a name for a branch, GitHub's filter for no pattern, and YAML
// for a word. What begins with refs/ is the long name of a branch.
// https://git-scm.com/docs/git-check-ref-format
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
func isBranch(name string) bool {
	return branchPattern.MatchString(name) && !strings.HasPrefix(name, "refs/") &&
		!strings.Contains(name, "..") &&
		!strings.Contains(name, "//") && !strings.Contains(name, "/.") &&
		!strings.HasSuffix(name, "/") && !strings.HasSuffix(name, ".") &&
		!slices.ContainsFunc(strings.Split(name, "/"),
			func(part string) bool { return strings.HasSuffix(part, ".lock") })
}

func initialize(ctx context.Context, w world, o initOptions) error {
	note := ""
	if o.Action == "" {
		b := thisBuild()
		commit, err := pinnedCommit(ctx, w, b)
		if err != nil {
			return err
		}
		o.Action, note = home+"@"+commit, compiles(b)
	}
	files, err := o.render()
	if err != nil {
		return err
	}
	if err := writeNewFiles(w, "scaffold", o.dir, files); err != nil {
		return err
	}
	if note != "" {
		w.say("note: %s", note)
	}
	return o.sayNext(w)
}

// exampleRole is the role of the example policy, exampleRules what it and those of the others are
// meant to have: requests for a role that is not in the catalogue are refused, and the agent refuses
// one with other rules.
const exampleRole = "payments-debug"

var reads = []string{"get", "list", "watch"}

var exampleRules = map[string][]rbac.RoleRule{
	exampleRole: {{APIGroups: []string{""}, Resources: []string{"events", "pods", "pods/log"},
		Verbs: reads}},
	"orders-scaler": {{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: reads},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments/scale"},
			Verbs: []string{"get", "patch", "update"}}},
	"node-triage": {{APIGroups: []string{""}, Resources: []string{"events", "nodes",
		"persistentvolumes"}, Verbs: reads}},
}

type scaffoldFile struct {
	path    string
	content []byte
}

func (o initOptions) render() ([]scaffoldFile, error) {
	files, err := o.fill(scaffold, "init")
	roles := []string{exampleRole}
	if err == nil && o.Examples {
		var more []scaffoldFile
		more, err = o.fill(examples, "examples")
		files, roles = append(files, more...), slices.Collect(maps.Keys(exampleRules))
	}
	if err != nil {
		return nil, fmt.Errorf("fill in the templates: %w", err)
	}
	for _, name := range roles {
		role, err := rbac.NewCatalog(o.Cluster, name, false, exampleRules[name]).Encode()
		if err != nil {
			return nil, err
		}
		files = append(files, scaffoldFile{rbac.CatalogPath(o.Cluster, name), role})
	}
	settings, err := o.settings()
	if err != nil {
		return nil, err
	}
	files = append(files, settings...)
	slices.SortFunc(files, func(a, b scaffoldFile) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// fill makes files of the templates below a folder.
func (o initOptions) fill(templates embed.FS, folder string) (files []scaffoldFile, err error) {
	err = fs.WalkDir(templates, folder, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := templates.ReadFile(p)
		if err != nil {
			return err
		}
		t, err := template.New(p).Delims("[[",
			"]]").Funcs(template.FuncMap{"schema": requests.SchemaAddress}).Parse(string(text))
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, o); err != nil {
			return err
		}
		files = append(files, scaffoldFile{strings.TrimPrefix(p, folder+"/"), b.Bytes()})
		return nil
	})
	return files, err
}

// writeNewFiles writes files below a folder, none of which may exist yet: all of them, or none. Their
// paths go to stdout. What is done is a word for the error.
func writeNewFiles(w world, doing, dir string, files []scaffoldFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("%s %s: %w", doing, dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, dir, err)
	}
	defer root.Close()
	var present []string
	for _, f := range files {
		if _, err := root.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
			present = append(present, f.path)
		}
	}
	if len(present) > 0 {
		return fmt.Errorf("%s %s: it holds %s already; nothing was written, choose "+
			"another folder or move them away",
			doing, dir, strings.Join(present, ", "))
	}
	for i, f := range files {
		if err := writeNew(root, f); err != nil {
			for _, written := range files[:i] {
				err = errors.Join(err, root.Remove(written.path))
			}
			return fmt.Errorf("%s %s: %w", doing, dir, err)
		}
	}
	for _, f := range files {
		if _, err := fmt.Fprintln(w.out, filepath.Join(dir, f.path)); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a file that must not exist yet.
func writeNew(root *os.Root, f scaffoldFile) error {
	if err := root.MkdirAll(path.Dir(f.path), 0o755); err != nil {
		return err
	}
	out, err := root.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = out.Write(f.content)
	if err = errors.Join(err, out.Close()); err != nil {
		err = errors.Join(err, root.Remove(f.path))
	}
	return err
}
