package monitor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestServerEndsWithItsContext: whoever sends half a request holds up the end for closeTimeout at
// most, and is cut off then.
func TestServerEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Listener: listener, Secret: []byte("secret"), Metrics: NewMetrics("prod", "v1",
		time.Now), Wake: func() {}, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	wait := s.Serve(ctx)
	slow, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	// The server asks for the rest as soon as it has begun to answer.
	_, err = io.WriteString(slow, "POST /webhook HTTP/1.1\r\nHost: x\r\n"+
		"X-Hub-Signature-256: sha256="+strings.Repeat("0", 64)+"\r\n"+
		"Content-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, len("HTTP/1.1 100"))
	if _, err := io.ReadFull(slow, begun); err != nil || string(begun) != "HTTP/1.1 100" {
		t.Fatalf("%q, %v", begun, err)
	}
	cancel()
	wait()
	if err := slow.SetReadDeadline(time.Now().Add(closeTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(slow); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection outlives the server")
	}
}
