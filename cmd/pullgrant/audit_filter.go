package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
)

// auditFilter are the flags that say which requests an audit is about.
type auditFilter struct {
	audit.Filter
	since, until string
}

func (f *auditFilter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.Person, "person", "", "only what this person asked for or "+
		"received: GitHub login or Kubernetes user")
	flags.StringVar(&f.Namespace, "namespace", "", "only what reached this namespace")
	flags.StringVar(&f.Role, "role", "", "only what gave this ClusterRole")
	flags.StringVar(&f.Cluster, "cluster", "", "only on this cluster")
	flags.StringVar(&f.Policy, "policy", "", "only under this policy")
	flags.StringVar(&f.Cause, "cause", "", "only what ended by this cause: "+
		strings.Join(requests.Causes, ", "))
	f.span(cmd, "only access that was going on")
	_ = cmd.RegisterFlagCompletionFunc("cause", cobra.FixedCompletions(requests.Causes,
		cobra.ShellCompDirectiveNoFileComp))
}

// span are the flags for a stretch of time.
func (f *auditFilter) span(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&f.since, "since", "", what+" at or after this time, date, or 7d ago")
	cmd.Flags().StringVar(&f.until, "until", "", what+" before this time, or on or before this date")
}

// complete reads what the flags say.
func (f *auditFilter) complete(cmd *cobra.Command, now time.Time) error {
	if f.Cause != "" {
		i := slices.IndexFunc(requests.Causes, func(c string) bool {
			return strings.EqualFold(c, f.Cause)
		})
		if i < 0 {
			return usagef(cmd, "--cause %q: allowed: %s", f.Cause,
				strings.Join(requests.Causes, ", "))
		}
		f.Cause = requests.Causes[i]
	}
	for _, side := range []struct {
		flag, text string
		to         *time.Time
		last       bool // a whole day belongs to the span
	}{{"since", f.since, &f.Span.Since, false}, {"until", f.until, &f.Span.Until, true}} {
		if side.text == "" {
			continue
		}
		t, day, ok := parseWhen(side.text, now)
		if !ok {
			return usagef(cmd, "--%s %q: %s", side.flag, side.text, whenForms)
		}
		if day && side.last {
			t = t.AddDate(0, 0, 1)
		}
		*side.to = t
	}
	if s := f.Span; !s.Until.IsZero() && !s.Since.Before(s.Until) {
		return usagef(cmd, "--since %s is not before --until %s", requests.At(s.Since),
			requests.At(s.Until))
	}
	return nil
}
