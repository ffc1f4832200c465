package rbac_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies/rbac"
)

var update = flag.Bool("update", false, "write what is said of each role")

const permissionsDir = "../../testdata/permissions"

// TestPermissions reads each file's rules and compares what is said of them with its last section.
// -update writes it.
func TestPermissions(t *testing.T) {
	codes := map[string]bool{}
	for name, archive := range permissionFiles(t) {
		t.Run(name, func(t *testing.T) {
			rules, held, want := sections(t, archive)
			for _, r := range rbac.Risks(rules, rbac.InCluster) {
				codes[r.Code] = true
			}
			for _, r := range rbac.Risks(rules, rbac.InNamespace) {
				codes[r.Code] = true
				if r.High && strings.HasPrefix(name, "low_") {
					t.Errorf("a role of low risk is said to be able to: %s", r.Text)
				}
			}
			got := tell(rules, held)
			if *update {
				archive.Files[len(archive.Files)-1].Data = []byte(got)
				if err := os.WriteFile(filepath.Join(permissionsDir, name+".txtar"),
					txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
			for seed := range uint64(5) {
				if again := tell(shuffled(rules, seed), shuffled(held, seed)); again != got {
					t.Errorf("in another order:\n%sfirst:\n%s", again, got)
				}
				if rbac.HashRules(shuffled(rules, seed)) != rbac.HashRules(rules) {
					t.Error("the hash depends on the order")
				}
			}
			if more := rbac.Beyond(rules, rules); len(more) > 0 {
				t.Errorf("beyond itself: %+v", more)
			}
		})
	}
	for _, code := range []string{"everything", "escalate", "bind", "writes-rbac",
		"writes-cluster-rbac", "makes-tokens", "impersonates-accounts",
		"impersonates-users", "reads-secrets", "writes-secrets", "creates-pods",
		"changes-workloads",
		"changes-pods", "adds-containers", "executes",
		"attaches", "nodes-proxy", "approves-certificates", "writes-webhooks", "writes-admission",
		"writes-apis", "writes-volumes",
		"changes-namespace", "deletes-namespace", "deletes-rbac", "forwards-ports", "proxies",
		"wildcard-verbs", "wildcard-resources",
		"wildcard-groups", "writes-status", "calls-paths", "writes-pullgrant", "deletes-fence",
		"acts-as-pullgrant", "executes-in-pullgrant", "reads-pullgrant-key"} {
		if !codes[code] {
			t.Errorf("no file under %s shows the risk %s", permissionsDir, code)
		}
	}
}

func permissionFiles(t testing.TB) map[string]*txtar.Archive {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(permissionsDir, "*.txtar"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	archives := map[string]*txtar.Archive{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		archives[strings.TrimSuffix(filepath.Base(file), ".txtar")] = archive
	}
	return archives
}

func sections(t testing.TB, archive *txtar.Archive) (rules, held []rbac.RoleRule, want string) {
	t.Helper()
	for _, f := range archive.Files {
		var err error
		switch f.Name {
		case "rules":
			err = yaml.Unmarshal(f.Data, &rules)
		case "held":
			held = []rbac.RoleRule{}
			err = yaml.Unmarshal(f.Data, &held)
		case "want":
			want = string(f.Data)
		default:
			t.Fatalf("unknown section %s", f.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return rules, held, want
}

// tell is what people are told of rules.
func tell(rules, held []rbac.RoleRule) string {
	var b strings.Builder
	for _, p := range rbac.Permissions(rules) {
		fmt.Fprintf(&b, "%s: %s\n", p.What(), p.Does())
	}
	if held != nil {
		for _, p := range rbac.Beyond(rules, held) {
			fmt.Fprintf(&b, "beyond: %s: %s\n", p.What(), p.Does())
		}
	}
	level := map[bool]string{true: "HIGH", false: "low"}
	told := map[string]bool{}
	for _, r := range rbac.Risks(rules, rbac.InNamespace) {
		told[r.Code] = true
		fmt.Fprintf(&b, "%s %s: %s\n", level[r.High], r.Code, r.Text)
	}
	for _, r := range rbac.Risks(rules, rbac.InCluster) {
		if !told[r.Code] {
			fmt.Fprintf(&b, "cluster-wide %s %s: %s\n", level[r.High], r.Code, r.Text)
		}
	}
	for _, at := range []struct {
		where string
		scope rbac.Scope
	}{{"in a namespace", rbac.InNamespace}, {"cluster-wide", rbac.InCluster}} {
		var dangers []string // without their rules: what is told may not depend on the order of those
		for _, d := range rbac.DangersOf(rules, at.scope) {
			dangers = append(dangers, d.Danger)
		}
		if len(dangers) > 0 {
			fmt.Fprintf(&b, "dangers %s: %s\n", at.where, strings.Join(dangers, ", "))
		}
	}
	return b.String()
}

func shuffled(rules []rbac.RoleRule, seed uint64) []rbac.RoleRule {
	random := rand.New(rand.NewPCG(seed, 0))
	if rules == nil {
		return nil
	}
	again := []rbac.RoleRule{}
	for _, i := range random.Perm(len(rules)) {
		r := rules[i]
		for _, list := range []*[]string{&r.APIGroups, &r.Resources, &r.ResourceNames,
			&r.NonResourceURLs, &r.Verbs} {
			*list = slices.Clone(*list)
			random.Shuffle(len(*list), func(i, j int) {
				(*list)[i], (*list)[j] = (*list)[j],
					(*list)[i]
			})
		}
		again = append(again, r)
	}
	return again
}

// TestPermissionsGiveWhatTheRulesGive compares with Kubernetes' own way of reading a rule, written
// out, for every request that some rules of few words can be about: leaving out what is told
// already takes nothing away.
func TestPermissionsGiveWhatTheRulesGive(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	some := func(words ...string) []string {
		random.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		return slices.Clone(words[:1+random.IntN(2)])
	}
	for range 500 {
		make := func() (rules []rbac.RoleRule) {
			for range 1 + random.IntN(4) {
				r := rbac.RoleRule{APIGroups: some("", "apps", "*"), Resources: some("a", "b",
					"a/x", "*/x", "*"), Verbs: some("get", "list", "*")}
				if random.IntN(2) == 0 {
					r.ResourceNames = some("n", "m", "o")
				}
				rules = append(rules, r)
			}
			return rules
		}
		rules, held := make(), make()
		told := asRules(rbac.Permissions(rules))
		more := asRules(rbac.Beyond(rules, held))
		for _, group := range []string{"", "apps", "else"} {
			for _, resource := range []string{"a", "b", "c", "a/x", "c/x", "c/y"} {
				for _, verb := range []string{"get", "list", "delete"} {
					for _, name := range []string{"n", "m", "other"} {
						given := allow(rules, group, resource, verb, name)
						if given != allow(told, group, resource, verb, name) {
							t.Fatalf("%s %s/%s %s: the rules %+v say %t, the permissions %+v do not",
								verb, group, resource, name, rules, given, told)
						}
						if given && !allow(held, group, resource, verb, name) && !allow(more, group,
							resource, verb, name) {
							t.Fatalf("%s %s/%s %s is beyond %+v, but %+v does not say so", verb,
								group, resource, name, held, more)
						}
					}
				}
			}
		}
	}
}

func asRules(permissions []rbac.Permission) (rules []rbac.RoleRule) {
	for _, p := range permissions {
		rules = append(rules, rbac.RoleRule{APIGroups: []string{p.Group},
			Resources: []string{p.Resource}, ResourceNames: p.Names, Verbs: p.Verbs})
	}
	return rules
}

// allow is https://pkg.go.dev/k8s.io/component-helpers/auth/rbac/validation in one function.
func allow(rules []rbac.RoleRule, group, resource, verb, name string) bool {
	_, sub, _ := strings.Cut(resource, "/")
	has := func(list []string, words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	return slices.ContainsFunc(rules, func(r rbac.RoleRule) bool {
		return has(r.Verbs, verb, "*") && has(r.APIGroups, group, "*") &&
			(len(r.ResourceNames) == 0 || has(r.ResourceNames, name)) &&
			(has(r.Resources, resource, "*") || sub != "" && has(r.Resources, "*/"+sub))
	})
}

func TestManyNamesAreCut(t *testing.T) {
	rule := rbac.RoleRule{APIGroups: []string{""}, Resources: []string{"secrets"},
		Verbs: []string{"get"}}
	for i := range 100 {
		rule.ResourceNames = append(rule.ResourceNames, fmt.Sprintf("secret-%02d", i))
	}
	risks := rbac.Risks([]rbac.RoleRule{rule}, rbac.InNamespace)
	if len(risks) != 1 || len(risks[0].Text) > 200 || !strings.HasSuffix(risks[0].Text,
		`"secret-06", …`) {
		t.Errorf("risks %+v", risks)
	}
	if p := rbac.Permissions([]rbac.RoleRule{rule}); len(p) != 1 || len(p[0].Names) != 100 ||
		!reflect.DeepEqual(p[0].Verbs, rule.Verbs) {
		t.Errorf("permissions %+v", p)
	}
}
