package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/requests"
)

func newExtendCommand(w world) *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "extend NAME",
		Short: "Go on with access that ends: open a pull request for more of the same",
		Long: `Ask for the same access once more, from the end of NAME on, as "request" does: it needs the same
approvals. Approved in time, access goes on without a gap; else it begins again once it is approved.
NAME is a request of yours on the default branch. Duration and reason are those of NAME where
nothing else is said.

The exit code is 1 when the policies would deny it, or NAME has ended; with --wait it is that of
"pullgrant wait", 8 when nobody has approved in time.`,
		Example: `  pullgrant extend 20261122-alice-inc-123
  pullgrant extend 20261122-alice-inc-123 --duration 30m --reason "INC-123, the fix is rolling out"`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted, ok := parseTarget(args[0])
			if !ok || wanted.number > 0 {
				return usagef(cmd, "%q is not the name of a request, such as "+
					"20261122-alice-inc-123, nor its file", args[0])
			}
			return extend(cmd, w, o, wanted)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.duration, "duration", "", "how long from the end of NAME on (default: "+
		"NAME's, else the policy's)")
	flags.StringVar(&o.until, "until", "", "end in UTC, instead of a duration, for example "+
		"2026-11-23T18:00:00Z")
	flags.StringVar(&o.reason, "reason", "", "why, in one line (default: NAME's)")
	flags.StringVar(&o.slug, "slug", "", "last part of the new request's name (default: a ticket "+
		"in the reason, else the time)")
	o.proposeFlags(cmd)
	o.waits.flags(cmd, w)
	return cmd
}

func extend(cmd *cobra.Command, w world, o requestOptions, wanted target) error {
	ctx := cmd.Context()
	o.typedAs = cmd.Root().CommandPath()
	if err := o.connect(ctx, w); err != nil {
		return err
	}
	path, old, err := o.find(ctx, wanted)
	if err != nil {
		return err
	}
	if path == "" {
		return o.notToExtend(ctx, w, wanted)
	}
	o.extends = &old
	o.policy, o.cluster = old.Spec.Policy, old.Spec.Cluster
	o.reason = cmp.Or(o.reason, old.Spec.Reason)
	if err := o.suggested.complete(cmd); err != nil {
		return err
	}
	if err := o.check(cmd, w.now()); err != nil {
		return err
	}
	o.terminal = newTerminal(w)
	return request(ctx, w, o)
}

// notToExtend says what became of a request that is not on the default branch.
func (o requestOptions) notToExtend(ctx context.Context, w world, wanted target) error {
	e, err := lookElsewhere(ctx, w, o.client, wanted)
	switch {
	case err != nil:
		return fmt.Errorf("extend %s, which is not on the default branch: %w", wanted.name, err)
	case e.ended != "":
		w.say("%s is over: %s; ask anew with \"%s request\"", wanted.name, e.ended, program)
	case len(e.open) > 0:
		w.say("%s is not live yet, and is extended once it is; %s", wanted.name, e.pulls())
	default:
		w.say("%s stands neither on the default branch, nor in the ledger, nor in an open pull request; "+
			"\"%s list\" has the names", wanted.name, program)
	}
	return verdict(exitFindings)
}

// find reads the request that is to be extended; path is empty where the default branch has none.
func (o requestOptions) find(ctx context.Context, wanted target) (path string,
	old requests.AccessRequest, err error) {
	files, err := o.client.Files(ctx, "", requests.Folder)
	if err != nil {
		return "", old, err
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if !wanted.is(path) {
			continue
		}
		old, findings := requests.ParseRequest(path, files[path])
		switch {
		case len(findings) > 0:
			return "", old, fmt.Errorf("extend %s: %s", path, findings[0])
		case !strings.EqualFold(old.Spec.Requester, o.login):
			return "", old, fmt.Errorf("extend %s: it is of @%s, and you are @%s; who asked "+
				"for it can extend it", path, old.Spec.Requester, o.login)
		}
		return path, old, nil
	}
	return "", old, nil
}
