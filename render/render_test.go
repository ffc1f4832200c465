package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

var update = flag.Bool("update", false, "write the results into the scenario files")

// Each scenario is a grant and the YAML it renders to, or the error.
func TestScenarios(t *testing.T) {
	count := 0
	err := filepath.WalkDir("../testdata/render", func(file string, entry fs.DirEntry,
		err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		count++
		t.Run(strings.TrimSuffix(entry.Name(), ".txtar"), func(t *testing.T) { scenario(t, file) })
		return nil
	})
	if err != nil || count == 0 {
		t.Fatalf("%d scenarios, %v", count, err)
	}
}

func scenario(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil || len(archive.Files) != 2 || archive.Files[0].Name != "grant.json" {
		t.Fatalf("%s holds %d files, %v; want grant.json and objects.yaml or error", file,
			len(archive.Files), err)
	}
	var grant requests.Grant
	decoder := json.NewDecoder(bytes.NewReader(archive.Files[0].Data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&grant); err != nil {
		t.Fatal(err)
	}
	got := txtar.File{Name: "objects.yaml"}
	if objects, err := render.Render(grant); err != nil {
		got = txtar.File{Name: "error", Data: []byte(err.Error() + "\n")}
	} else {
		got.Data = render.YAML(objects)
	}
	want := &archive.Files[1]
	if got.Name == want.Name && bytes.Equal(got.Data, want.Data) {
		return
	}
	if !*update {
		t.Fatalf("%s: got %s\n%s\nwant %s\n%s", file, got.Name, got.Data, want.Name, want.Data)
	}
	*want = got
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// liveGrant is a valid grant with texts that readers of YAML like to take for something else.
func liveGrant(login, namespace, role, subject string, bindings int) requests.Grant {
	name := "20261122-" + requests.NamePart(login) + "-inc-1"
	g := requests.Grant{
		Name: name, Path: requests.Path(namespace, namespace, name), Cluster: namespace,
		Policy: namespace, Requester: login,
		Subject:  requests.Subject{Kind: requests.KindUser, Name: subject},
		Duration: requests.Duration(time.Hour),
		Window: requests.NewWindow(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
			requests.Duration(time.Hour)),
		Evidence: requests.Evidence{Source: requests.EvidenceGitHub, PullRequest: 7,
			MergeCommit: strings.Repeat("1", 38) + "e9"},
	}
	for i := range bindings {
		g.Items = append(g.Items, requests.Item{Kind: requests.KubernetesRoleBinding,
			Name: requests.ObjectName(name, i), Namespace: namespace,
			Role: requests.Role{Kind: requests.KindClusterRole, Name: role}})
	}
	return g
}

// typed spells out the objects of a liveGrant.
func typed(g requests.Grant) []render.Object {
	var objects []render.Object
	for _, b := range g.Items {
		objects = append(objects, &rbacv1.RoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1",
				Kind: "RoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: b.Name, Namespace: b.Namespace,
				Labels: map[string]string{
					"app.kubernetes.io/managed-by": "pullgrant",
					"pullgrant.dev/request":        requests.LabelValue(g.Name),
					"pullgrant.dev/cluster":        g.Cluster,
				},
				Annotations: map[string]string{
					"pullgrant.dev/granted-at":   "2026-11-22T08:00:00Z",
					"pullgrant.dev/expires-at":   "2026-11-22T09:00:00Z",
					"pullgrant.dev/commit":       g.Evidence.MergeCommit,
					"pullgrant.dev/path":         g.Path,
					"pullgrant.dev/pull-request": "7",
					"pullgrant.dev/requester":    g.Requester,
				}},
			Subjects: []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User",
				Name: g.Subject.Name}},
			RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole",
				Name: b.Role.Name},
		})
	}
	return objects
}

// sameAsTyped renders g, compares with the typed objects, and reads the YAML back with the same
// comparison.
func sameAsTyped(t testing.TB, g requests.Grant) {
	t.Helper()
	objects, err := render.Render(g)
	if err != nil {
		t.Fatal(err)
	}
	want := typed(g)
	if !reflect.DeepEqual(objects, want) {
		t.Fatalf("got  %+v\nwant %+v", objects, want)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(render.YAML(objects)))
	for i := range want {
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var read rbacv1.RoleBinding
		if err := json.Unmarshal(data, &read); err != nil || !reflect.DeepEqual(&read, want[i]) {
			t.Fatalf("YAML reads back as %+v, %v", read, err)
		}
	}
}

// words are names that YAML 1.1 or 1.2 readers take for truth values, nothing, numbers or times
// when they are not quoted.
var words = []string{"n", "y", "on", "off", "no", "yes", "true", "false", "null", "1e3", "0x1f",
	"0b1", "0o7", "123",
	"2026-11-22", "1-1", "0", "inf", "nan"}

func TestWordsStayText(t *testing.T) {
	for _, word := range words {
		t.Run(word, func(t *testing.T) { sameAsTyped(t, liveGrant(word, word, word, word, 1)) })
	}
	for _, subject := range append([]string{"~", "NULL", "Yes", "0X1F", ".inf", ".NaN", "=", "<<",
		"-", "?", "|", ">", "!!str", "&a",
		"*a", "{}", "[]", "#", "a#b", "a:", ":", "'", `"`, `\`, `\n`, "%YAML", "@", "`", "$(x)",
		"{{.}}", "1:30", "1_000"}, words...) {
		t.Run("subject "+subject, func(t *testing.T) {
			sameAsTyped(t, liveGrant("alice", "payments",
				"debug", subject, 1))
		})
	}
}

// YAML 1.1 readers, and people, must see text where text is.
func TestYAMLQuotesOldTruthValues(t *testing.T) {
	objects, err := render.Render(liveGrant("on", "n", "y", "no", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`namespace: "n"`, `name: "y"`, `name: "no"`, `requester: "on"`} {
		if !bytes.Contains(render.YAML(objects), []byte(line)) {
			t.Errorf("no %s in\n%s", line, render.YAML(objects))
		}
	}
}

func TestRenderConcurrently(t *testing.T) {
	want := render.YAML(typed(liveGrant("alice", "payments", "debug", "alice@example.com", 3)))
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 40 {
				word := fmt.Sprintf("u%d", i)
				if _, err := render.Render(liveGrant(word, word, word, word, 1)); err != nil {
					t.Error(err)
				}
				objects, err := render.Render(liveGrant("alice", "payments", "debug",
					"alice@example.com", 3))
				if err != nil || !bytes.Equal(render.YAML(objects), want) {
					t.Errorf("another result: %v\n%s", err, render.YAML(objects))
				}
			}
		})
	}
	wait.Wait()
}

// FuzzRender: every grant whose names are in form renders, and to nothing but what it says.
func FuzzRender(f *testing.F) {
	f.Add("alice", "payments", "payments-debug", "alice@example.com", 2)
	for _, word := range words {
		f.Add(word, word, word, word, 1)
	}
	f.Add("A_b", "x", "a:b.c_d", "oidc:alice#*&{}%", 12)
	f.Fuzz(func(t *testing.T, login, namespace, role, subject string, bindings int) {
		if requests.CheckLogin(login) != "" || requests.CheckName(namespace) != "" ||
			requests.CheckRole(role) != "" ||
			requests.CheckSubject(subject) != "" || bindings < 1 || bindings > 20 {
			t.Skip()
		}
		g := liveGrant(login, namespace, role, subject, bindings)
		if requests.CheckRequestName(g.Name, login) != "" || strings.HasPrefix(namespace,
			"kube-") ||
			namespace == "pullgrant-system" || strings.HasPrefix(role, "system:") {
			if _, err := render.Render(g); err == nil {
				t.Fatalf("rendered %+v", g)
			}
			return
		}
		sameAsTyped(t, g)
	})
}

func BenchmarkRender(b *testing.B) {
	for _, bindings := range []int{1, 5} {
		g := liveGrant("alice", "payments", "payments-debug", "alice@example.com", bindings)
		b.Run(fmt.Sprintf("bindings=%d", bindings), func(b *testing.B) {
			for b.Loop() {
				if _, err := render.Render(g); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestBackstopIsNeverEarly: the TTL is in whole seconds, and rounded up; only an open window has a
// Job.
func TestBackstopIsNeverEarly(t *testing.T) {
	start := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	g := grants.Of("a", 1, 1)
	g.Window = requests.NewWindow(start, requests.Duration(time.Minute))
	grace := int32(render.Grace / time.Second)
	for after, want := range map[time.Duration]int32{0: 60, 1: 60, time.Second: 59,
		time.Minute - 1: 1} {
		job, err := render.Backstop(g, g.Items[0].Namespace, start.Add(after))
		if err != nil || *job.Spec.TTLSecondsAfterFinished != want+grace {
			t.Errorf("%s after the start: %v, %v, want %d", after, job.Spec.TTLSecondsAfterFinished,
				err, want+grace)
		}
	}
	if _, err := render.Backstop(g, g.Items[0].Namespace, start.Add(time.Minute)); err == nil {
		t.Error("a Job for a window that is over")
	}
}
