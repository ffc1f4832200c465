package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type glassReviewOptions struct {
	remote        remote
	name          string
	verdict, text string
	dryRun        bool
}

func newGlassReviewCommand(w world) *cobra.Command {
	var o glassReviewOptions
	cmd := &cobra.Command{
		Use:   "review NAME",
		Short: "Answer for break-glass: open the pull request that adds its review",
		Long: `Open a pull request that adds reviews/NAME.yaml, which says what came of looking at what was done.
Anybody may write it; an owner of the debt approves it who neither asked for the access nor had it.
Once it is merged, the agent closes the issue. Either verdict pays. NAME is the request's, whose
access is over. The exit code is 1 when nothing is owed for it.`,
		Example: `  pullgrant breakglass review 20261122-alice-breakglass-inc-123 --verdict Justified \
    --text "Restarted payments-api; a runbook now says how to do without"`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			data, findings, err := o.file()
			switch {
			case err != nil:
				return err
			case len(findings) > 0:
				return usagef(cmd, "%s", findings[0].Message)
			}
			return o.propose(cmd.Context(), w, data)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.verdict, "verdict", "", "whether it was right: "+policies.Justified+" or "+
		policies.Unjustified)
	flags.StringVar(&o.text, "text", "", "what was done, and what follows from it")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the file; open nothing")
	return cmd
}

// file is the review, and what is wrong with it.
func (o glassReviewOptions) file() ([]byte, []requests.Finding, error) {
	review := policies.GlassReview{APIVersion: requests.APIVersion, Kind: policies.KindGlassReview,
		Metadata: requests.Metadata{Name: o.name},
		Spec:     policies.GlassReviewSpec{Request: o.name, Verdict: o.verdict, Text: o.text}}
	data, err := review.Marshal()
	if err != nil {
		return nil, nil, err
	}
	data = append([]byte("# yaml-language-server: $schema="+
		requests.SchemaAddress(policies.KindGlassReview)+"\n"), data...)
	_, findings := policies.ParseGlassReview(requests.ReviewPath(o.name), data)
	return data, findings, nil
}

func (o glassReviewOptions) propose(ctx context.Context, w world, data []byte) error {
	if o.dryRun {
		_, err := w.out.Write(data)
		return err
	}
	client, _, err := o.remote.client(ctx, w)
	if err != nil {
		return err
	}
	path := requests.ReviewPath(o.name)
	tree, err := client.Tree(ctx, "", policies.Wanted(policies.KindReview, path))
	if err != nil {
		return err
	}
	if _, owed := tree.DebtOf(path); !owed {
		w.say("nothing is owed for %s: the name is another, or it is paid already, or its access is not "+
			"over and recorded yet; \"%s show %s\" tells", requests.Quote(o.name), program, plain(o.name))
		return verdict(exitFindings)
	}
	_, err = propose(ctx, w, client, github.Proposal{Branch: program + "/review-" + o.name,
		Files: map[string][]byte{path: data}, Message: "Review " + o.name,
		Title: "Review of break-glass " + o.name, AutoMerge: true,
		Body: fmt.Sprintf("What came of looking at what was done stands in `%s`.\n", path)})
	return err
}
