package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/internal/outbound"
)

// TestChannels reads the addresses of channels as a mounted Secret holds them. One of no use is told by
// its name, and the others are there.
func TestChannels(t *testing.T) {
	dir := t.TempDir()
	version := filepath.Join(dir, "..2026_11_23")
	if err := os.Mkdir(version, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{"oncall": "pagerduty://events.pagerduty.com/" +
		strings.Repeat("a1", 16) + "\n", "room": "https://hooks.slack.com/s3cret",
		"chat": "mattermost://chat.internal/s3cret"} {
		if err := os.WriteFile(filepath.Join(version, name), []byte(address), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("..2026_11_23", filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	channels, err := channelOptions{dir}.open(world{}, checkOptions{})
	if got := strings.Join(channels.Names(), " "); got != "oncall" || err == nil || strings.Contains(err.Error(),
		"s3cret") || !strings.Contains(err.Error(), "the channel room: ") || !strings.Contains(err.Error(),
		"the channel chat: its host and port are not among those") {
		t.Errorf("%s, %v", got, err)
	}
	var listed checkOptions
	if err := listed.hosts.Set("chat.internal=10.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	if channels, _ = (channelOptions{dir}).open(world{}, listed); strings.Join(channels.Names(), " ") != "chat oncall" {
		t.Errorf("listed: %v", channels.Names())
	}
	if channels, err = (channelOptions{}).open(world{}, checkOptions{hosts: outbound.Hosts{}}); channels != nil ||
		err != nil {
		t.Errorf("without a folder: %v, %v", channels, err)
	}
	if _, err = (channelOptions{dir + "/none"}).open(world{}, checkOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
}
