package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/internal/notify"
)

// channelOptions say where the addresses of channels are, which policies name.
type channelOptions struct{ dir string }

func (o *channelOptions) flags(flags *pflag.FlagSet) {
	flags.StringVar(&o.dir, "channels-dir", "", "folder with the addresses of channels that policies name, "+
		"one a file of the channel's name (default: no channel is told)")
}

// open reads the addresses; whom they may lead to, the hosts that challenges may ask say too. The
// channels that can be told are there with an error too: one of no use is no reason to tell nobody.
func (o channelOptions) open(w world, checks checkOptions) (*notify.Channels, error) {
	if o.dir == "" {
		return nil, nil
	}
	ca, err := checks.authorities()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return nil, fmt.Errorf("read the addresses of channels: %w", err)
	}
	addresses := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // in a mounted Secret, its versions
			continue
		}
		address, err := os.ReadFile(filepath.Join(o.dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the address of a channel: %w", err)
		}
		addresses[e.Name()] = string(address)
	}
	return notify.Open(addresses, notify.Config{Hosts: checks.hosts, CA: ca, Clock: w.now})
}
