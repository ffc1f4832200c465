package main

// room is a package of the product whose code is broken.
type room struct {
	dir   string
	count int      // how many sites are tried
	tests []string // packages whose tests may notice, the own one first
	leave []string // files that only tell or print, by their beginning
}

// rooms are all of them, those that decide about access with the most sites.
var rooms = []room{
	{dir: "requests", count: 16, tests: []string{"requests", "policies"}},
	{dir: "policies", count: 56, tests: []string{"policies", "action"}},
	{dir: "policies/codeowners", count: 8, tests: []string{"policies/codeowners", "policies"}},
	{dir: "policies/convert", count: 8, tests: []string{"policies/convert"}},
	{dir: "policies/rbac", count: 12, tests: []string{"policies/rbac", "policies"}},
	{dir: "render", count: 14, tests: []string{"render", "sync/kube", "sync"}},
	{dir: "internal/github", count: 40, tests: []string{"internal/github", "action", "sync"}},
	{dir: "action", count: 14, tests: []string{"action"}},
	{dir: "sync/git", count: 26, tests: []string{"sync/git", "sync"}},
	{dir: "sync/plan", count: 14, tests: []string{"sync/plan", "sync"}},
	{dir: "sync/ledger", count: 16, tests: []string{"sync/ledger", "sync"}},
	{dir: "sync/kube", count: 18, tests: []string{"sync/kube", "sync/expiry", "sync"}},
	{dir: "sync/expiry", count: 12, tests: []string{"sync/expiry", "sync"}},
	{dir: "sync/monitor", count: 8, tests: []string{"sync/monitor", "sync"}},
	{dir: "sync", count: 40, tests: []string{"sync"}},
	{dir: "cmd/pullgrant", count: 16, tests: []string{"cmd/pullgrant"}},
}
