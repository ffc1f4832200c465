package sync

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/sync/ledger"
)

// loose has every object of a clone in a file of its own, and lists these.
func (s *stage) loose(dir string) (files []string) {
	s.Helper()
	store := filepath.Join(dir, ".git", "objects")
	packs, err := filepath.Glob(filepath.Join(store, "pack", "*.pack"))
	s.Must(err)
	for i, pack := range packs {
		aside := filepath.Join(s.TempDir(), fmt.Sprint(i))
		s.Must(os.Rename(pack, aside))
		data, err := os.Open(aside)
		s.Must(err)
		unpack := exec.Command("git", "unpack-objects", "-q")
		unpack.Dir, unpack.Stdin = dir, data
		out, err := unpack.CombinedOutput()
		data.Close()
		if err != nil {
			s.Fatalf("%v: %s", err, out)
		}
	}
	s.Must(os.RemoveAll(filepath.Join(store, "pack")))
	s.Must(os.RemoveAll(filepath.Join(dir, ".git", "packed-refs.lock")))
	s.Must(filepath.WalkDir(store, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && len(filepath.Base(filepath.Dir(path))) == 2 {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// TestVerifyLacksOneObject: whichever object a clone lacks, an audit finds what it would have
// found, or ends with an error that says what to clone.
func TestVerifyLacksOneObject(t *testing.T) {
	l := newLedger(t)
	dir := l.clone()
	audit := func() (string, error) {
		accounts, findings, err := ledger.Verify(t.Context(), dir, l.signers, nil, l.Clock(), beside)
		if err != nil {
			return "", err
		}
		said := fmt.Sprint(findings)
		for _, a := range accounts {
			facts, found, err := a.Facts()
			if err != nil {
				return "", err
			}
			said += fmt.Sprintf("\n%s %s %v %v", a.Path, a.Proof, facts != nil, found)
		}
		tree, err := ledger.TreeAt(dir, "HEAD")
		return fmt.Sprintf("%s\n%v", said, tree), err
	}
	files := l.loose(dir)
	right, err := audit()
	l.Must(err)
	needed := 0
	for _, file := range files {
		l.Must(os.Rename(file, file+"-away"))
		said, err := audit()
		switch {
		case err == nil && said != right:
			t.Errorf("without %s:\n%s\nwith it:\n%s", file, said, right)
		case err != nil && !strings.Contains(err.Error(), "git fetch --unshallow") &&
			!strings.Contains(err.Error(), "without --depth and --filter") &&
			!strings.Contains(err.Error(), dir):
			t.Errorf("without %s: %v", file, err)
		case err != nil:
			needed++
		}
		l.Must(os.Rename(file+"-away", file))
	}
	if needed < 20 {
		t.Errorf("%d of %d objects are needed", needed, len(files))
	}
}
