package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies"
)

// TestAuthorized: only what the cluster plainly allows, on a role that exists, is a yes; an authorizer
// that could not tell says nothing.
func TestAuthorized(t *testing.T) {
	const role, denied = 404, 403
	for name, c := range map[string]struct {
		refuse int    // with that status: the role is missing, the question is forbidden, or all is broken
		status string // of the review
		whole  string // what is answered instead of one
		yes    bool
		err    string
	}{
		"allowed":           {status: `{"allowed": true}`, yes: true},
		"not allowed":       {status: `{"allowed": false, "reason": "no rule"}`},
		"denied as well":    {status: `{"allowed": true, "denied": true}`},
		"allowed in doubt":  {status: `{"allowed": true, "evaluationError": "a webhook is down"}`, yes: true},
		"nothing but doubt": {status: `{"evaluationError": "a webhook is down"}`, err: "a webhook is down"},
		"no role":           {refuse: role, status: `{"allowed": true}`},
		"it may not ask":    {refuse: denied, err: "apply what pullgrant install prints"},
		"garbage":           {whole: "<html>allowed</html>", err: "invalid character '<'"},
		"nothing":           {whole: " ", err: "asking whether alice may sudo ClusterRole view"},
		"cut short":         {whole: `{"kind": "SubjectAccessReview", "status": {"allowed": true`, err: "unexpected"},
		"another kind":      {whole: `{"kind": "Status", "apiVersion": "v1", "status": "Success"}`},
		"too much": {whole: `{"status": {"allowed": true, "reason": "` + strings.Repeat("x", 10<<20),
			err: "asking whether alice may sudo ClusterRole view"},
		"the cluster breaks": {refuse: 500, err: "asking whether alice may sudo ClusterRole view"},
	} {
		var asked authorizationv1.SubjectAccessReviewSpec
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			looks := r.Method == http.MethodGet
			switch {
			case c.refuse != 0 && looks == (c.refuse == role):
				w.WriteHeader(c.refuse)
				fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": %d,
					"reason": %q}`, c.refuse, map[int]string{role: "NotFound", denied: "Forbidden",
					500: "InternalError"}[c.refuse])
			case looks:
				fmt.Fprint(w, `{"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1",
					"metadata": {"name": "view"}}`)
			default:
				var review authorizationv1.SubjectAccessReview
				if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
					t.Error(err)
				}
				if asked = review.Spec; c.whole != "" {
					fmt.Fprint(w, c.whole)
					return
				}
				fmt.Fprintf(w, `{"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
					"status": %s}`, c.status)
			}
		}))
		cluster, err := NewCluster(&rest.Config{Host: server.URL,
			ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, "prod-eu", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		yes, err := cluster.Authorized(t.Context(), policies.AccessReview{User: "alice",
			Groups: []string{"oncall"}, Verb: "sudo", Role: "view", Namespace: "payments"})
		server.Close()
		if yes != c.yes || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(),
			c.err) {
			t.Errorf("%s: %t, %v", name, yes, err)
		}
		if c.refuse != 0 {
			continue
		}
		if on := asked.ResourceAttributes; asked.User != "alice" || !slices.Equal(asked.Groups,
			[]string{"system:authenticated", "oncall"}) || *on != (authorizationv1.ResourceAttributes{
			Namespace: "payments", Verb: "sudo", Group: "rbac.authorization.k8s.io", Version: "v1",
			Resource: "clusterroles", Name: "view"}) {
			t.Errorf("%s: asked %+v of %+v", name, on, asked)
		}
	}
}
