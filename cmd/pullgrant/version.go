package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set by make, with -ldflags "-X main.version=v1.2.3": what a build from an archive, or without
// version control stamps, would not know.
var version, commit string

// build is what the Go toolchain recorded about this binary.
type build struct {
	Version  string `json:"version"`            // of the release or module; (devel) for a build from a checkout
	Commit   string `json:"commit,omitempty"`   // of a build from a checkout
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // the checkout had changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info, version, commit)
}

// buildOf is what a build says of itself, which may be nothing, and what make stamped, which counts
// first.
func buildOf(info *debug.BuildInfo, version, commit string) build {
	b := build{Version: cmp.Or(version, "(devel)"), Commit: commit, Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}
	b.Version = cmp.Or(version, info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(commit, s.Value)
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String is the build in one line.
func (b build) String() string {
	line := "pullgrant " + b.Version
	if b.Commit != "" {
		line += " " + b.Commit
	}
	if b.Modified {
		line += " (modified)"
	}
	return fmt.Sprintf("%s %s %s", line, b.Go, b.Platform)
}

func newVersionCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  pullgrant version\n  pullgrant version -o json",
		Args:    arguments(0, 0),
	}
	output := outputFlag(cmd, build{})
	cmd.RunE = func(*cobra.Command, []string) error {
		b := thisBuild()
		return output.print(w, printed{value: b, people: func(bool) error {
			_, err := fmt.Fprintln(w.out, b)
			return err
		}})
	}
	return cmd
}
