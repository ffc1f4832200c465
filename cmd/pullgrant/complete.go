package main

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// completeTime bounds how long a shell waits for GitHub. Whatever fails, nothing is offered.
const completeTime = 2 * time.Second

// completer is the name under which kubectl looks for the program that completes a plugin's words
// (https://github.com/kubernetes/kubernetes/pull/105867).
const completer = "kubectl_complete-" + program

// commandLine is what the program is asked for: as a plugin's completer, to complete its arguments.
func commandLine(args []string) []string {
	if calledAs(args[0]) == completer {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[1:]
}

func calledAs(arg0 string) string { return strings.TrimSuffix(filepath.Base(arg0), ".exe") }

// known is what the access repository holds, for completion.
type known struct {
	tree     policies.Tree
	requests []string
}

// suggest are the words for a flag or an argument, told by what stands in the command already.
type suggest func(k known, cmd *cobra.Command, typed string) []string

// flagWords are the words of the flags of every command that has one of that name.
var flagWords = map[string]suggest{
	"policy":    policyWords,
	"cluster":   func(k known, cmd *cobra.Command, _ string) []string { return k.clusters(cmd) },
	"namespace": namespaceWords,
	"role":      roleWords,
	"grant":     grantWords,
	"resource":  resourceWords,
}

// argumentWords are the words of arguments, by the command without the program's name; of one
// argument, unless there may be several.
var argumentWords = map[string]struct {
	words   suggest
	several bool
}{
	"show": {requestWords, false}, "extend": {requestWords, false}, "exec": {requestWords, false},
	"kubeconfig": {requestWords, false}, "render": {requestWords, false},
	"breakglass review": {requestWords, false},
	"drop":              {requestWords, true}, "revoke": {requestWords, true},
	"policy recertify": {policyWords, true},
	"policy explain": {func(k known, cmd *cobra.Command, typed string) []string {
		return append(policyWords(k, cmd, typed), k.requests...)
	}, false},
}

// completions lets shells complete the names that the access repository holds, in a command and
// those below it.
func completions(cmd *cobra.Command, w world) {
	for _, below := range cmd.Commands() {
		completions(below, w)
	}
	for flag, words := range flagWords {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string,
				typed string) ([]string, cobra.ShellCompDirective) {
				return suggestions(cmd, w, words, typed)
			})
		}
	}
	of, ok := argumentWords[strings.TrimPrefix(cmd.CommandPath(), cmd.Root().CommandPath()+" ")]
	if !ok {
		return
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string,
		cobra.ShellCompDirective) {
		if len(args) > 0 && !of.several {
			return nil, cobra.ShellCompDirectiveDefault // such as a command after --
		}
		return suggestions(cmd, w, of.words, typed)
	}
}

func suggestions(cmd *cobra.Command, w world, words suggest, typed string) ([]string,
	cobra.ShellCompDirective) {
	k, err := knownTo(cmd, w)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, word := range words(k, cmd, typed) {
		name, about, has := strings.Cut(word, "\t")
		if name = plain(name); has {
			name += "\t" + plain(about)
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all), cobra.ShellCompDirectiveNoFileComp
}

// knownTo reads the checkout that the command would, else the default branch on GitHub.
func knownTo(cmd *cobra.Command, w world) (k known, err error) {
	var r remote
	r.checkout.dir = flagValue(cmd, "dir")
	r.repo = repoName(flagValue(cmd, "repo"))
	if r.repo == "" {
		if k, err := knownIn(r.checkout); err == nil && len(k.tree.PolicyNames()) > 0 {
			return k, nil
		}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	client, _, err := r.client(ctx, w)
	if err != nil {
		return k, err
	}
	if k.tree, err = client.Tree(ctx, "", policies.Wanted(policies.KindChange, "")); err != nil {
		return k, err
	}
	files, err := client.Files(ctx, k.tree.Commit, requests.Folder)
	for path := range files {
		k.add(path)
	}
	return k, err
}

func knownIn(c checkout) (k known, err error) {
	_, files, err := c.open()
	if err != nil {
		return k, err
	}
	if k.tree, err = policies.ReadTree(files, ""); err != nil {
		return k, err
	}
	return k, fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != "." && path != requests.Folder &&
			!strings.HasPrefix(path, requests.Folder+"/") {
			return fs.SkipDir
		}
		k.add(path)
		return err
	})
}

func (k *known) add(path string) {
	if place, ok := requests.SplitPath(path); ok {
		k.requests = append(k.requests, place.Name)
	}
}

// flagValue is what a flag of the command says; empty where the command has none.
func flagValue(cmd *cobra.Command, flag string) string {
	if f := cmd.Flags().Lookup(flag); f != nil {
		return f.Value.String()
	}
	return ""
}
