package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// Place is a cluster with the agent in it.
type Place struct {
	Config *kube.Config
	Name   string // in the access repository; empty: what the agent says
	Tree   policies.Tree
	NoTree error // why there is no Tree
	Wall   func() time.Time
	Run    bool // a Job, and wait for its end
}

// visit is Place while it is looked at.
type visit struct {
	Place
	notes
	clock   *kube.Clock
	cluster *kube.Cluster
	agent   kube.Process
	there   bool // there is an agent
	grants  []requests.Item
	ungiven error // why it is not known what the policies give
}

// Cluster looks at a cluster: at what pullgrant has there, and at who can get around it. An error
// says that the cluster cannot be looked at, or is another one.
func Cluster(ctx context.Context, p Place) (name string, results []Result, err error) {
	v := visit{Place: p, clock: &kube.Clock{Wall: p.Wall}}
	if v.cluster, err = kube.NewCluster(p.Config, "", kube.CallTimeout, v.clock.Watch); err != nil {
		return "", nil, err
	}
	if v.agent, v.there, err = v.cluster.Process(ctx, render.Agent); err != nil {
		return "", nil, err
	}
	served, err := kube.Serves(ctx, v.Config)
	switch {
	case err != nil:
		return "", nil, err
	case v.Name == "" && served == "":
		return "", nil, fmt.Errorf("no agent there says which cluster this is; give --cluster")
	case v.Name != "" && served != "" && v.Name != served:
		return "", nil, fmt.Errorf("the agent there serves %s, not %s; choose the context of %s, or "+
			"give --cluster %s", requests.Quote(served), v.Name, v.Name, served)
	case v.Name == "":
		v.Name = served
	}
	v.given()
	for _, look := range []func(context.Context){v.footprint, v.trials, v.around, v.strict, v.alive,
		v.channels, v.version, v.catalogue} {
		if err := ctx.Err(); err != nil {
			return v.Name, nil, err
		}
		look(ctx)
	}
	v.skew()
	return v.Name, v.inOrder(), nil
}

// given finds out what the policies give in the cluster.
func (v *visit) given() {
	if v.ungiven = v.NoTree; v.ungiven != nil {
		return
	}
	var findings []requests.Finding
	v.grants, findings = v.Tree.Grantable(v.Name)
	switch {
	case len(findings) > 0:
		v.ungiven = fmt.Errorf("the policies are not valid: %s", findings[0])
	case len(v.grants) == 0:
		v.ungiven = fmt.Errorf("no policy is for the cluster %s", v.Name)
	}
}

// granted are the namespaces that policies grant in.
func (v *visit) granted() (all []string) {
	for _, i := range v.grants {
		if i.Namespace != "" {
			all = append(all, i.Namespace)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (v *visit) apply() string {
	return "pullgrant install --cluster " + v.Name + " … | kubectl apply -f -"
}

// footprint compares fence and rights with what is rendered for the policies.
func (v *visit) footprint(ctx context.Context) {
	f := render.Footprint{Cluster: v.Name, Grants: v.grants,
		AWSAuth: v.agent.Flag("aws-auth") == "true"}
	wanted := render.Fence()
	if f.AWSAuth {
		policy, binding := render.AWSFence()
		wanted = append(wanted, &policy, &binding)
	}
	if v.ungiven == nil {
		wanted = append(wanted, render.Rights(f)...)
	}
	live, err := kube.LiveFootprint(ctx, v.Config, wanted)
	if err != nil {
		for _, id := range []string{"fence", "rights-surplus", "rights-missing"} {
			v.unknown(id, err, "look as an administrator of the cluster")
		}
		return
	}
	differs := map[string]bool{}
	note := func(id string, mend, format string, args ...any) {
		v.note(id, Wrong, mend, format, args...)
		differs[id] = true
	}
	for _, d := range render.Compare(wanted, live) {
		switch {
		case strings.HasPrefix(d.Kind, "ValidatingAdmissionPolicy") && d.Live == nil:
			note("fence", v.apply(), "%s is missing", d)
		case strings.HasPrefix(d.Kind, "ValidatingAdmissionPolicy"):
			note("fence", v.apply(), "%s is another than this program's: %s", d, names(d.Fields))
		case v.ungiven == nil:
			v.right(d, note)
		}
	}
	if !differs["fence"] {
		v.ok("fence", "as this program renders it")
	}
	for id, what := range map[string]string{"rights-surplus": "nothing that no policy needs",
		"rights-missing": "all that the policies need"} {
		switch {
		case v.ungiven != nil:
			v.unknown(id, v.ungiven, "run it in a checkout of the access repository")
		case !differs[id]:
			v.ok(id, "%s", what)
		}
	}
}

// right notes how an object with rights differs.
func (v *visit) right(d render.Difference, note func(id, mend, format string, args ...any)) {
	const surplus, missing = "rights-surplus", "rights-missing"
	remove := strings.TrimSpace("kubectl delete " + strings.ToLower(d.Kind) + " " + d.Name)
	if d.Namespace != "" {
		remove += " -n " + d.Namespace
	}
	wanted, err := kube.RulesOf(d.Wanted)
	live, liveErr := kube.RulesOf(d.Live)
	switch {
	case err != nil || liveErr != nil:
		note(surplus, v.apply(), "%s has rules that do not read", d)
		return
	case d.Wanted == nil:
		note(surplus, remove, "%s: no policy needs it", d)
		return
	case d.Live == nil:
		note(missing, v.apply(), "%s is missing", d)
		return
	}
	more, less := rbac.Beyond(live, wanted), rbac.Beyond(wanted, live)
	for _, p := range more {
		note(surplus, v.apply(), "%s: %s on %s is too much", d, p.Does(), p.What())
	}
	for _, p := range less {
		note(missing, v.apply(), "%s: %s on %s is missing", d, p.Does(), p.What())
	}
	if len(more)+len(less) == 0 {
		id := missing
		if strings.HasSuffix(d.Kind, "Binding") {
			id = surplus // of whom it gives rights to
		}
		note(id, v.apply(), "%s differs: %s", d, names(d.Fields))
	}
}

// trial is a Job as the agent would make it for a grant of 15 seconds in a namespace.
func (v *visit) trial(namespace string) (batchv1.Job, error) {
	now := v.Wall().UTC()
	name := now.Format("20060102") + "-doctor-backstop"
	g := requests.Grant{Name: name, Path: requests.Path(v.Name, "doctor", name), Cluster: v.Name,
		Policy: "doctor", Requester: "doctor",
		Subject:  requests.Subject{Kind: requests.KindUser, Name: "doctor"},
		Window:   requests.NewWindow(now, requests.Duration(15*time.Second)),
		Evidence: requests.Evidence{MergeCommit: strings.Repeat("0", 40)},
		Items: []requests.Item{{Kind: requests.KubernetesRoleBinding, Namespace: namespace,
			Name: requests.ObjectName(name, 0),
			Role: requests.Role{Kind: requests.KindClusterRole, Name: "view"}}}}
	return render.Backstop(g, namespace, now)
}

// trials ask the API server as the agent, in dry runs, for a Job that the fence refuses and for one
// that it must take, and run one where that is wanted.
func (v *visit) trials(ctx context.Context) {
	granted := v.granted()
	if v.ungiven != nil || len(granted) == 0 {
		err := v.ungiven
		if err == nil {
			err = fmt.Errorf("no policy grants in a namespace")
		}
		v.skip("fence-in-force", "%v", err)
		v.skip("backstop", "%v", err)
		return
	}
	agent, err := kube.NewCluster(kube.As(v.Config, render.Agent), v.Name, kube.CallTimeout, nil)
	if err != nil {
		v.unknown("fence-in-force", err, v.apply())
		v.unknown("backstop", err, v.apply())
		return
	}
	held := true
	for _, namespace := range granted {
		job, err := v.trial(namespace)
		if err == nil {
			err = agent.Try(ctx, &job)
		}
		if err != nil {
			v.note("backstop", Wrong, "take away what refuses it in namespace "+namespace+"; "+
				v.apply(), "in a dry run as the agent, %s refuses one: %s", namespace, kube.Words(err))
			held = false
		}
	}
	if job, err := v.trial(granted[0]); err == nil {
		job.Labels = nil
		v.forced(agent.Try(ctx, &job), granted[0])
		if v.Run {
			held = v.run(ctx, job) && held
		}
	}
	if held && v.Run {
		v.ok("backstop", "one ran and was gone in time; in dry runs all namespaces take one")
	} else if held {
		v.ok("backstop", "in dry runs all namespaces take one; --backstop runs one")
	}
}

// forced notes what became of a Job that the fence must refuse.
func (v *visit) forced(err error, namespace string) {
	switch {
	case kube.RefusedByFence(err):
		v.ok("fence-in-force", "it refuses the agent a Job that is of no grant")
	case err == nil:
		v.note("fence-in-force", Wrong, v.apply()+"; if it is as rendered, wait a minute",
			"the agent may make a Job in %s that belongs to no grant", namespace)
	default:
		v.note("fence-in-force", Unknown, "look as somebody who may impersonate the agent; "+v.apply(),
			"something else refuses the agent's Job: %s", kube.Words(err))
	}
}

// run has the cluster end a Job.
func (v *visit) run(ctx context.Context, job batchv1.Job) bool {
	ttl := int32(15)
	job.Spec.TTLSecondsAfterFinished = &ttl
	err := v.cluster.Ends(ctx, job, 75*time.Second)
	if err != nil {
		v.note("backstop", Wrong, "see to the Job controller and the TTL controller of the cluster",
			"%v", err)
	}
	return err == nil
}

// strict looks for namespaces in which a command is limited for whoever has the grant only.
func (v *visit) strict(ctx context.Context) {
	var namespaces []string
	for _, i := range v.grants {
		if i.Kind == requests.KubernetesExec && !i.Impersonates() {
			namespaces = append(namespaces, i.Namespace)
		}
	}
	slices.Sort(namespaces)
	namespaces = slices.Compact(namespaces)
	if len(namespaces) == 0 {
		v.skip("strict-namespaces", "no policy lets anybody run one command as they are")
		return
	}
	well := true
	for _, namespace := range namespaces {
		problem, err := v.cluster.ExecProblem(ctx, namespace, true)
		switch {
		case err != nil:
			v.unknown("strict-namespaces", err, "look as an administrator of the cluster")
		case problem != "":
			v.note("strict-namespaces", Wrong, fmt.Sprintf("kubectl label namespace %s %s=%s",
				namespace, render.LabelExec, render.ExecStrict), "%s", problem)
		default:
			continue
		}
		well = false
	}
	if well {
		v.ok("strict-namespaces", "%s", names(namespaces))
	}
}
