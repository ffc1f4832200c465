package simulation

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	api "github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync"
	repository "github.com/pullgrant/pullgrant/sync/git"
)

// replica is one process of the agent after the other: each that dies is followed by a new one.
type replica struct {
	*site
	name  string        // and the cluster's
	skew  time.Duration // of its clock
	lives int
}

// keep runs it until stop is closed.
func (p *replica) keep(t *testing.T, stop chan struct{}) {
	for {
		p.lives++
		process := fmt.Sprintf("agent-%s-%d", p.name, p.lives)
		ctx, cancel := context.WithCancel(context.Background())
		n := &wire{site: p.site, account: render.Agent, process: process, kill: cancel}
		agent, err := p.agent(n)
		if err != nil {
			cancel()
			t.Error(err)
			return
		}
		p.w.note("%s starts", process)
		done := make(chan struct{})
		go func() {
			defer close(done)
			err := agent.Run(ctx)
			p.w.note("%s ended: %v", process, err)
		}()
		select {
		case <-done:
		case <-stop:
			n.crash("all is over")
			<-done
			return
		}
		cancel()
		select {
		case <-time.After(p.w.span(time.Second, 3*time.Minute, "restart of "+process)):
		case <-stop:
			return
		}
	}
}

// agent is a new process.
func (p *replica) agent(n *wire) (*sync.Agent, error) {
	w := p.w
	clock := func() time.Time { return time.Now().Add(p.skew) }
	repo, err := repository.NewRepository(w.forge.CloneURL(), "main", func(context.Context) (
		string, string, error) {
		return "x-access-token", w.forge.AppToken("agent"), nil
	}, &http.Client{Transport: n})
	if err != nil {
		return nil, err
	}
	pauses := 0
	repo.Random(func(most time.Duration) time.Duration {
		pauses++
		return w.span(0, most, fmt.Sprintf("pause %d of %s", pauses, n.process))
	})
	hub, err := api.New(api.Config{APIURL: w.forge.URL, Owner: "acme", Repo: "access",
		CheckApp: 7001, Clock: clock, Transport: n,
		Token: func(context.Context) (string, error) { return w.forge.AppToken("agent"), nil }})
	if err != nil {
		return nil, err
	}
	return sync.NewAgent(sync.Config{Cluster: p.site.name, Identity: n.process, Repository: repo,
		GitHub: hub, Poll: 10 * time.Second, Clock: clock, Version: "v1.2.3",
		Kubernetes: &rest.Config{Host: "http://" + p.host(), Transport: n,
			ContentConfig: rest.ContentConfig{ContentType: "application/json",
				AcceptContentTypes: "application/json"}},
		Logger: slog.New(slog.NewTextHandler(logged{w, n.process}, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}}))})
}

// logs stands in the trace between a process and what it logs.
const logs = " logs: "

// logged is where a process logs to.
type logged struct {
	w       *world
	process string
}

func (l logged) Write(p []byte) (int, error) {
	line := string(bytes.TrimSpace(p))
	l.w.note("%s"+logs+"%s", l.process, line)
	l.w.add(event{log: line})
	return len(p), nil
}
