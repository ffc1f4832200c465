package kube

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the control plane of this test process, started by the first test that asks for it.
var shared struct {
	sync.Mutex
	main bool // Main runs, so somebody will stop it
	cp   *ControlPlane
	err  error
}

// Main is the whole TestMain of a package that uses ForTest: it runs the tests and stops the
// control plane after them.
func Main(m *testing.M) {
	shared.main = true
	code := m.Run()
	if shared.cp != nil {
		if err := shared.cp.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// ForTest returns the control plane that all tests of this process share; a test keeps to
// namespaces and names of its own and starts again what it stopped. Without the programs the test
// is skipped, but where CI is set it fails: there a skipped test would be a hole nobody sees.
func ForTest(t testing.TB) *ControlPlane {
	t.Helper()
	if !shared.main {
		t.Fatal("the package's TestMain must call kube.Main")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cp == nil && shared.err == nil {
		shared.cp, shared.err = Start(t.Context(), Options{})
	}
	if errors.Is(shared.err, ErrNotBuilt) && os.Getenv("CI") == "" {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cp
}
