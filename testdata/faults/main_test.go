package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/pipeline"
)

// planes is how many tests run at a time, each with a control plane to itself: an agent has its
// Lease for the whole cluster, and most of a test is waiting.
const planes = 4

// binary is the program under test.
var binary string

// idle are the control planes that no test has; nil is one that is not started yet.
var idle = make(chan *kube.ControlPlane, planes)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		var err error
		if binary, err = pipeline.Build(); err == nil {
			err = flag.Set("test.parallel", strconv.Itoa(planes))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(filepath.Dir(binary))
		for range planes {
			idle <- nil
		}
		defer func() {
			for range planes {
				if cp := <-idle; cp != nil {
					if err := cp.Stop(); err != nil {
						fmt.Fprintln(os.Stderr, "stopping a control plane:", err)
					}
				}
			}
		}()
		return m.Run()
	}())
}

// takeControlPlane gives the test a control plane to itself, all of which runs, until it ends.
func takeControlPlane(t testing.TB) *kube.ControlPlane {
	t.Helper()
	cp := <-idle
	var err error
	if cp == nil {
		cp, err = kube.Start(t.Context(), kube.Options{})
	}
	t.Cleanup(func() { idle <- cp })
	if errors.Is(err, kube.ErrNotBuilt) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err == nil {
		err = repair(t.Context(), cp)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cp
}

// repair starts what an earlier test left broken.
func repair(ctx context.Context, cp *kube.ControlPlane) error {
	for _, c := range []*kube.Component{cp.Etcd, cp.APIServer, cp.ControllerManager} {
		if !c.Running() {
			if err := c.Start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
