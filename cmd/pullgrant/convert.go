package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies/convert"
	"github.com/pullgrant/pullgrant/requests"
)

type convertOptions struct {
	convert.Options
	out   string
	files []string
}

func newConvertCommand(w world) *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert --cluster NAME [FILE...]",
		Short: "Make policies and requests of the files of other tools",
		Long: `Read YAML of Kudo (EscalationPolicy, Escalation), k8sudo (SudoRequest, and ClusterRoles with
the verb sudo), kube-request-access (AccessRequest) and Teleport (role), also as a list that kubectl
prints, and write what it says as files of an access repository. Without a file, and for -, standard
input is read. Roles of Teleport are understood together: give those who request, those who review and
those that give access; and so are ClusterRoles and the ClusterRoleBindings of them.

The files go to stdout, one YAML document each, or with --out below a folder, where none may exist
yet. What has no counterpart is one line on stderr, with its place: file:line:column: field: why, and
what to do instead; then the exit code is 1. docs/convert.md says what becomes of each field.`,
		Example: `  pullgrant convert --cluster prod-eu escalation-policy.yaml
  kubectl get escalationpolicies -o yaml | pullgrant convert --cluster prod-eu --out .
  pullgrant convert --cluster prod-eu --policy apps --requester alice --reason "INC-123, checkout is slow" \
    sudo-request.yaml`,
		Args: arguments(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if problem := o.problem(); problem != "" {
				return usagef(cmd, "%s", problem)
			}
			if o.files = args; len(args) == 0 {
				o.files = []string{stdin}
			}
			return convertFiles(w, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Cluster, "cluster", "", "cluster that what is read is about, as policies name it")
	flags.StringVar(&o.Policy, "policy", "", "policy to ask under, for requests that name none")
	flags.StringVar(&o.Requester, "requester", "", "GitHub login of who asks (default: the user's "+
		"name, where it is one)")
	flags.StringVar(&o.Reason, "reason", "", "reason, for requests that have none")
	flags.StringVar(&o.out, "out", "", "folder to write the files below (default: stdout)")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}

// stdin is the name of standard input among files.
const stdin = "-"

// problem tells what is wrong with the options; empty when nothing is.
func (o convertOptions) problem() string {
	if o.Cluster == "" {
		return "--cluster is missing: what is read names no cluster, and policies do"
	}
	for _, flag := range []struct {
		name, value string
		check       func(string) string
	}{
		{"cluster", o.Cluster, requests.CheckName}, {"policy", o.Policy, requests.CheckName},
		{"requester", o.Requester, requests.CheckLogin}, {"reason", o.Reason, requests.CheckReason},
	} {
		if problem := flag.check(flag.value); flag.value != "" && problem != "" {
			return fmt.Sprintf("--%s %q: %s", flag.name, flag.value, problem)
		}
	}
	return ""
}

func convertFiles(w world, o convertOptions) error {
	var sources []convert.Source
	for _, name := range o.files {
		data, err := readBounded(w, name)
		if err != nil {
			return fmt.Errorf("convert %s: %w", name, err)
		}
		sources = append(sources, convert.Source{Name: name, Data: data})
	}
	o.Today = w.now()
	files, findings := convert.Convert(sources, o.Options)
	if err := o.write(w, files); err != nil {
		return err
	}
	sayFindings(w, findings)
	w.say("made %s, %s without a counterpart or unread", count(len(files), "file"),
		count(len(findings), "thing"))
	if len(findings) > 0 {
		return verdict(exitFindings)
	}
	return nil
}

// readBounded reads as much of a file as can be converted, and a byte more.
func readBounded(w world, name string) ([]byte, error) {
	in := w.in
	if name != stdin {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	return io.ReadAll(io.LimitReader(in, convert.MaxSize+1))
}

// write writes the files to where they go.
func (o convertOptions) write(w world, files []convert.File) error {
	if o.out == "" {
		var r report
		for _, f := range files {
			r.line("---")
			r.line("# %s", f.Path)
			for line := range strings.Lines(string(f.Data)) {
				r.line("%s", strings.TrimSuffix(line, "\n"))
			}
		}
		return r.to(w.out)
	}
	var all []scaffoldFile
	for _, f := range files {
		all = append(all, scaffoldFile{f.Path, f.Data})
	}
	return writeNewFiles(w, "convert into", o.out, all)
}
