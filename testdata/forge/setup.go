package forge

import "net/http"

// Setup is what stands in the repository's settings beside its rules. The zero value is what
// docs/setup.md asks for.
type Setup struct {
	Public         bool     // anybody may read it
	NoAutoMerge    bool     // "Allow auto-merge" is off
	AnyMethod      bool     // squashing is allowed beside merging
	KeepBranches   bool     // "Automatically delete head branches" is off
	ActionsApprove bool     // workflows may approve pull requests
	NoEnvironment  bool     // there is no environment pullgrant
	AnyBranch      bool     // every branch may deploy to it
	Branches       []string // which may; main when nil
	FreePlan       bool     // of the organization
}

// SetUp replaces the repository's settings.
func (f *Forge) SetUp(s Setup) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setup = s
}

const environment = "pullgrant"

// setupRoutes serve settings of Actions and of environments.
func (f *Forge) setupRoutes() []operation {
	administration := need{right: "administration:read", role: "admin"}
	return []operation{
		{"GET", repo + "/actions/permissions/workflow", administration, f.getWorkflowPermissions},
		{"GET", repo + "/environments", read("actions"), f.listEnvironments},
		{"GET", repo + "/environments/{environment_name}/deployment-branch-policies",
			read("actions"), f.listDeploymentBranches},
	}
}

func (f *Forge) getWorkflowPermissions(*call) answer {
	return ok(object{"default_workflow_permissions": "read",
		"can_approve_pull_request_reviews": f.setup.ActionsApprove})
}

func (f *Forge) listEnvironments(*call) answer {
	all := []any{}
	if !f.setup.NoEnvironment {
		policy := any(object{"protected_branches": false, "custom_branch_policies": true})
		if f.setup.AnyBranch {
			policy = nil
		}
		all = append(all, object{"id": 601, "node_id": "EN_601", "name": environment,
			"url":        f.repoURL("/environments/" + environment),
			"html_url":   f.repoURL("/deployments/activity_log"),
			"created_at": stamp(f.now()), "updated_at": stamp(f.now()),
			"deployment_branch_policy": policy})
	}
	return ok(object{"total_count": len(all), "environments": all})
}

func (f *Forge) listDeploymentBranches(c *call) answer {
	if f.setup.NoEnvironment || c.PathValue("environment_name") != environment {
		return refuse(http.StatusNotFound, "Not Found")
	}
	names := f.setup.Branches
	if names == nil {
		names = []string{"main"}
	}
	all := []any{}
	for i, name := range names {
		all = append(all, object{"id": i + 1, "node_id": "EDBP", "name": name, "type": "branch"})
	}
	return ok(object{"total_count": len(all), "branch_policies": all})
}

func (f *Forge) visibility() string {
	if f.setup.Public {
		return "public"
	}
	return "private"
}
