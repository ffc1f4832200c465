package simulation

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	gosync "sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	api "github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync"
	"github.com/pullgrant/pullgrant/sync/expiry"
	repository "github.com/pullgrant/pullgrant/sync/git"
)

// program is what processes have in common that run the same.
type program struct {
	name    string        // with which theirs begin
	account string        // ServiceAccount
	pause   time.Duration // the longest one before the next process
	// start makes a new process of a replica, which runs until its context ends.
	start func(p *replica, n *wire) (runs, error)
}

// runs is a process at work.
type runs func(context.Context) error

// restart is how long Kubernetes takes at most until one follows that died.
const restart = 3 * time.Minute

var (
	agents = program{"agent", render.Agent, restart, func(p *replica, n *wire) (runs, error) {
		agent, err := p.agent(n)
		if err != nil {
			return nil, err
		}
		return agent.Run, nil
	}}
	// passes are agents that end after one pass, which a cron job starts beside the others.
	passes = program{"pass", render.Agent, 6 * time.Minute, func(p *replica, n *wire) (runs, error) {
		agent, err := p.agent(n)
		if err != nil {
			return nil, err
		}
		return agent.Once, nil
	}}
	expirers = program{"expirer", render.Expirer, restart, func(p *replica, n *wire) (runs, error) {
		expirer, err := expiry.NewProcess(expiry.Config{Cluster: p.site.name, Kubernetes: n.kubernetes(),
			Clock: p.clock, Version: version1, Logger: n.logger(), Listener: n.port})
		if err != nil {
			return nil, err
		}
		return expirer.Run, nil
	}}
)

// replica is one process of a program after the other: each that ends is followed by a new one.
type replica struct {
	*site
	program
	name  string        // and the cluster's
	skew  time.Duration // of its clock, but for what happens to that
	watch clock
	lives int
	term  chan struct{} // has an element when the process is asked to end

	mu     gosync.Mutex
	wanted chan struct{} // closed while one is to run
	now    *wire         // of the process that there is, or was last
}

// grace is how long a process that is asked to end has for it, as Kubernetes has it.
const grace = 30 * time.Second

// keep runs it until stop is closed.
func (p *replica) keep(t *testing.T, stop chan struct{}) {
	for {
		select {
		case <-p.isWanted():
		case <-stop:
			return
		}
		p.lives++
		process := fmt.Sprintf("%s-%s-%d", p.program.name, p.name, p.lives)
		if err := p.live(process, stop); err != nil {
			t.Error(err)
			return
		}
		select {
		case <-time.After(p.w.span(time.Second, p.pause, "restart of "+process)):
		case <-stop:
			return
		}
	}
}

// live is the life of one process: it dies, ends by itself, is asked to end, or all is over.
func (p *replica) live(process string, stop chan struct{}) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := &wire{site: p.site, account: p.account, process: process, kill: cancel, over: ctx.Done(),
		port: newPort(), audit: newPort()}
	defer n.port.Close()
	defer n.audit.Close()
	p.mu.Lock()
	p.now = n
	p.mu.Unlock()
	run, err := p.start(p, n)
	if err != nil {
		return err
	}
	select {
	case <-p.term: // was for the one before
	default:
	}
	p.w.note("%s starts", process)
	p.w.add(event{started: &life{program: p.program.name, cluster: p.site.name, process: process,
		skew: p.skew}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := run(ctx)
		p.w.note("%s%sit ended: %v", process, logs, err)
	}()
	go n.watched(done)
	select {
	case <-done:
	case <-p.term: // from now on it need not do anything
		p.w.note("%s is asked to end", process)
		p.w.add(event{died: process})
		cancel()
		select {
		case <-done:
		case <-time.After(grace):
		}
	case <-stop:
	}
	n.crash("it is over")
	<-done
	return nil
}

// end asks the process to end; another one follows.
func (p *replica) end() {
	select {
	case p.term <- struct{}{}:
	default: // it was asked to already
	}
}

// scale has a process run, or none.
func (p *replica) scale(up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !up {
		p.wanted = make(chan struct{})
		p.end()
		return
	}
	if p.wanted == nil {
		p.wanted = make(chan struct{})
	}
	close(p.wanted)
}

func (p *replica) isWanted() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted
}

func (p *replica) clock() time.Time { return p.watch.now() }

// agent is a new process.
func (p *replica) agent(n *wire) (*sync.Agent, error) {
	w := p.w
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
	c := sync.Config{Cluster: p.site.name, Identity: n.process, Repository: repo,
		Poll: 10 * time.Second, AWSAuth: p.aws, Clock: p.clock, Version: version1,
		Kubernetes: n.kubernetes(), Logger: n.logger(), Listener: n.port}
	if p.audited {
		c.Audit, c.AuditToken = n.audit, []byte(auditToken)
	}
	if w.trusted {
		return sync.NewAgent(c)
	}
	if c.Answerers, err = p.answerers(n); err != nil {
		return nil, err
	}
	if c.GitHub, err = api.New(api.Config{APIURL: w.forge.URL, Owner: "acme", Repo: "access",
		CheckApp: 7001, Clock: p.clock, Transport: n, Together: 10_000,
		Token: func(context.Context) (string, error) { return w.forge.AppToken("agent"), nil },
	}); err != nil {
		return nil, err
	}
	return sync.NewAgent(c)
}

// version1 is what processes say that they are.
const version1 = "v1.2.3"

// kubernetes is how a process reaches the API server.
func (n *wire) kubernetes() *rest.Config {
	return &rest.Config{Host: "http://" + n.host(), Transport: n, ContentConfig: rest.ContentConfig{
		ContentType: "application/json", AcceptContentTypes: "application/json"}}
}

// logger is the log of a process.
func (n *wire) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(logged{n.w, n.process}, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
}

// logs stands in the trace between a process and what it logs.
const logs = " logs: "

// logged is where a process logs to.
type logged struct {
	w       *world
	process string
}

func (l logged) Write(p []byte) (int, error) {
	text := string(bytes.TrimSpace(p))
	l.w.note("%s"+logs+"%s", l.process, text)
	l.w.add(event{log: &line{l.process, text}})
	return len(p), nil
}
