package cluster

import (
	"context"
	"io"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/testdata/kube"
)

// side is one of those that must answer alike.
type side interface {
	call(user string, r *http.Request) (*http.Response, error)
	restart(ctx context.Context) error // of the API server, which then remembers no changes
}

type realSide struct {
	cp      *kube.ControlPlane
	clients map[string]*http.Client
}

func (s *realSide) call(name string, r *http.Request) (*http.Response, error) {
	if s.clients[name] == nil {
		config := s.cp.Admin()
		if name != "admin" {
			config = s.cp.User(name, userOf(name).groups...)
		}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return nil, err
		}
		s.clients[name] = client
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "https", strings.TrimPrefix(s.cp.URL, "https://")
	return s.clients[name].Do(r)
}

func (s *realSide) restart(ctx context.Context) error {
	clear(s.clients)
	if err := s.cp.APIServer.Kill(); err != nil {
		return err
	}
	return s.cp.APIServer.Start(ctx)
}

// simSide is the cluster in memory. lie, unless it is nil, spoils what it is asked.
type simSide struct {
	c   *Cluster
	lie func(r *http.Request)
}

func (s *simSide) call(name string, r *http.Request) (*http.Response, error) {
	if name == "admin" {
		name = Admin
	}
	if s.lie != nil {
		s.lie(r)
	}
	return door{s.c, name}.RoundTrip(r)
}

func (s *simSide) restart(context.Context) error {
	s.c.Compact()
	s.c.CutWatches()
	return nil
}

// door is the way of a user to the cluster, without a socket.
type door struct {
	c    *Cluster
	user string
}

func (d door) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	r = r.Clone(ctx)
	r.Header.Set(UserHeader, d.user)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	read, write := io.Pipe()
	w := &piped{header: http.Header{}, body: write, began: make(chan struct{})}
	go func() {
		d.c.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
		_ = write.Close()
	}()
	<-w.began
	return &http.Response{StatusCode: w.code, Header: w.header, Request: r,
		Body: closing{read, cancel}}, nil
}

// closing ends a call whose answer nobody reads any more.
type closing struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (c closing) Close() error {
	c.cancel()
	return c.PipeReader.Close()
}

// piped is a ResponseWriter whose body is read while it is written.
type piped struct {
	header http.Header
	body   *io.PipeWriter
	code   int
	began  chan struct{}
}

func (p *piped) Header() http.Header { return p.header }

func (p *piped) WriteHeader(code int) {
	if p.code == 0 {
		p.code = code
		close(p.began)
	}
}

func (p *piped) Write(data []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return p.body.Write(data)
}
