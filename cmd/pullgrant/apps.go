package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
)

// appManifest is a GitHub App as its registration takes it, and as the file of it shows.
// https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
type appManifest struct {
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	Description string            `json:"description"`
	Public      bool              `json:"public"`
	Hook        appHook           `json:"hook_attributes"`
	Permissions map[string]string `json:"default_permissions"`
	Events      []string          `json:"default_events"`
}

type appHook struct {
	URL    string `json:"url"`
	Active bool   `json:"active"`
}

const projectURL = "https://github.com/" + home

// checkApp is the App in whose name the Action judges; agentApp the one of the agents.
func checkApp(owner string) appManifest {
	return newAppManifest(owner+"-pullgrant-check", "Judges access requests: the check "+program,
		github.CheckPermissions())
}

func agentApp(owner string) appManifest {
	return newAppManifest(owner+"-pullgrant-agent", "Grants access in clusters and records its end",
		github.AgentPermissions())
}

// maxAppName is how long GitHub lets the name of an App be.
const maxAppName = 34

func newAppManifest(name, description string, permissions map[string]string) appManifest {
	name = strings.TrimLeft(name[max(0, len(name)-maxAppName):], "-")
	return appManifest{Name: name, URL: projectURL,
		Description: description, Hook: appHook{URL: projectURL}, Permissions: permissions,
		Events: []string{}}
}

// page is where the App is registered, with the form filled in. It needs no server, as the flow of
// manifests does.
// https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-using-url-parameters
func (a appManifest) page(host, owner string) string {
	q := url.Values{"name": {a.Name}, "url": {a.URL}, "description": {a.Description},
		"public": {"false"}, "webhook_active": {"false"}}
	for _, name := range slices.Sorted(maps.Keys(a.Permissions)) {
		q.Set(name, a.Permissions[name])
	}
	u := url.URL{Scheme: "https", Host: host, Path: "/organizations/" + owner + "/settings/apps/new",
		RawQuery: q.Encode()}
	return u.String()
}
