package simulation

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
)

// comment is one that a process wrote on a pull request.
type comment struct {
	cluster, process string
	pull             int
	id               int64
	text             string
}

// commented enters into the history a comment that a call made or changed.
func (h *hub) commented(n *wire, r *http.Request, said *httptest.ResponseRecorder) {
	_, on, found := strings.Cut(r.URL.Path, "/issues/")
	if !found || !strings.Contains(on, "comments") || said.Code >= http.StatusBadRequest {
		return
	}
	var is struct {
		ID       int64  `json:"id"`
		IssueURL string `json:"issue_url"`
		Body     string `json:"body"`
	}
	if err := json.Unmarshal(said.Body.Bytes(), &is); err != nil {
		panic(err)
	}
	pull, err := strconv.Atoi(path.Base(is.IssueURL))
	if err != nil {
		panic(err)
	}
	h.w.note("%s says on #%d: %.60q", n.process, pull, is.Body)
	h.w.add(event{comment: &comment{cluster: n.site.name, process: n.process, pull: pull, id: is.ID,
		text: is.Body}})
}
