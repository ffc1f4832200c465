package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// flagsAnnotation is in the kustomization of a cluster's folder: the flags that it was rendered with,
// one a line, so that it can be rendered again. None of them is secret.
const flagsAnnotation = "pullgrant.dev/flags"

// apiFlag is the line about what is no flag, but the environment.
const apiFlag = "GITHUB_API_URL="

// kept reads what the folder of the cluster holds in the checkout; all empty where there is none.
func (o installOptions) kept() (flags, files []string, err error) {
	_, checkout, err := o.remote.checkout.open()
	if err != nil {
		return nil, nil, err
	}
	data, err := fs.ReadFile(checkout, policies.InstalledPath(o.agent.cluster))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	var annotations map[string]string
	if err == nil {
		annotations, files, err = render.Kustomized(data)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read what is installed in %s: %w", o.agent.cluster, err)
	}
	return strings.Fields(annotations[flagsAnnotation]), files, nil
}

// recall sets the flags that are not given as they were the last time.
func (o *installOptions) recall(flags *pflag.FlagSet) error {
	if requests.CheckName(o.agent.cluster) != "" {
		return nil // which is told with all that is wrong
	}
	lines, _, err := o.kept()
	for _, line := range lines {
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "--"), "=")
		flag := o.rendering.Lookup(name)
		switch api, isAPI := strings.CutPrefix(line, apiFlag); {
		case isAPI:
			o.api = api
		case flag == nil:
			err = errors.Join(err, fmt.Errorf("%s: its annotation %s has the unknown line %s",
				policies.InstalledPath(o.agent.cluster), flagsAnnotation, requests.Quote(line)))
		case !flags.Changed(name):
			err = errors.Join(err, flags.Set(name, value))
		}
	}
	return err
}

// keep writes the kustomize base to the folder of the cluster. Files that it had the last time and has
// no more are taken away; others are left alone.
func (o installOptions) keep(w world, f render.Footprint, objects []render.Object) error {
	var flags []string
	o.rendering.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed {
			flags = append(flags, "--"+flag.Name+"="+strings.Trim(flag.Value.String(), "[]"))
		}
	})
	if f.GitHubAPI != "" {
		flags = append(flags, apiFlag+f.GitHubAPI)
	}
	if at := slices.IndexFunc(flags, func(line string) bool { return strings.ContainsAny(line, " \t\n") }); at >= 0 {
		return fmt.Errorf("keep the flags in %s: %s holds a blank", policies.InstallFolder,
			requests.Quote(flags[at]))
	}
	dir, _, err := o.remote.checkout.open()
	if err != nil {
		return err
	}
	_, before, err := o.kept()
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, filepath.FromSlash(path.Dir(policies.InstalledPath(f.Cluster))))
	files := render.Kustomization(objects, map[string]string{
		policies.GrantsAnnotation: policies.GrantsDigest(f.Grants, f.Channels),
		flagsAnnotation:           strings.Join(flags, "\n")})
	if err := writeBase(w, folder, files); err != nil {
		return err
	}
	for _, name := range before {
		if _, still := files[name]; !still && path.Base(name) == name {
			if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err,
				fs.ErrNotExist) {
				return fmt.Errorf("take away what is not installed any more: %w", err)
			}
		}
	}
	return nil
}
