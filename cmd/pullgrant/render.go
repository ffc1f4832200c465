package main

import (
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
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
		Long: `Print, as YAML, the objects that the agent would create for a request once it is
merged, under the policies of the same checkout: the Job that ends the access when the agent is
gone, and the bindings and Roles it will own. What only the merge decides, such as the times, is not in
them. The exit code is 1 when the policies would deny the request.`,
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
	path, err := o.checkout.find(dir, files, o.request)
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
