package github

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestOneCommentWhateverAnAnswerLacks: the agent's comment is changed in place, and where the list of
// comments lacks what tells which one it is, none is written beside it.
func TestOneCommentWhateverAnAnswerLacks(t *testing.T) {
	for name, take := range map[string]func(comment map[string]any){
		"nothing": func(map[string]any) {},
		"id":      func(c map[string]any) { delete(c, "id") },
		"body":    func(c map[string]any) { c["body"] = nil },
		"user":    func(c map[string]any) { c["user"] = nil },
		"login":   func(c map[string]any) { delete(c["user"].(map[string]any), "login") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n := w.ask()
			const marker, self = "<!-- pullgrant: access -->", "agent[bot]"
			w.client = w.clientOf(w.URL, w.AppToken("agent"))
			_, err := w.client.Comment(t.Context(), n, self, marker, "first")
			w.check(err)
			w.token = w.AppToken("agent")
			client := w.between(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/comments") {
					return false
				}
				whole := httptest.NewRecorder()
				w.ServeHTTP(whole, r)
				var comments []map[string]any
				w.check(json.Unmarshal(whole.Body.Bytes(), &comments))
				take(comments[0])
				w.check(json.NewEncoder(rw).Encode(comments))
				return true
			})
			written, err := client.Comment(t.Context(), n, self, marker, "second")
			if name == "nothing" && (err != nil || !written) {
				t.Errorf("written %v, error %v", written, err)
			}
			if name != "nothing" && (err == nil || !strings.Contains(err.Error(), "lacks a field")) {
				t.Errorf("error %v", err)
			}
			var comments []struct{ Body string }
			w.check(w.Do(w.Token("root"), "GET", "/repos/acme/access/issues/1/comments", nil, &comments))
			if len(comments) != 1 {
				t.Errorf("comments: %q", comments)
			}
		})
	}
}
