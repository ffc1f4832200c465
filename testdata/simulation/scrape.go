package simulation

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// scrape is what a process says of itself to whoever watches it.
type scrape struct {
	cluster, process string
	// numbers are by name, with the labels of those that have any but the cluster's, as
	// granting_stopped{reason="Paused"}
	numbers        map[string]float64
	healthy, ready bool
	says           string // of its readiness
}

// scrapeEvery is as often as Prometheus does by its defaults.
const scrapeEvery = time.Minute

// port is where a process is asked, without a socket.
type port struct {
	calls  chan net.Conn
	closed chan struct{}
	close  sync.Once
}

func newPort() *port { return &port{calls: make(chan net.Conn), closed: make(chan struct{})} }

// Accept waits for a call.
func (p *port) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close has nobody answered any more.
func (p *port) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

// Addr is for people.
func (p *port) Addr() net.Addr { return p }

// Network is the name of none.
func (p *port) Network() string { return "memory" }

func (p *port) String() string { return "its port" }

// call is the answer to a call, of whoever bears the token.
func (p *port) call(method, path, said string) (code int, body string, err error) {
	dial := func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case p.calls <- there:
			return here, nil
		case <-p.closed:
			return nil, net.ErrClosed
		}
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DisableCompression: true, DialContext: dial}}
	r, err := http.NewRequest(method, "http://process"+path, strings.NewReader(said))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+auditToken)
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), err
}

// watched has a process asked how it is, until it is done. One that is ending does not answer, and one
// that stands still only once it goes on.
func (n *wire) watched(done chan struct{}) {
	for next := n.w.span(time.Second, scrapeEvery, "first scrape of "+n.process); ; next = scrapeEvery {
		select {
		case <-done:
			return
		case <-time.After(next):
		}
		n.sleep("to say how " + n.process + " is")
		if s, err := n.scrape(); err != nil {
			n.w.note("%s does not say how it is: %v", n.process, err)
		} else {
			n.w.add(event{scrape: s})
		}
	}
}

// scrape is what the process says of itself.
func (n *wire) scrape() (*scrape, error) {
	s := &scrape{cluster: n.site.name, process: n.process, numbers: map[string]float64{}}
	_, numbers, err := n.port.call(http.MethodGet, "/metrics", "")
	if err != nil {
		return nil, err
	}
	label := fmt.Sprintf("cluster=%q", n.site.name)
	bare := strings.NewReplacer("{"+label+"}", "", label+",", "", ","+label, "")
	for line := range strings.Lines(numbers) {
		name, value, found := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "pullgrant_")), "} ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		if s.numbers[bare.Replace(name+"}")], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, err
		}
	}
	for path, well := range map[string]*bool{"/healthz": &s.healthy, "/readyz": &s.ready} {
		code, says, err := n.port.call(http.MethodGet, path, "")
		if err != nil {
			return nil, err
		}
		if *well = code == http.StatusOK; path == "/readyz" {
			s.says = says
		}
	}
	return s, nil
}
