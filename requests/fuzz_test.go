package requests_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

const (
	fuzzPath    = "requests/prod-eu/payments-debug/20261123-alice-inc-123.yaml"
	fuzzRequest = `apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata:
  name: 20261123-alice-inc-123
spec:
  cluster: prod-eu
  policy: payments-debug
  requester: alice
  subject: {kind: User, name: alice@example.com}
  namespace: payments
  duration: 1h
  reason: "INC-123: checkout is slow"
`
)

// FuzzParseRequest reads whatever bytes: findings lie within the file, and what is accepted means
// the same after it was written and read again, as YAML and as JSON.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(fuzzRequest))
	for _, odd := range []string{"\ufeff", "\t", "---\n---\n", "a: &a [*a]\n", "%YAML 1.1\n---\n",
		"<<: {}\n", "? [a]\n: b\n", "!!binary aGk=\n",
		"spec: |\n  x\n", "- - - -\n", "{{{{", "key: \"\\u202e\"\n", "\u2028", "a: b\u0085c: d\n"} {
		f.Add([]byte(odd))
		f.Add([]byte(fuzzRequest + odd))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		request, found := requests.ParseRequest(fuzzPath, data)
		if findings.Within(t, data, found); len(found) > 0 {
			return
		}
		text, err := request.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, found := requests.ParseRequest(fuzzPath, text)
		if len(found) > 0 || !reflect.DeepEqual(again, request) {
			t.Fatalf("%+v was written as\n%s\nand read as %+v, %v", request, text, again, found)
		}
		text, err = json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		var decoded requests.AccessRequest
		if err := json.Unmarshal(text, &decoded); err != nil ||
			!reflect.DeepEqual(decoded, request) {
			t.Fatalf("%+v was written as\n%s\nand read as %+v, %v", request, text, decoded, err)
		}
	})
}

// FuzzSplitPath: a path is read as a request's or a ledger entry's only if it is exactly what Path
// or RevocationPath writes.
func FuzzSplitPath(f *testing.F) {
	f.Add(fuzzPath)
	f.Add("revocations/prod-eu/20261123/20261123-alice-inc-123.yaml")
	f.Add("requests/../policies/20261123-a-b.yaml")
	f.Add("requests//x/20261123-a-b.yaml")
	f.Fuzz(func(t *testing.T, path string) {
		if p, ok := requests.SplitPath(path); ok && requests.Path(p.Cluster, p.Policy,
			p.Name) != path {
			t.Errorf("%q is read as %+v", path, p)
		}
		if p, ok := requests.SplitRevocationPath(path); ok && requests.RevocationPath(p.Cluster,
			p.Name) != path {
			t.Errorf("%q is read as %+v", path, p)
		}
	})
}

// FuzzName: a name is what its pattern, which the schemas show, says.
func FuzzName(f *testing.F) {
	pattern := regexp.MustCompile(requests.NamePattern)
	for _, s := range []string{"", "a", "-", "a-", "-a", "a-b", "a_b", "A", "é", "a\n",
		strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if fits := requests.CheckName(s) == ""; fits != pattern.MatchString(s) {
			t.Errorf("%q is taken for a name: %t", s, fits)
		}
	})
}

// FuzzDuration: what is accepted is whole minutes within bounds, and is written as something that
// reads the same.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1m", "90m", "9999h", "0h", "-1h", "+1h", "1h1h", "1ns", "99999h",
		"1d", "1.5h", "٣h", "1H"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := requests.ParseDuration(s)
		if err != nil {
			return
		}
		if d < requests.Duration(time.Minute) || d > requests.Duration(9999*time.Hour) ||
			time.Duration(d)%time.Minute != 0 {
			t.Errorf("%q is %d", s, d)
		}
		if again, err := requests.ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%q is written as %s and read as %s, %v", s, d, again, err)
		}
	})
}

// FuzzParseRevocation is FuzzParseRequest for the ledger.
func FuzzParseRevocation(f *testing.F) {
	const path = "revocations/prod-eu/20261123/20261123-alice-inc-123.yaml"
	request, _ := requests.ParseRequest(fuzzPath, []byte(fuzzRequest))
	at := requests.At(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
	seed := requests.Revocation{APIVersion: request.APIVersion, Kind: request.Kind,
		Metadata: request.Metadata, Spec: &request.Spec,
		Status: requests.Status{State: requests.StateExpired, Cause: requests.CauseExpired,
			Path: fuzzPath, GrantedAt: &at, RevokedAt: at,
			Evidence: requests.EvidenceGitHub, PullRequest: 7, Approvers: []requests.Approver{
				{Login: "bob", ID: 102, ReviewID: 1, Time: at}}}}
	text, err := seed.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	if _, found := requests.ParseRevocation(path, text); len(found) > 0 {
		f.Fatalf("the seed has found: %v", found)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, found := requests.ParseRevocation(path, data)
		if findings.Within(t, data, found); len(found) > 0 {
			return
		}
		text, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, found := requests.ParseRevocation(path, text); len(found) > 0 ||
			!reflect.DeepEqual(again, r) {
			t.Fatalf("%+v was written as\n%s\nand read as %+v, %v", r, text, again, found)
		}
	})
}
