package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/sshkey"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pullgrant": main, "kubectl-pullgrant": main,
		"gh-pullgrant": main, "kubectl_complete-pullgrant": main,
		"ssh-keygen": sshkey.Main})
}

// TestScripts runs every session under testdata/script against the real program, each command in a
// process of its own.
func TestScripts(t *testing.T) {
	var files []string
	err := filepath.WalkDir("../../testdata/script", func(path string, entry fs.DirEntry,
		err error) error {
		switch {
		case err != nil || entry.IsDir():
		case filepath.Ext(path) == ".txtar":
			files = append(files, path)
		default:
			t.Errorf("%s would never run: a session is a .txtar file", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("testdata/script holds no sessions")
	}
	runScripts(t, files...)
}

func runScripts(t *testing.T, files ...string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC") // until the script says otherwise
			s := &session{}
			env.Values[session{}] = s
			env.Defer(func() { s.close(t) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "forge": startForge, "as": as, "app": asApp, "review": review,
			"merge": merge, "get": get, "fails": fails,
			"push": push, "open": open, "comment": comment, "cluster": startCluster, "prints": prints,
			"awaits":    awaits,
			"configure": configure, "described": described,
			"draw": draw, "see": see, "press": press, "screen": screenIs, "ends": ends,
			"shows":    shows,
			"coloured": coloured,
		},
	})
}

// startCluster has kubectl and what follows speak to a new cluster, as its administrator: cluster.
// The file kubeconfig-alice is alice's.
func startCluster(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: cluster")
	}
	cp, err := kube.Start(context.Background(), kube.Options{})
	ts.Check(err)
	ts.Defer(func() { ts.Check(cp.Stop()) })
	ts.Check(cp.Kubeconfig(ts.MkAbs("kubeconfig"), cp.Admin()))
	ts.Check(cp.Kubeconfig(ts.MkAbs("kubeconfig-alice"), cp.User("alice@example.com")))
	ts.Setenv("KUBECONFIG", ts.MkAbs("kubeconfig"))
	ts.Setenv("KUBECTL", cp.Kubectl)
}

// exits runs a program and compares its exit code: exits CODE PROGRAM ARGUMENTS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENTS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// awaits waits until a line that another program writes to a file matches: awaits PATTERN FILE.
func awaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaits PATTERN FILE")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		switch {
		case err == nil && pattern.Match(text):
			return
		case time.Now().After(deadline):
			ts.Fatalf("%s has nothing like %q: %v\n%s", args[1], args[0], err, text)
		}
	}
}
