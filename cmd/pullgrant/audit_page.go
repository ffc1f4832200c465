package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/internal/auditpage"
	"github.com/pullgrant/pullgrant/requests"
)

// writePage writes the audit as a page for a browser; about says what narrowed it.
func (h history) writePage(ctx context.Context, w world, about string) error {
	p := auditpage.Page{Title: filepath.Base(h.dir), Made: requests.At(w.now()), About: about, Rows: h.rows}
	if full, err := filepath.Abs(h.dir); err == nil {
		p.Title = filepath.Base(full)
	}
	// Without an origin there are no links.
	if host, repo, err := originOf(ctx, h.dir); err == nil && repo != "" {
		p.Title, p.Base = repo, "https://"+host+"/"+repo
	}
	return auditpage.Write(w.out, p)
}

// narrowed says which flags narrow an audit.
func (f *auditFilter) narrowed(cmd *cobra.Command) string {
	var all []string
	for _, name := range []string{"person", "namespace", "role", "cluster", "policy", "cause", "since", "until"} {
		cmd.Flags().Visit(func(flag *pflag.Flag) {
			if flag.Name == name {
				all = append(all, name+" "+flag.Value.String())
			}
		})
	}
	return strings.Join(all, ", ")
}
