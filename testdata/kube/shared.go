package kube

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// pool are the control planes of this test process. Each is started by a test that finds no other
// one free.
var pool struct {
	sync.Mutex
	main bool                     // Main runs, so somebody will stop them
	all  []*ControlPlane          // that were started
	free []*ControlPlane          // that no test has
	held map[string]*ControlPlane // by name of a test that is not over
}

// beside is how many tests run beside each other: most of what they do is to wait for others.
const beside = "4"

// Main is the whole TestMain of a package that uses ForTest: it runs the tests and stops the
// control planes after them.
func Main(m *testing.M) {
	pool.main, pool.held = true, map[string]*ControlPlane{}
	if err := flag.Set("test.parallel", beside); err != nil { // what is given to go test comes after it
		panic(err)
	}
	code := m.Run()
	for _, cp := range pool.all {
		if err := cp.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// ForTest returns the control plane that a test and its subtests have for themselves until it is
// over; others had it before. A test keeps to namespaces and names of its own and starts again what
// it stopped. Without the programs the test is skipped, but where CI is set it fails: there a
// skipped test would be a hole nobody sees.
func ForTest(t testing.TB) *ControlPlane {
	t.Helper()
	if cp := holder(t); cp != nil {
		return cp
	}
	cp, err := take(context.WithoutCancel(t.Context()))
	if errors.Is(err, ErrNotBuilt) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	pool.Lock()
	defer pool.Unlock()
	pool.held[t.Name()] = cp
	t.Cleanup(func() {
		pool.Lock()
		defer pool.Unlock()
		delete(pool.held, t.Name())
		pool.free = append(pool.free, cp)
	})
	return cp
}

// Beside has a test run beside others that have other control planes, unless it has one already.
func Beside(t *testing.T) {
	t.Helper()
	if holder(t) == nil {
		t.Parallel()
	}
}

// holder is the control plane that a test or one of those that it is a part of has; nil when none
// has one.
func holder(t testing.TB) *ControlPlane {
	t.Helper()
	pool.Lock()
	defer pool.Unlock()
	if !pool.main {
		t.Fatal("the package's TestMain must call kube.Main")
	}
	for name := t.Name(); name != ""; {
		if cp := pool.held[name]; cp != nil {
			return cp
		}
		name = name[:max(strings.LastIndex(name, "/"), 0)]
	}
	return nil
}

// take takes a free control plane, or starts another one.
func take(ctx context.Context) (*ControlPlane, error) {
	pool.Lock()
	if n := len(pool.free); n > 0 {
		defer pool.Unlock()
		cp := pool.free[n-1]
		pool.free = pool.free[:n-1]
		return cp, nil
	}
	pool.Unlock()
	cp, err := Start(ctx, Options{})
	if err != nil {
		return nil, err
	}
	pool.Lock()
	defer pool.Unlock()
	pool.all = append(pool.all, cp)
	return cp, nil
}
