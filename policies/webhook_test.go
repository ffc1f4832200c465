package policies_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// FuzzWebhookResponse reads whatever a check answers: it never panics, and only an answer that says so in
// its own words, about this question, is a yes.
func FuzzWebhookResponse(f *testing.F) {
	const yes = `{"apiVersion":"pullgrant.dev/v1alpha1","kind":"WebhookResponse","id":"msg_1","decision":"allowed"}`
	for _, text := range []string{yes, strings.Replace(yes, "allowed", "denied", 1),
		strings.Replace(yes, "allowed", "pending", 1), strings.Replace(yes, "msg_1", "msg_2", 1),
		strings.Replace(yes, "{", `{"text":"\u0000\ud800",`, 1), strings.Replace(yes, "{", `{"decision":"denied",`, 1),
		yes + yes, "[" + yes + "]", "null", "", "{", `{"id":1e999}`} {
		f.Add([]byte(text))
	}
	question := policies.WebhookRequest{ID: "msg_1"}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := question.Answered(data)
		if err != nil {
			if r != (policies.Reply{}) {
				t.Fatalf("%v, and yet %+v", err, r)
			}
			return
		}
		var said map[string]any
		if err := json.Unmarshal(data, &said); err != nil {
			t.Fatalf("%q was read: %v", data, err)
		}
		want := map[policies.Verdict]string{policies.Yes: "allowed", policies.No: "denied",
			policies.Waiting: "pending"}[r.Verdict]
		if said["id"] != "msg_1" || said["decision"] != want || said["apiVersion"] != requests.APIVersion ||
			said["kind"] != policies.KindWebhookResponse {
			t.Fatalf("%q became %+v", data, r)
		}
	})
}

// TestWebhookOfThePullRequestItself (R89): whom a pull request itself would have asked, nobody asks:
// neither a request that brings a policy along, nor a change of one.
func TestWebhookOfThePullRequestItself(t *testing.T) {
	c := scenarios(t)["approval/allow_webhook"]
	path := policies.Path("payments-debug")
	asked := func(f policies.Facts) (urls []string) {
		for _, a := range policies.Inquiries(f) {
			urls = append(urls, a.Challenge.URL)
		}
		return urls
	}
	if urls := asked(c.Facts); len(urls) != 1 || urls[0] != "https://checks.example.com/access" {
		t.Fatalf("asked are %v", urls)
	}
	policy := strings.Replace(c.Facts.Base.Files[path].Content, "checks.example.com", "evil.example.com", 1)
	own := cases.Copy(t, c.Facts)
	own.Head.Files[path] = policies.NewTreeFile(policies.PlainFile, "e0e0", []byte(policy), int64(len(policy)))
	if urls := asked(own); len(urls) != 1 || urls[0] != "https://checks.example.com/access" {
		t.Errorf("by the head's own policy: asked are %v", urls)
	}
	both := cases.Copy(t, own)
	both.Files = append(both.Files, policies.File{Path: path, Status: "modified"})
	if urls := asked(both); len(urls) != 0 {
		t.Errorf("a request that changes a policy: asked are %v", urls)
	}
	change := cases.Copy(t, own)
	change.Files = []policies.File{{Path: path, Status: "modified"}}
	if urls := asked(change); len(urls) != 0 {
		t.Errorf("a change: asked are %v", urls)
	}
}

// TestAskedAfterTheMerge (R91): whoever is asked knows whether it is merged, when no is for good.
func TestAskedAfterTheMerge(t *testing.T) {
	for name, want := range map[string]bool{"approval/allow_webhook": false, "merged/allow_webhook": true} {
		all := policies.Inquiries(scenarios(t)[name].Facts)
		if len(all) == 0 || all[0].Merged != want {
			t.Errorf("%s: asked is %+v, want merged %t", name, all, want)
		}
	}
}
