package kube

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakePrograms is a folder whose programs all run the same shell script.
func fakePrograms(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script),
			0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestStartWithoutPrograms(t *testing.T) {
	_, err := Start(t.Context(), Options{Bin: []string{t.TempDir()}})
	if !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "run `make test`") ||
		!strings.Contains(err.Error(), "no etcd in") {
		t.Errorf("%v, want ErrNotBuilt with what to do and what is missing", err)
	}
}

func TestStartShowsTheLogOfWhatFailed(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	_, err := Start(t.Context(), Options{Bin: []string{fakePrograms(t,
		"echo disk is full >&2; exit 7")}})
	if err == nil || !strings.Contains(err.Error(), "starting etcd: it ended: exit status 7") ||
		!strings.Contains(err.Error(), "disk is full") {
		t.Errorf("%v, want the exit and the log of etcd", err)
	}
	left, _ := os.ReadDir(temporary)
	if slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name() != portLocks }) {
		t.Errorf("left behind: %v", left)
	}
}
