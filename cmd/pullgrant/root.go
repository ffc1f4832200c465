package main

import (
	"context"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

const program = "pullgrant"

// Main runs the command line in args, where args[0] is the program's name, and returns its exit
// code.
func Main(args []string, w world) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := newRoot(w, args[0])
	root.SetArgs(commandLine(args))
	err := root.ExecuteContext(ctx)
	sayError(w, err)
	return exitCode(err)
}

func newRoot(w world, arg0 string) *cobra.Command {
	root := &cobra.Command{
		Use:   program,
		Short: "Time-bounded Kubernetes access through pull requests",
		Long: `pullgrant gives people Kubernetes access for a limited time: asked for in a pull
request, approved by code owners, applied and taken back by an agent in the cluster, recorded in
git.

Data goes to stdout, talk to stderr. The GitHub token comes from GITHUB_TOKEN or from "gh auth
token".

Exit codes:
  0  done, clean, allowed
  1  findings, or denied
  2  wrong usage
  3  the work could not be done (network, API, files)
  8  pending: a person still has to act`,
		Example: `  pullgrant init my-access-repository
  pullgrant request --policy payments-debug --cluster prod-eu --duration 1h \
    --reason "INC-123, checkout is slow"
  pullgrant validate`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              noSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(w.in)
	root.SetOut(w.out)
	root.SetErr(w.err)
	root.SetFlagErrorFunc(flagProblem)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprint(w.out, writeHelp(cmd, min(columnsOf(w.out), widest)))
	})
	root.Version = thisBuild().String()
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		newInitCommand(w),
		newRulesetCommand(w),
		newRequestCommand(w),
		newWhyCommand(w),
		newSearchCommand(w),
		newExtendCommand(w),
		newBreakGlassCommand(w),
		newListCommand(w),
		newShowCommand(w),
		newWaitCommand(w),
		newReviewCommand(w),
		newEscalateCommand(w),
		newExecCommand(w),
		newKubeconfigCommand(w),
		newValidateCommand(w),
		newEvaluateCommand(w),
		newFactsCommand(w),
		newRenderCommand(w),
		newPolicyCommand(w),
		newConvertCommand(w),
		newCodeownersCommand(w),
		newCatalogCommand(w),
		newSyncCommand(w),
		newExpireCommand(w),
		newAWSAuthCommand(w),
		newDropCommand(w),
		newRevokeCommand(w),
		newPauseCommand(w),
		newResumeCommand(w),
		newInstallCommand(w),
		newDoctorCommand(w),
		newAuditCommand(w),
		newWhoCommand(w),
		newSchemaCommand(w),
		newActionCommand(w),
		newVersionCommand(w),
	)
	completions(root, w)
	strict(root)
	name := displayName(arg0)
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: name}
	rename(root, name)
	return root
}

// rename lets the examples of a command and of those below it show the name that the user types.
func rename(cmd *cobra.Command, name string) {
	cmd.Example = strings.ReplaceAll(cmd.Example, "  "+program+" ", "  "+name+" ")
	for _, below := range cmd.Commands() {
		rename(below, name)
	}
}

// displayName is what the user typed to get here: kubectl and gh find their plugins by the name of
// their file.
func displayName(arg0 string) string {
	switch calledAs(arg0) {
	case "kubectl-" + program, completer:
		return "kubectl " + program
	case "gh-" + program:
		return "gh " + program
	}
	return program
}
