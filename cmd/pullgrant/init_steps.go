package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

// settingsFolder holds what GitHub is set up with, for people and for doctor: nothing reads it that
// judges.
const settingsFolder = ".github/pullgrant/"

// rulesetFile is what "gh api" sends to protect the default branch.
const rulesetFile = settingsFolder + "ruleset.json"

// settings are the manifests of the Apps, and the ruleset once their numbers are known.
func (o initOptions) settings() (files []scaffoldFile, err error) {
	contents := map[string]any{settingsFolder + "check-app.json": checkApp(o.Org),
		settingsFolder + "agent-app.json": agentApp(o.Org)}
	if o.Checks != 0 {
		contents[rulesetFile] = policies.NewRuleset(int64(o.Checks), int64(o.Agent))
	}
	for name, content := range contents {
		var b bytes.Buffer
		if err := writeJSON(&b, content); err != nil {
			return nil, err
		}
		files = append(files, scaffoldFile{name, b.Bytes()})
	}
	return files, nil
}

//go:embed init_steps.txt
var stepsText string

// steps are what is left to do, as their template takes it.
type steps struct {
	initOptions
	Dir, Host            string
	CheckPage, AgentPage string
	Ruleset              bool // there is its file
}

// sayNext prints the numbered steps that remain.
func (o initOptions) sayNext(w world) error {
	t, err := template.New("steps").Delims("[[", "]]").Parse(stepsText)
	if err != nil {
		return fmt.Errorf("print the next steps: %w", err)
	}
	host := githubHost(w)
	var b strings.Builder
	if err := t.Execute(&b, steps{initOptions: o, Dir: o.dir, Host: host, Ruleset: o.Checks != 0,
		CheckPage: checkApp(o.Org).page(host, o.Org),
		AgentPage: agentApp(o.Org).page(host, o.Org)}); err != nil {
		return fmt.Errorf("print the next steps: %w", err)
	}
	for line := range strings.Lines(b.String()) {
		w.say("%s", strings.TrimRight(line, "\n"))
	}
	return nil
}

// githubHost is where people see GitHub.
func githubHost(w world) string {
	host, err := webHost(w.env("GITHUB_API_URL"))
	if err != nil {
		host, _ = webHost(github.DefaultAPIURL)
	}
	return host
}
