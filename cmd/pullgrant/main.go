// Command pullgrant gives people Kubernetes access for a limited time through a pull request:
// command line, Action and agent in one program. A file is a command, flags in, core out; or what
// several of them need, and is named for that. Only this package reads the clock and the
// environment.
package main

import (
	"os"
	"time"
)

func main() {
	os.Exit(Main(os.Args, world{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv,
		now: time.Now}))
}
