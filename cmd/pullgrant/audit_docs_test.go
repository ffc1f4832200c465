package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestAuditDocs runs every command that docs/audit.md shows, against a ledger of grants that ended in
// different ways, and looks at what the one that must print something prints.
func TestAuditDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := txtar.ParseFile("../../testdata/script/audit_filter.txtar")
	if err != nil {
		t.Fatal(err)
	}
	script, commands := "env GIT_CONFIG_GLOBAL=$WORK/gitconfig\nexec git init -q access\n"+
		commitAll("Revoke")+"cd access\n", 0
	for _, block := range readmeBlocks(string(doc)) {
		for _, command := range block.commands {
			commands++
			script += fmt.Sprintf("exec sh -c '%s'\n! stderr 'pullgrant:'\n",
				strings.ReplaceAll(command, "'", "''"))
			if strings.HasSuffix(command, "pullgrant audit") {
				script += "cmp stdout ../all.txt\n"
			}
			if strings.Contains(command, "--cause Revoked --since 2026-11-01") {
				script += "stdout dave-inc-5\n! stdout alice\n"
			}
		}
	}
	if commands < 7 {
		t.Fatalf("docs/audit.md shows %d commands; they are not found", commands)
	}
	file := filepath.Join(t.TempDir(), "audit_docs.txtar")
	archive := txtar.Archive{Comment: []byte(script), Files: ledger.Files}
	if err := os.WriteFile(file, txtar.Format(&archive), 0o644); err != nil {
		t.Fatal(err)
	}
	runScripts(t, file)
}
