package cluster

import (
	"context"
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
	r = r.Clone(r.Context())
	r.Header.Set(UserHeader, d.user)
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer, _ := d.c.Stream(r)
	return answer, nil
}
