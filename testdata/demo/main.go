// Command demo shows the main job on real parts: a GitHub on loopback, a real Kubernetes control
// plane, and the pullgrant binary as requester, Action and agent. It prints the ten steps from a
// file to a revocation with what was really observed, and exits non-zero when one was not. With -up
// it leaves everything running to be tried by hand, with -rights it lists before what Kubernetes lets
// the agent do.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// lag is how late this GitHub is to tell what happened, as the real one can be.
const lag = 3 * time.Second

func main() {
	up := flag.Bool("up", false, "leave forge, cluster and agent running until Ctrl-C")
	rights := flag.Bool("rights", false, "list first what Kubernetes lets the agent do")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	binary, err := filepath.Abs("bin/pullgrant")
	if err == nil {
		err = run(ctx, binary, *up, *rights)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, up, rights bool) (err error) {
	s, err := start(ctx, binary, forge.Lagging(lag))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.tail()
		}
		s.stop()
	}()
	if err := s.startAgent("--poll", "1s"); err != nil {
		return err
	}
	if up {
		return s.byHand(ctx)
	}
	if rights {
		if err := s.rights(ctx); err != nil {
			return err
		}
	}
	if err := s.show(ctx); err != nil {
		return err
	}
	fmt.Println("\nAll ten steps and both other kinds were observed. To try it by hand: make demo-up. What " +
		"the agent\nmay do in the cluster, as Kubernetes says it: make demo rights=1")
	return nil
}
