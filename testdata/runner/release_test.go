package runner_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// platform is how a runner on this machine calls it.
func platform() string {
	return map[string]string{"linux": "Linux", "darwin": "macOS"}[runtime.GOOS] + "/" +
		map[string]string{"amd64": "X64", "arm64": "ARM64"}[runtime.GOARCH]
}

// releaseWorld is a world whose action is pinned to the commit of a release; it returns how often
// the binary was fetched.
func releaseWorld(t *testing.T, sum, platform string) (w *world, fetched *int) {
	t.Helper()
	for _, program := range []string{"curl", "sha256sum"} { // every runner of GitHub's has them
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	w, fetched = newWorld(t), new(int)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		*fetched++
		http.ServeFile(out, r, programs.pullgrant)
	}))
	t.Cleanup(server.Close)
	w.source = filepath.Join(w.dir, "release")
	if err := os.CopyFS(w.source, os.DirFS(programs.source)); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("%s %s %s/pullgrant\n", sum, platform, server.URL)
	if err := os.Mkdir(filepath.Join(w.source, "release"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.source, "release", "checksums"), []byte(line),
		0o644); err != nil {
		t.Fatal(err)
	}
	w.open("ask", "Access", map[string]string{requestFile: request("INC-123, checkout is slow")})
	return w, fetched
}

func sum(t *testing.T) string {
	t.Helper()
	needPrograms(t)
	data, err := os.ReadFile(programs.pullgrant)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func (l log) built() bool { return strings.Contains(l.String(), "Run Main Build") }

func TestReleaseIsFetched(t *testing.T) {
	t.Parallel()
	w, fetched := releaseWorld(t, sum(t), platform())
	l := w.pullEvent("opened", "opened")
	w.expect(l, "action_required", "Pending: InsufficientApprovals")
	if *fetched != 1 || l.built() {
		t.Errorf("fetched %d times, built: %t\n%s", *fetched, l.built(), l)
	}
}

func TestReleaseForAnotherPlatformIsBuilt(t *testing.T) {
	t.Parallel()
	w, fetched := releaseWorld(t, sum(t), "Windows/X64")
	l := w.pullEvent("opened", "opened")
	w.expect(l, "action_required", "Pending: InsufficientApprovals")
	if *fetched != 0 || !l.built() {
		t.Errorf("fetched %d times, built: %t\n%s", *fetched, l.built(), l)
	}
}

// A binary that is not the one the pinned commit names is neither run nor replaced by anything
// else.
func TestOtherBinaryThanReleasedIsRefused(t *testing.T) {
	t.Parallel()
	w, fetched := releaseWorld(t, strings.Repeat("0", 64), platform())
	l := w.pullEvent("opened", "opened")
	if l.result() != "failure" || *fetched != 1 || l.built() || len(w.forge.Checks()) != 0 {
		t.Errorf("%s, fetched %d times, built: %t, check runs %v\n%s", l.result(), *fetched,
			l.built(), w.forge.Checks(), l)
	}
}
