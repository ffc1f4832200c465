package main

import (
	"sync"
	"time"
)

// awaiting says on a terminal what is waited for, such as "GitHub", once a second has gone by without
// a word, and for how long; elsewhere nothing. Until stop is called, which takes the line away, what
// is said must go through the world that it returns, and nothing may be asked or printed.
func (w world) awaiting(what string) (inside world, stop func()) {
	line := newStatusLine(w)
	if line.width == nil {
		return w, func() {}
	}
	p := &progress{line: line, text: "waiting for " + what, quit: make(chan struct{})}
	p.all.Go(p.run)
	w.err = p
	return w, sync.OnceFunc(func() {
		close(p.quit)
		p.all.Wait()
		p.clear()
	})
}

// progress is a line that others may be written above.
type progress struct {
	line  *statusLine
	text  string
	quit  chan struct{}
	all   sync.WaitGroup
	mu    sync.Mutex
	shown bool
}

func (p *progress) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
			p.mu.Lock()
			p.line.set(p.text)
			p.shown = true
			p.mu.Unlock()
		}
	}
}

func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.line.clear()
		p.shown = false
	}
}

// Write writes where the line stands, which comes back with the next second.
func (p *progress) Write(text []byte) (int, error) {
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line.out.Write(text)
}
