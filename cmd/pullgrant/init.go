package main

import (
	"bytes"
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
	Cluster  string
	Approver string // login or org/team, without @
	Action   string // owner/name@commit
	Branch   string // the default branch
	Examples bool   // a policy of each other kind too
	dir      string
}

func newInitCommand(w world) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Scaffold an access repository",
		Long: `Write an example policy, its role, identities, groups, CODEOWNERS and the workflows of an
access repository into DIR (default: the current folder). Nothing is overwritten: where one of the
files exists, none is written.`,
		Example: `  pullgrant init my-access-repository --org acme --cluster prod-eu
  pullgrant init --org acme --cluster staging --approver acme/platform --examples`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = "."
			if len(args) == 1 {
				o.dir = args[0]
			}
			if problem := o.complete(); problem != "" {
				return usagef(cmd, "%s", problem)
			}
			return initialize(w, o)
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
		"(default: the commit of this build)")
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
	if commit := thisBuild().Commit; o.Action == "" && commit != "" {
		o.Action = "pullgrant/pullgrant@" + commit
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
	if o.Action == "" {
		return "--action is missing: this build does not know its own commit; give " +
			"pullgrant/pullgrant@ and the 40 digits of a release's commit"
	}
	if !actionPattern.MatchString(o.Action) {
		return fmt.Sprintf("--action %q: it must be owner/name@ and the 40 digits of a commit, "+
			"because a tag can be moved", o.Action)
	}
	return ""
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

func initialize(w world, o initOptions) error {
	files, err := o.render()
	if err != nil {
		return err
	}
	if err := writeNewFiles(w, "scaffold", o.dir, files); err != nil {
		return err
	}
	w.say("Next: put your people into policies/identities.yaml, adapt the policy and "+
		".github/CODEOWNERS, run \"%s validate\".", program)
	return nil
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
