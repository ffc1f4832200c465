package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
)

// propose opens a pull request and writes its address. What GitHub would not do beside that is
// told: the pull request is open all the same.
func propose(ctx context.Context, w world, client *github.Client, p github.Proposal) error {
	opened, err := client.Propose(ctx, p)
	if err != nil {
		return err
	}
	for _, note := range opened.Notes {
		w.say("note: %s", note)
	}
	_, err = fmt.Fprintln(w.out, opened.URL)
	return err
}

// codeFence is a fence for a block of code that text, which stands in it, cannot close.
func codeFence(text string) string {
	longest := 0
	for run := range strings.FieldsFuncSeq(text, func(r rune) bool { return r != '`' }) {
		longest = max(longest, len(run))
	}
	return strings.Repeat("`", max(3, longest+1))
}
