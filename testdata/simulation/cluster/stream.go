package cluster

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// Stream has a request answered while its answer is read, without a socket: a watch goes on until its
// reader closes the body, the request's context ends, or end breaks it. Then the reader is told why.
func (c *Cluster) Stream(r *http.Request) (answer *http.Response, end func(why error)) {
	ctx, cancel := context.WithCancel(r.Context())
	reader, writer := io.Pipe()
	out := &streamed{header: http.Header{}, body: writer, status: make(chan int, 1)}
	go func() {
		c.ServeHTTP(out, r.WithContext(ctx))
		out.WriteHeader(http.StatusOK)
		_ = writer.Close()
	}()
	status := <-out.status
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1",
			ProtoMajor: 1, ProtoMinor: 1, Header: out.sent, Body: reading{reader, cancel},
			ContentLength: -1, Request: r}, func(why error) {
			_ = writer.CloseWithError(why) // before the server ends it, as without a reason
			cancel()
		}
}

// reading ends an answer that nobody reads any more.
type reading struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (r reading) Close() error {
	r.cancel()
	return r.PipeReader.Close()
}

// streamed is the writer's side of an answer that is read while it is written.
type streamed struct {
	header, sent http.Header
	body         *io.PipeWriter
	once         sync.Once
	status       chan int
}

func (s *streamed) Header() http.Header { return s.header }

func (s *streamed) WriteHeader(status int) {
	s.once.Do(func() {
		s.sent = s.header.Clone()
		s.status <- status
	})
}

func (s *streamed) Write(p []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	return s.body.Write(p)
}

// Flush sends the header: what is written is sent at once.
func (s *streamed) Flush() { s.WriteHeader(http.StatusOK) }
