package main

import (
	_ "embed" // the hooks
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The hooks of shells: each keeps what the last kubectl said in FILE, and leaves its output, exit code
// and terminal as they are.
var (
	//go:embed hook/hook.bash
	bashHook string
	//go:embed hook/hook.zsh
	zshHook string
	//go:embed hook/hook.fish
	fishHook string
)

var hooks = map[string]string{"bash": bashHook, "zsh": zshHook, "fish": fishHook}

func hookShells() []string { return slices.Sorted(maps.Keys(hooks)) }

// lastSaid is the file in which a hook keeps what the last kubectl said. Its folder is for its user
// alone.
func lastSaid() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for what kubectl said: %w", err)
	}
	return filepath.Join(cache, program, "last-kubectl"), nil
}

// printHook prints the hook for a shell, and makes the folder that it writes to.
func (o whyOptions) printHook(cmd *cobra.Command, w world) error {
	hook, ok := hooks[o.hook]
	if !ok {
		return usagef(cmd, "--hook %q: there are: %s", o.hook, strings.Join(hookShells(), ", "))
	}
	path, err := lastSaid()
	if err != nil {
		return err
	}
	err = os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.Chmod(filepath.Dir(path), 0o700) // it may have been there
	}
	if err != nil {
		return fmt.Errorf("make the folder for what kubectl says: %w", err)
	}
	quoted := shellWord(path)
	if o.hook == "fish" {
		quoted = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(path) + "'"
	}
	if _, err := io.WriteString(w.out, strings.ReplaceAll(hook, "FILE", quoted)); err != nil {
		return fmt.Errorf("print the hook: %w", err)
	}
	return nil
}

// maxSaid bounds what is read of a message, in bytes.
const maxSaid = 1 << 20

// forbiddenText is the text that may hold a message, and where it is from: the arguments, what is
// piped in, else what the hook kept.
func forbiddenText(w world, args []string) (text, from string, err error) {
	if len(args) > 0 {
		return strings.Join(args, " "), "the argument", nil
	}
	if file, ok := w.in.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		data, err := io.ReadAll(io.LimitReader(w.in, maxSaid))
		if err != nil {
			return "", "", fmt.Errorf("read what is piped in: %w", err)
		}
		if strings.TrimSpace(string(data)) != "" {
			return string(data), "what is piped in", nil
		}
	}
	path, err := lastSaid()
	if err != nil {
		return "", "", err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("find the message: none is given or piped in, and no hook of your "+
			"shell keeps it; run: eval \"$(%s why --hook bash)\"", program)
	}
	if err != nil {
		return "", "", fmt.Errorf("read what kubectl said: %w", err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxSaid))
	if err != nil {
		return "", "", fmt.Errorf("read what kubectl said: %w", err)
	}
	return string(data), "what the last kubectl said", nil
}
