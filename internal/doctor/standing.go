package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// around notes who can get around the pipeline.
func (v *visit) around(ctx context.Context) {
	const look = "look as somebody who may list roles and bindings"
	survey, err := v.cluster.Survey(ctx)
	if err != nil {
		for _, id := range []string{"around", "everybody", "administrators"} {
			v.unknown(id, err, look)
		}
		return
	}
	by := map[string][]Way{}
	for _, way := range Ways(survey, v.granted()) {
		by[way.Who] = append(by[way.Who], way)
	}
	for who, id := range map[string]string{somebody: "around", everybody: "everybody"} {
		for _, way := range by[who] {
			v.note(id, Wrong, "kubectl delete "+deletion(way.By), "%s", way)
		}
		if len(by[who]) == 0 {
			v.ok(id, "no binding gives such a right")
		}
	}
	var administrators []string
	for _, way := range by[administrator] {
		administrators = append(administrators, way.Subject)
	}
	administrators = slices.Compact(administrators)
	own := fmt.Sprintf("and %d bindings of Kubernetes' own", len(by[ofKubernetes]))
	const builtin = "Group system:masters" // of which every cluster has a binding
	if len(administrators) == 0 || slices.Equal(administrators, []string{builtin}) {
		v.ok("administrators", "nobody but %s, %s", builtin, own)
		return
	}
	v.note("administrators", Warning, "kubectl get clusterrolebindings -o wide", "%s, %s",
		names(administrators), own)
}

// deletion is a binding as kubectl is told to delete it.
func deletion(binding string) string {
	kind, name, _ := strings.Cut(binding, " ")
	if namespace, name, local := strings.Cut(name, "/"); local && kind == "RoleBinding" {
		return "rolebinding " + name + " -n " + namespace
	}
	return strings.ToLower(kind) + " " + name
}

// alive looks at the Deployments, and at who leads.
func (v *visit) alive(ctx context.Context) {
	see := func(name string) string { return "kubectl -n " + kube.Namespace + " describe deployment " + name }
	expirer, there, err := v.cluster.Process(ctx, render.Expirer)
	switch {
	case err != nil:
		v.unknown("expirer", err, see(render.Expirer))
	case !there:
		v.note("expirer", Wrong, v.apply(), "there is no Deployment %s", render.Expirer)
	case expirer.Flag("cluster") != v.Name:
		v.note("expirer", Wrong, v.apply(), "it serves %q", expirer.Flag("cluster"))
	case expirer.Ready == 0:
		v.note("expirer", Wrong, see(render.Expirer), "none of its %d replicas is ready", expirer.Wanted)
	case expirer.Ready < expirer.Wanted:
		v.note("expirer", Warning, see(render.Expirer), "%d of its %d replicas are ready",
			expirer.Ready, expirer.Wanted)
	default:
		v.ok("expirer", "%d of %d replicas are ready", expirer.Ready, expirer.Wanted)
	}
	leader, err := v.cluster.Leader(ctx, v.clock.Now())
	notes, noteErr := v.cluster.Notes(ctx)
	if err == nil {
		err = noteErr
	}
	paused, isPaused := notes[kube.AnnotationPaused]
	switch {
	case !v.there:
		v.note("agent", Wrong, v.apply(), "there is no Deployment %s", render.Agent)
	case err != nil:
		v.unknown("agent", err, see(render.Agent))
	case v.agent.Ready == 0:
		v.note("agent", Wrong, see(render.Agent), "none of its %d replicas is ready", v.agent.Wanted)
	case leader == "":
		v.note("agent", Wrong, "kubectl -n "+kube.Namespace+" logs deployment/"+render.Agent,
			"%d of %d replicas are ready, and none leads", v.agent.Ready, v.agent.Wanted)
	case isPaused:
		v.note("agent", Warning, "pullgrant resume", "somebody paused it: %s", paused)
	case v.agent.Flag("check-app-id") == "" && v.agent.Flag("evidence") != "branch":
		v.note("agent", Warning, "pullgrant install … --check-app-id NUMBER | kubectl apply -f -",
			"it takes any App's check, as nobody gave it --check-app-id")
	default:
		v.ok("agent", "%d of %d replicas are ready, %s leads", v.agent.Ready, v.agent.Wanted, leader)
	}
}

// oldest is the first minor version of Kubernetes that has what the fence is made of.
const oldest = 30

func (v *visit) version(ctx context.Context) {
	version, err := v.cluster.Version(ctx)
	if err != nil {
		v.unknown("version", err, "kubectl version")
		return
	}
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	minor := 0
	if len(parts) > 1 {
		minor, _ = strconv.Atoi(parts[1])
	}
	if parts[0] == "1" && minor < oldest {
		v.note("version", Wrong, "upgrade the cluster", "the API server is %s", version)
		return
	}
	v.ok("version", "%s", version)
}

func (v *visit) skew() {
	ahead := v.clock.Ahead()
	if kube.Beyond(ahead) != 0 {
		v.note("cluster-clock", Wrong, "timedatectl set-ntp true, here and on the control plane",
			"the API server's clock is %s ahead of this machine's", ahead.Round(time.Second))
		return
	}
	v.ok("cluster-clock", "it and this machine's differ by less than is tolerated")
}

// catalogue compares the roles that policies name with what approvers are shown.
func (v *visit) catalogue(ctx context.Context) {
	mend := "change the role back, or pullgrant catalog --cluster " + v.Name + " --pr"
	if v.ungiven != nil {
		v.skip("catalogue", "%v", v.ungiven)
		return
	}
	roles, _ := v.Tree.Roles(v.Name)
	live, missing, err := kube.LiveRoles(ctx, v.Config, v.Name, roles)
	if err != nil {
		v.unknown("catalogue", err, "look as somebody who may get the roles")
		return
	}
	for _, name := range missing {
		v.note("catalogue", Wrong, "make the role, or take it out of the policies",
			"the cluster has no ClusterRole %s, which a policy gives", name)
	}
	well := len(missing) == 0
	for _, role := range live {
		file := rbac.CatalogPath(v.Name, role.Spec.Role.Name)
		if data, err := role.Encode(); err != nil || v.Tree.Files[file].Content != string(data) {
			v.note("catalogue", Wrong, mend, "%s is not as the role in the cluster", file)
			well = false
		}
	}
	if well {
		v.ok("catalogue", "it shows the roles as they are: %d", len(live))
	}
}
