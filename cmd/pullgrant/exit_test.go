package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// exitCodes are those that a command may end with besides 0, done, and 2, wrong usage.
var exitCodes = map[string][]int{
	"action":   {exitFindings, exitFailed, exitPending},
	"audit":    {exitFindings, exitFailed},
	"aws-auth": {exitFailed}, "expire": {exitFailed}, "sync": {exitFailed},
	"audit verify": {exitFindings, exitFailed},
	"breakglass":   {exitFindings, exitFailed}, "breakglass review": {exitFindings, exitFailed},
	"catalog": {exitFindings, exitFailed}, "codeowners": {exitFindings, exitFailed},
	"completion": {}, "completion bash": {}, "completion fish": {}, "completion powershell": {},
	"completion zsh": {}, "help": {}, "policy": {}, "ruleset": {}, "schema": {}, "version": {},
	"convert":    {exitFindings, exitFailed},
	"doctor":     {exitFindings, exitFailed},
	"drop":       {exitFindings, exitFailed},
	"escalate":   {exitFindings, exitFailed},
	"evaluate":   {exitFindings, exitFailed, exitPending},
	"exec":       {exitFindings, exitFailed, exitPending},
	"extend":     {exitFindings, exitFailed, exitPending},
	"facts":      {exitFailed},
	"init":       {exitFailed},
	"install":    {exitFindings, exitFailed},
	"kubeconfig": {exitFindings, exitFailed, exitPending},
	"list":       {exitFailed},
	"pause":      {exitFailed}, "resume": {exitFailed},
	"policy explain": {exitFindings, exitFailed}, "policy lint": {exitFindings, exitFailed},
	"policy list": {exitFindings, exitFailed}, "policy recertify": {exitFindings, exitFailed},
	"policy replay": {exitFindings, exitFailed}, "policy test": {exitFindings, exitFailed},
	"render":  {exitFindings, exitFailed},
	"request": {exitFindings, exitFailed, exitPending},
	"review":  {exitFindings, exitFailed}, "revoke": {exitFindings, exitFailed},
	"search": {exitFailed}, "show": {exitFindings, exitFailed, exitPending},
	"validate": {exitFindings, exitFailed}, "wait": {exitFindings, exitFailed, exitPending},
	"who": {exitFindings, exitFailed}, "why": {exitFindings, exitFailed},
}

// TestExitCodes: a session reaches each exit code that a command may end with, and no other.
func TestExitCodes(t *testing.T) {
	codes := reached(t)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := strings.TrimPrefix(cmd.CommandPath(), program+" ")
		more, known := exitCodes[name]
		if !known && cmd.HasParent() {
			t.Errorf("which codes may %s end with? add it to exitCodes", name)
		}
		for _, code := range more {
			if told := fmt.Sprintf(`(?s)exit code.*\b%d\b`, code); code != exitFailed &&
				!regexp.MustCompile(told).MatchString(cmd.Long) {
				t.Errorf("the help of %s does not say when it ends with %d", name, code)
			}
		}
		want := append([]int{exitDone}, more...)
		if cmd.Parent() == nil || cmd.Parent().Name() != "completion" {
			want = append(want, exitUsage)
		}
		for _, code := range want {
			if !slices.Contains(codes[name], code) {
				t.Errorf("no session has %s end with %d", name, code)
			}
		}
		for _, code := range codes[name] {
			// exec passes on what its command ends with
			if name != "exec" && code != exitUsage && !slices.Contains(want, code) {
				t.Errorf("%s ended with %d, which exitCodes does not have", name, code)
			}
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	root := newRoot(world{}, program)
	walk(root)
	if len(codes) < 40 {
		t.Errorf("sessions run %d commands", len(codes))
	}
}

// runs are the lines of a session that run the program, with the code that it ends with.
var runs = regexp.MustCompile(`(?m)^(?:\[[^\]]*\] )*(?:exec|draw|exits (\d)) ` +
	`(?:sh -c '|sh -c 'cd \S+ && )?(?:kubectl-|gh-)?pullgrant\b(.*)|^ends (\d) `)

// reached are the exit codes that sessions have commands end with.
func reached(t *testing.T) map[string][]int {
	root := newRoot(world{}, program)
	codes := map[string][]int{}
	drawn := ""
	for _, m := range runs.FindAllStringSubmatch(sessions(t), -1) {
		name, code := drawn, m[3]
		if code == "" {
			cmd, _, err := root.Find(strings.Fields(m[2]))
			if name = program; err == nil && cmd != root {
				name = strings.TrimPrefix(cmd.CommandPath(), program+" ")
			}
			if strings.Contains(m[0], "draw ") {
				drawn = name
				continue
			}
			code = m[1] // empty: exec, which wants 0
		}
		number, _ := strconv.Atoi(code)
		if !slices.Contains(codes[name], number) {
			codes[name] = append(codes[name], number)
		}
	}
	return codes
}
