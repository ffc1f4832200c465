package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

type installOptions struct {
	remote     remote
	agent      syncOptions
	given      *pflag.FlagSet // the flags of the agent that can be given
	rendering  *pflag.FlagSet // these, and the others that decide what is rendered
	image      string
	execAudit  []string // CIDRs of API servers
	kustomize  string   // folder
	uninstall  bool
	write      bool   // to install/<cluster>/ of the checkout, with the flags of last time
	api        string // of GitHub, as last time
	diff       bool
	kubeconfig string
}

// installed are the flags of the agent that its Deployment sets, or that a Deployment has no use
// for.
var installed = []string{"app-key-file", "signing-key-file", "listen", "kubeconfig",
	"once", "dry-run", "channels-dir",
	"audit-listen", "audit-cert-file", "audit-key-file", "audit-client-ca-file", "audit-token-file"}

func newInstallCommand(w world) *cobra.Command {
	o := installOptions{given: pflag.NewFlagSet("", pflag.ContinueOnError),
		rendering: pflag.NewFlagSet("", pflag.ContinueOnError)}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Print everything the agent needs in its cluster",
		Long: `Print, as one YAML that kubectl or a GitOps tool can apply, everything that the agent
of a cluster needs there: its namespace, a ServiceAccount with the rights that the policies call for
and no others, the admission policies that fence it, and a Deployment of two replicas with its
network policy. Beside it is what takes access back whatever becomes of the agent: "pullgrant
expire", with a ServiceAccount, a fence and a Deployment of its own. The same policies and flags
always give the same bytes.

With --aws-auth, on EKS, there is a third beside them: "pullgrant aws-auth", which lets people in
while they have access, with a ServiceAccount, a fence and a Deployment of its own.

With --exec-audit the API server can tell the agent which commands of grants were used
(docs/exec-audit.md): the Deployment gets a second port, with the Secret pullgrant-exec-audit, whose
keys are tls.crt, tls.key and ca.crt, and there is a Service of that name.

The namespaces that the policies name must exist, and so must, before the agent can start, the
Secret pullgrant-agent in pullgrant-system with the keys signing-key (SSH, signs the ledger) and
app-key (of the GitHub App, PEM). They are files under /secrets in the container. No secret is read
or printed.

With --webhook-host the agent's way to those hosts is open, and the keys of the Secret
pullgrant-checks, if there is one, are in its environment: the secret and the tokens by which it asks
them (docs/cookbook/checks.md).

When a policy has channels told of what becomes of requests (docs/messages.md), the keys of the Secret
pullgrant-channels, if there is one, are files in the agent's container: each the address of the channel
of its name. --webhook-host opens the way to a mail server, Mattermost or webhook of one's own.

With --write the same is kept in the access repository, as a kustomize base in install/CLUSTER/, for
Argo CD or Flux to apply (docs/gitops). From then on a change of the policies that leaves it behind is a
finding of "validate" and of the Action; "pullgrant install --write --cluster CLUSTER" mends it, as the
flags are kept there too.

--uninstall prints a script of kubectl to pipe to sh, which takes the agent out of the cluster: what
gives access first, what ends it after that, the fence and the namespace with the agent's Secret last.
While access lives in the cluster, or its end is not recorded yet, it names that instead, and the exit
code is 1.

Run it again when the policies have changed. --diff tells what a cluster has otherwise: what to add
and to change, and which rights are too much because no policy needs them; the exit code is then 1.

The flags of "pullgrant sync" that say what the agent does are given on to it.`,
		Example: `  pullgrant install --cluster prod-eu --image registry.example.com/pullgrant@sha256:... \
    --repo-url https://github.com/acme/access.git --app-id 1234 --app-installation-id 5678 \
    --check-app-id 1233 | kubectl apply -f -
  pullgrant install --cluster prod-eu ... --kustomize prod-eu/base
  pullgrant install --cluster prod-eu ... --write
  pullgrant install --cluster prod-eu ... --diff
  pullgrant install --cluster prod-eu --uninstall | sh`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.write {
				if err := o.recall(cmd.Flags()); err != nil {
					return err
				}
			}
			if problem := o.problem(); problem != "" {
				return usagef(cmd, "%s", problem)
			}
			if o.uninstall {
				return o.removeAll(cmd.Context(), w)
			}
			return install(cmd.Context(), w, o)
		},
	}
	o.remote.flags(cmd)
	kubeconfigFlag(cmd, &o.kubeconfig)
	flags := cmd.Flags()
	flags.StringVar(&o.image, "image", "", "image that holds the program, by its digest")
	flags.StringSliceVar(&o.execAudit, "exec-audit", nil, "addresses of the API servers, such as "+
		"10.0.0.0/24, whose audit webhook tells of commands that were used")
	flags.StringVar(&o.kustomize, "kustomize", "", "write a kustomize base to this folder, and "+
		"print nothing")
	flags.BoolVar(&o.write, "write", false, "write a kustomize base to install/CLUSTER/ of the "+
		"checkout, with the flags of last time where none are given")
	flags.BoolVar(&o.uninstall, "uninstall", false, "print a script that takes the agent out of the "+
		"cluster; none while access lives there")
	flags.BoolVar(&o.diff, "diff", false, "compare with the cluster, and print what differs")
	_ = cmd.MarkFlagDirname("kustomize")
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.agent.flags(all)
	all.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(installed, f.Name) {
			o.given.AddFlag(f)
			flags.AddFlag(f)
		}
	})
	o.rendering.AddFlagSet(o.given)
	o.rendering.AddFlag(flags.Lookup("image"))
	o.rendering.AddFlag(flags.Lookup("exec-audit"))
	return cmd
}

// problem tells what is wrong with the options; empty when nothing is.
func (o installOptions) problem() string {
	if o.uninstall {
		return o.uninstallProblem()
	}
	agent := o.agent
	agent.appID, agent.appInstall, agent.listen = 0, 0, ":8080" // which the Deployment sets
	if problem := agent.problem(); problem != "" {
		return problem
	}
	address, err := url.Parse(agent.repoURL)
	switch onGitHub := agent.evidence.value == requests.EvidenceGitHub; {
	case err == nil && address.User != nil:
		return "--repo-url may not hold credentials; the agent has its own"
	case onGitHub && (o.agent.appID == 0 || o.agent.appInstall == 0):
		return "--app-id and --app-installation-id are missing: the agent speaks to GitHub as an App"
	case !onGitHub && (o.agent.appID != 0 || o.agent.appInstall != 0):
		return "--evidence " + agent.evidence.value + " asks GitHub nothing; leave --app-id and " +
			"--app-installation-id out"
	case o.image == "":
		return "--image is missing"
	case strings.ContainsFunc(o.image, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Sprintf("--image %q is no name of an image", o.image)
	case slices.ContainsFunc(o.execAudit, func(s string) bool { return !isNetwork(s) }):
		return fmt.Sprintf("--exec-audit %q: write addresses as networks, such as 10.0.0.0/24",
			strings.Join(o.execAudit, ","))
	case o.diff && (o.kustomize != "" || o.write):
		return "--diff writes nothing; leave --kustomize and --write out"
	case o.write && (o.kustomize != "" || o.remote.repo != ""):
		return "--write is to the checkout; leave --kustomize and --repo out"
	case o.kubeconfig != "" && !o.diff:
		return "--kubeconfig is for --diff and --uninstall"
	}
	return ""
}

// uninstallProblem tells what keeps --uninstall from saying what it means: it goes by the cluster, and
// by no policy.
func (o installOptions) uninstallProblem() string {
	problem := ""
	o.rendering.VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Name != "cluster" {
			problem = "--uninstall goes by what is in the cluster; leave --" + f.Name + " out"
		}
	})
	switch {
	case o.diff || o.write || o.kustomize != "":
		return "--uninstall goes alone; leave --diff, --write and --kustomize out"
	case o.agent.cluster == "":
		return "--cluster is missing"
	}
	return problem
}

func isNetwork(text string) bool {
	prefix, err := netip.ParsePrefix(text)
	return err == nil && prefix == prefix.Masked()
}

func install(ctx context.Context, w world, o installOptions) error {
	footprint, err := o.footprint(ctx, w)
	if err != nil {
		return err
	}
	if !strings.Contains(o.image, "@sha256:") {
		w.say("note: --image names no digest, so another program could run under the same name")
	}
	objects := render.Install(footprint)
	switch {
	case o.diff:
		return o.compare(ctx, w, objects)
	case o.kustomize != "":
		return writeBase(w, o.kustomize, render.Kustomization(objects, nil))
	case o.write:
		return o.keep(w, footprint, objects)
	}
	_, err = w.out.Write(render.YAML(objects))
	return err
}

func (o installOptions) footprint(ctx context.Context, w world) (f render.Footprint, err error) {
	var tree policies.Tree
	if o.remote.repo != "" {
		_, tree, err = o.remote.tree(ctx, w)
	} else {
		tree, err = o.remote.checkout.tree()
	}
	if err != nil {
		return f, err
	}
	grants, findings := tree.Grantable(o.agent.cluster)
	if len(findings) > 0 {
		w.say("the policies are not valid, so which rights the agent needs is not known:")
		return f, endWithFindings(w, findings)
	}
	if len(grants) == 0 {
		return f, fmt.Errorf("no policy is for the cluster %s", o.agent.cluster)
	}
	f = render.Footprint{Cluster: o.agent.cluster, Grants: grants, Image: o.image,
		AWSAuth: o.agent.awsAuth, ExecAudit: o.execAudit, Outside: o.agent.checks.outside(),
		Channels: len(tree.AgentChannels(o.agent.cluster)) > 0}
	o.given.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed {
			f.Args = append(f.Args, "--"+flag.Name+"="+flag.Value.String())
		}
	})
	if o.agent.appID != 0 {
		f.Args = append(f.Args, "--app-key-file="+render.AppKeyFile)
	}
	if api := cmp.Or(w.env("GITHUB_API_URL"), o.api); api != github.DefaultAPIURL {
		f.GitHubAPI = api
	}
	return f, nil
}

// writeBase writes the files of a kustomize base. Files of these names are its own, written anew each
// time.
func writeBase(w world, folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write the kustomize base: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("write the kustomize base: %w", err)
	}
	defer root.Close()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := root.WriteFile(name, files[name], 0o644); err != nil {
			return fmt.Errorf("write the kustomize base: %w", err)
		}
	}
	w.say("wrote %s to %s", count(len(files), "file"), folder)
	return nil
}
