package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

type renderOptions struct {
	checkout checkout
	request  string // the name of a request, or its file
}

func newRenderCommand(w world) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render NAME|FILE",
		Short: "Print the objects a request would create",
		Long: `Print, as YAML, the objects that the agent would create for a request once it is merged, under the policies of the same
checkout: the Job that ends the access when the agent is gone, and the RoleBindings it will own. What only the merge
decides, such as the times, is not in them.`,
		Example: `  pullgrant render 20261122-alice-inc-123
  pullgrant render requests/prod-eu/payments-debug/20261122-alice-inc-123.yaml`,
		Args: arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.request = args[0]
			return renderRequest(w, o)
		},
	}
	o.checkout.flag(cmd)
	return cmd
}

func renderRequest(w world, o renderOptions) error {
	dir, files, err := o.checkout.open()
	if err != nil {
		return err
	}
	path, err := o.find(dir, files)
	if err != nil {
		return err
	}
	data, err := fs.ReadFile(files, path)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	tree, err := policies.ReadTree(files, ownerOf(dir))
	if err != nil {
		return fmt.Errorf("read the policies in %s: %w", dir, err)
	}
	decision := preview(tree, path, data)
	if decision.Outcome != policies.Allowed || decision.Grant == nil {
		return refused(w, decision, "")
	}
	bindings, err := render.Render(*decision.Grant)
	if err != nil {
		return err
	}
	var objects []any
	for _, namespace := range decision.Grant.Namespaces() {
		job, err := render.Backstop(*decision.Grant, namespace, w.now())
		if err != nil {
			return err
		}
		objects = append(objects, job)
	}
	for _, binding := range bindings {
		objects = append(objects, binding)
	}
	_, err = w.out.Write(render.YAML(objects))
	return err
}

// find returns the path of the request in the repository.
func (o renderOptions) find(dir string, files fs.FS) (string, error) {
	if strings.HasSuffix(o.request, ".yaml") {
		paths, err := o.checkout.inside(dir, []string{o.request})
		if err != nil {
			return "", err
		}
		if _, ok := requests.SplitPath(paths[0]); !ok {
			return "", fmt.Errorf("look for the request: %s is none; a request stands at %s/<cluster>/<policy>/<yyyymmdd>-<requester>-<slug>.yaml",
				paths[0], requests.Folder)
		}
		return paths[0], nil
	}
	var found []string
	err := fs.WalkDir(files, requests.Folder, func(path string, _ fs.DirEntry, err error) error {
		if place, ok := requests.SplitPath(path); err == nil && ok && place.Name == o.request {
			found = append(found, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for the request: %w", err)
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("look for the request: %s/ of %s holds none named %q; give its file instead", requests.Folder, dir, o.request)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("look for the request: %q stands at %s; give one of these files", o.request, strings.Join(found, " and "))
}

// preview judges a request's text against the policies, as CI will before it looks at approvals.
func preview(tree policies.Tree, path string, data []byte) policies.Decision {
	return policies.Preview(tree, path, policies.NewTreeFile("100644", "", data, int64(len(data))))
}

// refused says why a request cannot be granted, with the place in the file; unwritten is a file that nobody can look into.
func refused(w world, d policies.Decision, unwritten string) error {
	for _, f := range d.Findings {
		if f.File == unwritten {
			w.say("%s: %s", d.Code, f.Message)
		} else {
			w.say("%s: %s", d.Code, f)
		}
	}
	if len(d.Findings) == 0 {
		w.say("%s: %s", d.Code, d.Message)
	}
	return verdictOf(d.Outcome)
}
