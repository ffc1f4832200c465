package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// run asks for what flags do not say where a person can answer, and then for access. What was
// answered is not lost when that fails: the command that says all of it is printed.
func (o *requestOptions) run(cmd *cobra.Command, w world) error {
	o.terminal, o.typedAs = newTerminal(w), cmd.Root().CommandPath()
	err := o.complete(cmd, w.now())
	if err == nil {
		err = o.choose(cmd, w)
	}
	if err == nil {
		err = o.check(cmd, w.now())
	}
	if err == nil {
		err = request(cmd.Context(), w, *o)
	}
	if err == nil || !o.answered {
		return err
	}
	sayError(w, err)
	w.say("what you answered is kept; go on with:")
	w.say("%s", o.commandLine(cmd))
	return verdict(exitCode(err))
}

// choose has what is missing chosen from what the repository offers the one who asks. Where nobody
// can answer, what is missing is an error that names what there is.
func (o *requestOptions) choose(cmd *cobra.Command, w world) error {
	missing := ""
	for _, f := range []struct{ flag, value string }{{"policy", o.policy}, {"cluster", o.cluster},
		{"reason", o.reason}} {
		if f.value == "" {
			missing = cmp.Or(missing, f.flag)
		}
	}
	switch {
	case o.terminal == nil && missing == "":
		return nil
	case o.terminal == nil && missing == "reason":
		return usagef(cmd, "--reason is missing")
	}
	m, err := o.offered(cmd.Context(), w, missing != "")
	switch {
	case err != nil && o.terminal == nil:
		return usagef(cmd, "--%s is missing; what there is cannot be read: %v", missing, err)
	case err != nil:
		return err
	case o.policy != "" && !slices.Contains(m.names, o.policy):
		return usagef(cmd, "--policy %q: %s", o.policy, m.notOffered(o.policy))
	case len(m.under(o.cluster)) == 0 && o.policy == "":
		return usagef(cmd, "--policy is missing; %s", m.there("", m.under(o.cluster)))
	case o.terminal == nil && missing == "policy":
		return usagef(cmd, "--policy is missing; %s", m.there("", m.under(o.cluster)))
	case o.terminal == nil:
		policy, _, _ := m.tree.Policy(o.policy)
		return usagef(cmd, "--cluster is missing; %s", m.there("", policy.Spec.Clusters))
	}
	return o.askFor(cmd, w, m)
}

// askFor asks until everything is said. A list of one is taken without asking.
func (o *requestOptions) askFor(cmd *cobra.Command, w world, m menu) error {
	for {
		q, more := o.next(m)
		if !more {
			if o.answered {
				w.say("")
			}
			return nil
		}
		if len(q.choices) == 1 {
			if problem := o.answer(cmd, m, q, q.choices[0].value); problem != "" {
				return fmt.Errorf("take %s as the %s, of which there is no other: %s",
					q.choices[0].value, strings.ToLower(q.title), problem)
			}
			w.say("%-13s %s", q.title, q.choices[0].value)
			continue
		}
		text, err := o.terminal.ask(cmd.Context(), q)
		if errors.Is(err, errStopped) {
			w.say("stopped; nothing was opened")
			return verdict(exitFindings)
		}
		if err != nil {
			return fmt.Errorf("ask for the %s: %w", strings.ToLower(q.title), err)
		}
		if problem := o.answer(cmd, m, q, text); problem != "" {
			w.say("%s: %s", q.title, problem)
			continue
		}
		o.answered = true
		w.say("%-13s %s", q.title, cmp.Or(text, "-"))
	}
}

// offered reads what the repository offers the one who asks. Unless it is to be chosen from, that is
// the policy which was named.
func (o *requestOptions) offered(ctx context.Context, w world, choose bool) (menu, error) {
	m := menu{now: w.now(), whole: choose, settled: map[string]bool{}}
	if err := o.connect(ctx, w); err != nil {
		return m, err
	}
	m.login = o.login
	if !choose {
		tree, err := o.client.Tree(ctx, "", policies.Wanted(policies.KindRequest,
			requests.Path(o.cluster, o.policy, "20060102-a-b")))
		m.tree, m.names = tree, []string{o.policy}
		return m, err
	}
	var err error
	m.tree, err = o.client.Tree(ctx, "", policies.Wanted(policies.KindChange, ""))
	if err != nil {
		return m, err
	}
	if o.breakGlass {
		m.names = breakable(m.tree, o.login)
		return m, nil
	}
	names, notes, err := o.client.Offered(ctx, m.tree, o.login)
	for _, note := range notes {
		w.say("note: %s", note)
	}
	m.names = names
	return m, err
}

// breakable are the policies under which a person may break the glass.
func breakable(tree policies.Tree, login string) (names []string) {
	for _, name := range tree.PolicyNames() {
		policy, _, broken := tree.Policy(name)
		if len(broken) == 0 && policy.Spec.BreakGlass.Lets(login) {
			names = append(names, name)
		}
	}
	return names
}

// meant says what there is in place of what was refused for not being there, or not for the one who
// asks; empty when that is said already.
func (o requestOptions) meant(ctx context.Context, w world, tree policies.Tree,
	d policies.Decision) string {
	policy, known, _ := tree.Policy(o.policy)
	near := ""
	switch {
	case o.extends != nil:
	case d.Code == policies.NoPolicy && known:
		near = nearest(o.cluster, policy.Spec.Clusters)
	case d.Code == policies.NoPolicy, d.Code == policies.RequesterNotAllowed,
		d.Code == policies.BreakGlassNotAllowed:
		m, err := o.offered(ctx, w, true)
		if err != nil { // the refusal has been told
			return "what there is cannot be read: " + err.Error()
		}
		if slices.Contains(m.names, o.policy) { // it is not for that
			return ""
		}
		return m.there(o.policy, m.names)
	case d.Code == policies.NamespaceNotAllowed:
		for _, g := range policy.Spec.Target.Grants {
			near = cmp.Or(near, nearest(o.namespace, g.AllowedNamespaces))
		}
	case d.Code == policies.RoleNotAllowed:
		for _, g := range policy.Spec.Target.Grants {
			near = cmp.Or(near, nearest(o.role, g.Roles))
		}
	}
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}

// notOffered says what is wrong with a policy that is not on the menu, and what is.
func (m menu) notOffered(name string) string {
	problem := "there is no such policy"
	if slices.Contains(m.tree.PolicyNames(), name) {
		problem = "you, @" + m.login + ", may not ask under it"
	}
	return problem + "; " + m.there(name, m.names)
}

// there names what there is, and of that first what somebody may have meant.
func (m menu) there(meant string, all []string) string {
	if len(all) == 0 {
		return "there are: none that you, @" + m.login + ", may ask for"
	}
	text := "there are: " + strings.Join(all, ", ")
	if near := nearest(meant, all); near != "" {
		text = "did you mean " + near + "? " + text
	}
	return text
}

// nearest is the name that a person may have meant by a slip of the keyboard; empty when none is
// near.
func nearest(meant string, all []string) (near string) {
	least := len(meant)/3 + 1
	for _, name := range all {
		if d := levenshtein.ComputeDistance(meant, name); name != meant && d < least {
			near, least = name, d
		}
	}
	return near
}
