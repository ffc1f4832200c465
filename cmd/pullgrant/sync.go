package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync"
	"github.com/pullgrant/pullgrant/sync/git"
)

type syncOptions struct {
	cluster    string
	repoURL    string
	branch     string
	poll       time.Duration
	evidence   *format
	kubeconfig string
	signingKey string
	appID      int64
	appInstall int64
	appKey     string
	checkApp   int64
	trustRoot  string
	repoID     int64
	awsAuth    bool
	listen     string
	webhook    string
	audit      execAuditOptions
	checks     checkOptions
	onCall     onCallOptions
	channels   channelOptions
	once       bool
	dryRun     bool
}

func newSyncCommand(w world) *cobra.Command {
	var o syncOptions
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Run the agent of a cluster",
		Long: `Make one cluster follow the access repository: grant what is merged and proven, take
it back on time, and enter what ended into the ledger. It runs until it is stopped; its log goes to
stderr as JSON.

It speaks to GitHub as an App (--app-id, --app-installation-id, --app-key-file) or with
GITHUB_TOKEN. Each flag has a twin in the environment: PULLGRANT_REPO_URL for --repo-url, and so on;
a flag wins over its twin.

With --listen it serves, as long as it runs:
  GET /healthz    200 while its expiry loop runs, whatever cannot be reached; for the liveness probe
  GET /readyz     200 when it knows every deadline and has read the branch, else 503, with the
                  reasons; for the readiness probe
  GET /metrics    for Prometheus
  POST /webhook   with --webhook-secret-file: a delivery of GitHub has it look at the branch at once

With --audit-listen it takes, over TLS, what the API server's audit webhook tells of commands in
containers (POST /audit): docs/exec-audit.md.`,
		Example: `  pullgrant sync --cluster prod-eu --repo-url https://github.com/acme/access.git
  pullgrant sync --cluster prod-eu --repo-url https://github.com/acme/access.git --kubeconfig ~/.kube/config --dry-run`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := twins(cmd, w.env); err != nil {
				return err
			}
			if problem := o.problem(); problem != "" {
				return usagef(cmd, "%s", problem)
			}
			return runAgent(cmd.Context(), w, o)
		},
	}
	o.flags(cmd.Flags())
	return cmd
}

func (o *syncOptions) flags(flags *pflag.FlagSet) {
	o.evidence = &format{value: requests.EvidenceGitHub, allowed: []string{requests.EvidenceGitHub,
		requests.EvidenceBranch}}
	flags.StringVar(&o.cluster, "cluster", "", "name of this cluster in the access repository")
	flags.StringVar(&o.repoURL, "repo-url", "", "address of the access repository, as git "+
		"clones it over https")
	flags.StringVar(&o.branch, "branch", "main", "branch to follow")
	flags.DurationVar(&o.poll, "poll", 10*time.Second, "time between two looks at the branch")
	flags.Var(o.evidence, "evidence", "what a grant rests on: github (approvals are verified) "+
		"or branch (whoever can push grants)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default: the cluster "+
		"this runs in)")
	flags.StringVar(&o.signingKey, "signing-key-file", "", "SSH private key that signs the "+
		"ledger's commits")
	flags.Var((*number)(&o.appID), "app-id", "id of the GitHub App")
	flags.Var((*number)(&o.appInstall), "app-installation-id", "id of the App's installation on "+
		"the access repository")
	flags.StringVar(&o.appKey, "app-key-file", "", "private key of the App, PEM")
	flags.Var((*number)(&o.checkApp), "check-app-id", "id of the Action's GitHub App: the "+
		"branch's ruleset must require its check, and what it recorded tells who pushed where "+
		"GitHub no longer does")
	flags.StringVar(&o.trustRoot, "trust-root", "", "commit whose policies and owners are taken "+
		"as given; every later change must be approved (default: the repository's first)")
	flags.Var((*number)(&o.repoID), "repository-id", "number of the access repository at GitHub "+
		"(default: that of the one the agent was first run for)")
	flags.BoolVar(&o.awsAuth, "aws-auth", false, "the cluster is on EKS and lets people in by "+
		"aws-auth: grant nothing to whom that list gives another name")
	flags.StringVar(&o.listen, "listen", "", "address for probes, metrics and the webhook, such "+
		"as :8080 (default: none)")
	flags.StringVar(&o.webhook, "webhook-secret-file", "", "secret of GitHub's webhook "+
		"(default: no webhook)")
	o.audit.flags(flags)
	o.checks.flags(flags)
	o.onCall.flags(flags)
	o.channels.flags(flags)
	flags.BoolVar(&o.once, "once", false, "take one pass and stop")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print what a pass would do, and do nothing")
}

// twins fills each flag that was not given from its twin in the environment.
func twins(cmd *cobra.Command, env func(string) string) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "PULLGRANT_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value := env(name); value != "" && !f.Changed && f.Name != "help" && err == nil {
			if setErr := cmd.Flags().Set(f.Name, value); setErr != nil {
				err = usagef(cmd, "%s: %v", name, flagProblem(cmd, setErr))
			}
		}
	})
	return err
}

var commitPattern = regexp.MustCompile(`^[0-9a-f]{40}$`)

// actionsApp is the number of the App that a workflow's GITHUB_TOKEN acts for, on github.com.
const actionsApp = 15368

// problem tells what is wrong with the options; empty when nothing is.
func (o syncOptions) problem() string {
	app := o.appID != 0 || o.appInstall != 0 || o.appKey != ""
	switch {
	case o.cluster == "":
		return "--cluster is missing"
	case requests.CheckName(o.cluster) != "":
		return fmt.Sprintf("--cluster %q: %s", o.cluster, requests.CheckName(o.cluster))
	case o.repoURL == "":
		return "--repo-url is missing"
	case !isBranch(o.branch):
		return fmt.Sprintf("--branch %q: name a branch, such as main", o.branch)
	case o.poll < time.Second:
		return "--poll must be at least 1s"
	case app && (o.appID == 0 || o.appInstall == 0 || o.appKey == ""):
		return "--app-id, --app-installation-id and --app-key-file are needed together"
	case o.trustRoot != "" && !commitPattern.MatchString(o.trustRoot):
		return fmt.Sprintf("--trust-root %q: name a commit by its 40 hexadecimal digits",
			o.trustRoot)
	case o.trustRoot != "" && o.evidence.value == requests.EvidenceBranch:
		return "--trust-root is for --evidence " + requests.EvidenceGitHub +
			"; on the other nothing is proven"
	case o.checkApp == actionsApp:
		return "--check-app-id: this is GitHub's own App for Actions, in whose name every workflow " +
			"can report a check; give the Action one of its own"
	case o.checkApp != 0 && o.evidence.value == requests.EvidenceBranch:
		return "--check-app-id is for --evidence " + requests.EvidenceGitHub +
			"; on the other nobody asks GitHub"
	case o.repoID != 0 && o.evidence.value == requests.EvidenceBranch:
		return "--repository-id is for --evidence " + requests.EvidenceGitHub +
			"; on the other there is no number"
	case addressProblem("listen", o.listen) != "":
		return addressProblem("listen", o.listen)
	case o.webhook != "" && o.listen == "":
		return "--webhook-secret-file is of no use without --listen"
	case o.audit.problem() != "":
		return o.audit.problem()
	case o.checks.problem() != "":
		return o.checks.problem()
	case o.once && o.dryRun:
		return "--dry-run is a single pass already; leave --once out"
	}
	return ""
}

func runAgent(ctx context.Context, w world, o syncOptions) error {
	config, err := o.agent(ctx, w)
	if err != nil {
		return err
	}
	if !o.once && !o.dryRun {
		if config.Listener, err = listenOn(ctx, "listen", o.listen); err != nil {
			return err
		}
		if o.audit.listen != "" {
			if config.Audit, config.AuditToken, err = o.audit.open(ctx); err != nil {
				return err
			}
		}
	}
	agent, err := sync.NewAgent(config)
	if err != nil {
		return fmt.Errorf("prepare the agent: %w", err)
	}
	switch {
	case o.dryRun:
		steps, err := agent.DryRun(ctx)
		if err != nil {
			return err
		}
		for _, step := range steps {
			if _, err := fmt.Fprintln(w.out, plain(step.String())); err != nil {
				return err
			}
		}
		w.say("%s to take", count(len(steps), "step"))
		return nil
	case o.once:
		return agent.Once(ctx)
	}
	return agent.Run(ctx)
}

func (o syncOptions) agent(ctx context.Context, w world) (config sync.Config, err error) {
	machine, err := os.Hostname()
	if err != nil {
		return config, fmt.Errorf("find this machine's name: %w", err)
	}
	config = sync.Config{Cluster: o.cluster, Identity: fmt.Sprintf("%s_%d", machine, os.Getpid()),
		Poll: o.poll, AWSAuth: o.awsAuth, TrustRoot: o.trustRoot, RepositoryID: o.repoID, Clock: w.now,
		Version: thisBuild().Version,
		Logger:  slog.New(slog.NewJSONHandler(w.err, nil))}
	if config.Answerers, err = o.checks.answerers(w); err != nil {
		return config, err
	}
	onCall, err := o.onCall.answerers(w)
	if err != nil {
		return config, err
	}
	maps.Copy(config.Answerers, onCall)
	if config.Channels, err = o.channels.open(w, o.checks); err != nil { // which holds up no grant
		config.Logger.Error("not every channel of policies can be told", "event", "message",
			"cluster", o.cluster, "error", err.Error())
	}
	if config.Kubernetes, err = ownCluster(o.kubeconfig); err != nil {
		return config, err
	}
	if o.signingKey != "" {
		file, err := os.ReadFile(o.signingKey)
		if err != nil {
			return config, fmt.Errorf("read the signing key: %w", err)
		}
		if config.Signer, err = git.ParseSigner(file); err != nil {
			return config, err
		}
	}
	if o.webhook != "" {
		file, err := os.ReadFile(o.webhook)
		if err != nil {
			return config, fmt.Errorf("read the webhook's secret: %w", err)
		}
		if config.WebhookSecret = bytes.TrimSpace(file); len(config.WebhookSecret) == 0 {
			return config, fmt.Errorf("read the webhook's secret: %s is empty; without a secret "+
				"anybody could call it", o.webhook)
		}
	}
	apiURL := cmp.Or(w.env("GITHUB_API_URL"), github.DefaultAPIURL)
	api, err := webHost(apiURL)
	if err != nil {
		return config, err
	}
	host, repo, ok := parseOrigin(o.repoURL)
	if o.evidence.value == requests.EvidenceBranch {
		if isGitHub(host, api) {
			return config, fmt.Errorf("follow the access repository: it is on GitHub (%s), "+
				"where approvals can be verified; use --evidence %s",
				host, requests.EvidenceGitHub)
		}
		config.Repository, err = git.NewRepository(o.repoURL, o.branch, branchCredential(w), nil)
		return config, err
	}
	if !ok || !strings.EqualFold(host, api) {
		return config, fmt.Errorf("follow the access repository: --repo-url is no repository on "+
			"%s; correct it, or set GITHUB_API_URL to the API of its GitHub", api)
	}
	owner, name, _ := strings.Cut(repo, "/")
	token, err := o.token(ctx, w, apiURL, api, name)
	if err != nil {
		return config, err
	}
	if config.GitHub, err = github.New(github.Config{APIURL: apiURL,
		GraphQLURL: w.env("GITHUB_GRAPHQL_URL"), Owner: owner, Repo: name,
		RepositoryID: o.repoID, Token: token, Clock: w.now, CheckApp: o.checkApp}); err != nil {
		return config, err
	}
	config.Repository, err = git.NewRepository(o.repoURL, o.branch, credential(token), nil)
	return config, err
}

// isGitHub tells whether git would reach GitHub by a host, however it is spelled: api is the host
// that serves git for the API in use. A name with other letters than ASCII's is taken for GitHub's:
// some of them are turned into ASCII on the way.
func isGitHub(host, api string) bool {
	bare := func(host string) string {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		return strings.TrimRight(strings.ToLower(host), ".")
	}
	name := bare(host)
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		return true
	}
	for _, known := range []string{bare(api), "github.com", "ghe.com", "githubusercontent.com"} {
		if name == known || strings.HasSuffix(name, "."+known) && net.ParseIP(known) == nil {
			return true
		}
	}
	return false
}

// token is where the agent's tokens come from: its App, else the environment.
func (o syncOptions) token(ctx context.Context, w world, apiURL, host,
	repo string) (func(context.Context) (string, error), error) {
	if o.appID == 0 {
		t, err := token(ctx, w, host)
		return func(context.Context) (string, error) { return t, nil }, err
	}
	key, err := os.ReadFile(o.appKey)
	if err != nil {
		return nil, fmt.Errorf("read the App's key: %w", err)
	}
	app, err := github.NewApp(github.AppConfig{APIURL: apiURL, ID: o.appID,
		InstallationID: o.appInstall, Repo: repo, Key: key, Now: w.now})
	if err != nil {
		return nil, err
	}
	return app.Token, nil
}

// credential is how GitHub's git takes a token.
func credential(token func(context.Context) (string, error)) git.Credential {
	return func(ctx context.Context) (string, string, error) {
		t, err := token(ctx)
		return "x-access-token", t, err
	}
}

// branchCredential is for a git server that is not GitHub: the token where one is set for it, else
// nobody.
func branchCredential(w world) git.Credential {
	t := w.env("GITHUB_TOKEN")
	if t == "" {
		return nil
	}
	return credential(func(context.Context) (string, error) { return t, nil })
}
