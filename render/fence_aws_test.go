package render_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/render"
)

// TestAWSAuthIsOffByDefault: nothing of it is rendered, and the agent may read no ConfigMap of
// kube-system.
func TestAWSAuthIsOffByDefault(t *testing.T) {
	if all := string(render.YAML(render.Install(footprint))); strings.Contains(all, "aws") {
		t.Error("there is something of aws-auth")
	}
}

// TestAWSAuthHasLittle: what keeps aws-auth reads records and one list, writes that, and has no
// secret; its names are none that the fence keeps for the agent. The agent reads the list.
func TestAWSAuthHasLittle(t *testing.T) {
	f := footprint
	f.AWSAuth = true
	all := documents(t, render.YAML(render.Install(f)))
	for key, want := range map[string]string{
		"Role kube-system/pullgrant:aws": "[map[apiGroups:[] resourceNames:[aws-auth] " +
			"resources:[configmaps] verbs:[get update]]]",
		"Role kube-system/pullgrant-agent": "[map[apiGroups:[] resourceNames:[aws-auth] " +
			"resources:[configmaps] verbs:[get]]]",
		"Role pullgrant-system/pullgrant:aws": "[map[apiGroups:[] resources:[configmaps] " +
			"verbs:[list watch]]]",
		"ClusterRole /pullgrant:aws": "[map[apiGroups:[admissionregistration.k8s.io] " +
			"resourceNames:[pullgrant-aws] resources:[validatingadmissionpolicies] verbs:[get]] " +
			"map[apiGroups:[admissionregistration.k8s.io] resourceNames:[pullgrant-aws] " +
			"resources:[validatingadmissionpolicybindings] verbs:[get]]]",
	} {
		if got := fmt.Sprint(all[key]); !strings.Contains(got, "rules:"+want) {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	for key, object := range all {
		subjects := "subjects:[map[kind:ServiceAccount name:pullgrant-aws " +
			"namespace:pullgrant-system]]"
		kind, name, _ := strings.Cut(key, " ")
		if ours := strings.HasSuffix(name, "/pullgrant:aws"); strings.HasSuffix(kind, "Binding") &&
			strings.Contains(fmt.Sprint(object), subjects) != ours {
			t.Errorf("%s: %v", key, object)
		}
	}
	deployment := fmt.Sprint(all["Deployment pullgrant-system/pullgrant-aws"])
	for _, want := range []string{"replicas:2", "args:[aws-auth --cluster=prod-eu --listen=:8080]",
		"serviceAccountName:pullgrant-aws", "limits:map[memory:256Mi]"} {
		if !strings.Contains(deployment, want) {
			t.Errorf("the Deployment lacks %q: %s", want, deployment)
		}
	}
	if strings.Contains(deployment, "/secrets ") || strings.Contains(deployment, "secretName") {
		t.Errorf("it has secrets: %s", deployment)
	}
}

// TestAWSEntry: the form of an entry takes in what identities.yaml lets be, and nothing that ends a
// line, a quote or a comment early.
func TestAWSEntry(t *testing.T) {
	form := regexp.MustCompile("^" + render.AWSEntry + "$")
	entry := func(arn, request, user string) string {
		return "- userarn: " + arn + " # pullgrant " + request + "\n  username: \"" + user + "\"\n"
	}
	const arn, request = "arn:aws:iam::111122223333:user/alice", "20261127-alice-inc-1"
	for _, good := range []string{entry(arn, request, "alice@example.com"),
		entry("arn:aws-us-gov:iam::111122223333:user/teams/a/al+ice", request, "a"),
		entry("arn:aws-cn:iam::111122223333:role/on.call", request, "A.b_c@d+e-f"),
		"    " + entry(arn, request, "alice")} {
		if !form.MatchString(good) {
			t.Errorf("refused: %q", good)
		}
	}
	for _, bad := range []string{entry(arn, request, ""), entry(arn, request, "a\"b"),
		entry(arn, request, "a\nb"), entry(arn, request, "system:admin"),
		entry(arn, "", "alice"), entry(arn, "20261127-Alice", "alice"), entry(arn+" ",
			request, "a"),
		entry("arn:aws:iam::1:user/alice", request, "a"),
		entry("arn:aws:sts::111122223333:assumed-role/a/b", request, "a"),
		entry("arn:aws:iam::111122223333:role/a/b", request, "a"),
		entry(arn, request, "alice") + "x", strings.TrimSuffix(entry(arn, request,
			"alice"), "\n")} {
		if form.MatchString(bad) {
			t.Errorf("allowed: %q", bad)
		}
	}
}
