package kube

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// recorded is the ConfigMap of a grant in a phase, as an agent wrote it on 27 November 2026.
func recorded(t *testing.T, phase plan.Phase) *corev1.ConfigMap {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "records",
		string(phase)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	m := &corev1.ConfigMap{}
	if err := json.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRecordsOfEarlierAgents: what an agent wrote before it was replaced is read, to the last
// field, and reads the same once it is written again.
func TestRecordsOfEarlierAgents(t *testing.T) {
	for _, phase := range []plan.Phase{plan.Granting, plan.Granted, plan.Ending, plan.Ended} {
		m := recorded(t, phase)
		r, err := readRecord(m)
		if err != nil {
			t.Errorf("%s: %v", phase, err)
			continue
		}
		name := r.Grant.Name
		if r.Phase != phase || requests.ObjectName(name, 0) != m.Name ||
			r.Version != m.ResourceVersion ||
			!strings.Contains(string(r.Request), "metadata: {name: "+name+"}") ||
			len(r.Facts) == 0 ||
			len(r.Roles["payments-debug"]) < 64 {
			t.Errorf("%s: read as %+v", phase, r)
		}
		g := r.Grant
		if g.Requester != "alice" || g.Subject.Name != "alice@example.com" ||
			g.Window.Start.String() != "2026-11-23T12:00:00Z" ||
			g.Window.End.String() != "2026-11-23T13:00:00Z" ||
			time.Duration(g.Duration) != time.Hour ||
			len(g.Items) != 1 ||
			g.Items[0].Role.Name != "payments-debug" || g.Items[0].Namespace != "payments-1" ||
			g.Evidence.PullRequest == 0 ||
			len(g.Evidence.Approvers) != 1 || g.Evidence.Approvers[0].Login != "bob" ||
			len(g.Evidence.Challenges) != 1 {
			t.Errorf("%s: the grant is read as %+v", phase, g)
		}
		if len(r.Objects) != 2 || r.Objects[0].UID == "" || r.Objects[0].Content == "" ||
			r.Objects[1].NamespaceUID == "" ||
			(r.Objects[1].UID != "") != (phase != plan.Granting) {
			t.Errorf("%s: the objects are read as %+v", phase, r.Objects)
		}
		if over := phase == plan.Ending ||
			phase == plan.Ended; over != (r.Cause == requests.CauseRevoked) ||
			(phase == plan.Ended) == r.EndedAt.IsZero() {
			t.Errorf("%s: ended by %q at %s", phase, r.Cause, r.EndedAt)
		}
		written := configMapOf(r)
		if again, err := readRecord(written); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%s: written and read again it is\n%+v\nand was\n%+v, %v", phase,
				again, r, err)
		}
	}
}

// TestRecordWithForeignCause: what somebody writes into a record becomes no trailer of the ledger
// (G8).
func TestRecordWithForeignCause(t *testing.T) {
	for _, field := range []string{"cause", "code"} {
		m := recorded(t, plan.Ended)
		if _, err := readRecord(m); err != nil {
			t.Fatal(err)
		}
		m.Data[field] = "Denied\n\nApproved-by: root (1)"
		if _, err := readRecord(m); err == nil || !strings.Contains(err.Error(),
			"its cause or code is none") {
			t.Errorf("%s: error %v", field, err)
		}
	}
}

// TestRefusedRecordIsReadAgain: the record of a refusal has no window, and outlives a push that did
// not work.
func TestRefusedRecordIsReadAgain(t *testing.T) {
	const name = "20261122-alice-a"
	at := requests.At(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	m := configMapOf(plan.Record{Phase: plan.Ended, Cause: requests.CauseDenied,
		Code:    "NoPullRequest",
		EndedAt: at, Grant: requests.Grant{
			Name: name, Path: requests.Path("prod-eu", "payments-debug", name), Cluster: "prod-eu",
			Policy: "payments-debug"}})
	if _, err := readRecord(m); err != nil {
		t.Error(err)
	}
}

// TestRecordKeepsWhoEndedIt: and a login that is none of a person's does not get into a message.
func TestRecordKeepsWhoEndedIt(t *testing.T) {
	const name = "20261122-alice-a"
	by := requests.Person{Login: "bob", ID: 102, PullRequest: 9}
	for login, want := range map[string]requests.Person{"bob": by,
		"x\nEnded-by: carol": {ID: 102, PullRequest: 9}} {
		m := configMapOf(plan.Record{Phase: plan.Ended, Cause: requests.CauseRevoked,
			EndedBy: requests.Person{Login: login, ID: 102, PullRequest: 9},
			Grant: requests.Grant{Name: name, Cluster: "prod-eu", Policy: "payments-debug",
				Path: requests.Path("prod-eu", "payments-debug", name)},
			EndedAt: requests.At(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))})
		if r, err := readRecord(m); err != nil || r.EndedBy != want {
			t.Errorf("ended by %v, error %v", r.EndedBy, err)
		}
	}
}

// TestRecordWithUses: how a command was used stands in the record with it, and what is no use makes it
// unreadable, as anything else that is none of the agent's.
func TestRecordWithUses(t *testing.T) {
	r, err := readRecord(recorded(t, plan.Granted))
	if err != nil {
		t.Fatal(err)
	}
	r.Uses.Add(requests.Use{AuditID: "a", Time: r.Grant.Window.Start, Code: 101, Allowed: true,
		Command: "run payments/api-1/app date"})
	written := configMapOf(r)
	if again, err := readRecord(written); err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("written and read again it is\n%+v\nand was\n%+v, %v", again, r, err)
	}
	written.Data["uses"] = strings.Replace(written.Data["uses"], " date", `\u001b[2J`, 1)
	if _, err := readRecord(written); err == nil || !strings.Contains(err.Error(), `\x1b[2J`) {
		t.Errorf("what no command is, is read: %v", err)
	}
}
