package forge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/testdata/forge/openapi"
)

const repo = "/repos/{owner}/{repo}"

// operation is one of GitHub's: its path is written as GitHub's OpenAPI description writes it.
type operation struct {
	method, path string
	need         need
	handle       func(*call) answer
}

func read(right string) need  { return need{right: right + ":read", role: "read"} }
func write(right string) need { return need{right: right + ":write", role: "write"} }

// What operations of several parts need.
var (
	pulls, contents   = read("pull_requests"), read("contents")
	metadata, members = need{right: "metadata:read"}, need{right: "members:read"}
	// "anyone with read access can review"
	reviewing = need{right: "pull_requests:write", role: "read"}
)

// routes registers every operation.
func (f *Forge) routes() error {
	f.mux = http.NewServeMux()
	for _, o := range slices.Concat(f.peopleRoutes(), f.repositoryRoutes(), f.commitRoutes(),
		f.reportRoutes(),
		f.pullRoutes(), f.issueRoutes(), f.listRoutes(), f.setupRoutes()) {
		route := f.contract.Route(o.method, o.path)
		if route == nil {
			return fmt.Errorf("%s %s is not in the OpenAPI description", o.method, o.path)
		}
		f.mux.Handle(o.method+" "+strings.ReplaceAll(o.path, ":.+}", "...}"), f.operation(o.need,
			route, o.handle))
	}
	// Not in the description: GraphQL, and the permanent address of a repository that redirects
	// lead to.
	f.mux.Handle("POST /graphql", f.operation(need{}, nil, f.graphQL))
	f.mux.Handle("GET /repositories/{id}", f.operation(metadata,
		openapi.Moved(f.contract.Route("GET",
			repo), "/repositories/{id}"), f.getRepositoryByID))
	return nil
}

// peopleRoutes serve accounts, Apps, organizations and teams.
func (f *Forge) peopleRoutes() []operation {
	return []operation{
		{"GET", "/user", need{}, f.getUser},
		{"GET", "/users/{username}", need{}, f.getUserByLogin},
		{"GET", "/user/{account_id}", need{}, f.getUserByID},
		{"GET", "/rate_limit", need{}, f.getRateLimit},
		{"GET", "/app", need{jwt: true}, f.onApp(f.getApp)},
		{"GET", repo + "/installation", need{jwt: true}, f.onApp(f.getInstallation)},
		{"POST", "/app/installations/{installation_id}/access_tokens", need{jwt: true},
			f.onApp(f.createInstallationToken)},
		{"GET", "/orgs/{org}", metadata, f.getOrganization},
		{"GET", "/orgs/{org}/members/{username}", members, f.isMember},
		{"GET", "/orgs/{org}/memberships/{username}", members, f.getMembership},
		{"GET", "/orgs/{org}/teams/{team_slug}", members, f.getTeam},
		{"GET", "/orgs/{org}/teams/{team_slug}/members", members, f.listTeamMembers},
		{"GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}", members,
			f.getTeamMembership},
		{"GET", "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}", members, f.getTeamRepository},
		{"GET", "/teams/{team_id}", members, f.getTeam},
	}
}

// repositoryRoutes serve the repository, its rules and who may do what in it.
func (f *Forge) repositoryRoutes() []operation {
	return []operation{
		{"GET", repo, metadata, f.getRepository},
		{"GET", repo + "/teams", read("administration"), f.listRepositoryTeams},
		{"GET", repo + "/collaborators/{username}", metadata, f.isCollaborator},
		{"GET", repo + "/collaborators/{username}/permission", metadata, f.getPermission},
		{"GET", repo + "/codeowners/errors", contents, f.listCodeownersErrors},
		{"GET", repo + "/activity", contents, f.listActivity},
		{"GET", repo + "/branches", contents, f.listBranches},
		{"GET", repo + "/branches/{branch}", contents, f.getBranch},
		{"GET", repo + "/rules/branches/{branch}", metadata, f.listBranchRules},
		{"GET", repo + "/rulesets", metadata, f.listRulesets},
		{"GET", repo + "/rulesets/{ruleset_id}", metadata, f.getRuleset},
	}
}

// commitRoutes serve commits, refs and git objects.
func (f *Forge) commitRoutes() []operation {
	return []operation{
		{"GET", repo + "/commits", contents, f.listCommits},
		{"GET", repo + "/commits/{ref}", contents, f.getCommit},
		{"GET", repo + "/commits/{commit_sha}/pulls", pulls, f.listCommitPulls},
		{"GET", repo + "/compare/{basehead:.+}", contents, f.compare},
		{"GET", repo + "/git/ref/{ref:.+}", contents, f.getRef},
		{"GET", repo + "/git/matching-refs/{ref:.+}", contents, f.listMatchingRefs},
		{"POST", repo + "/dispatches", write("contents"), f.createDispatch},
		{"POST", repo + "/git/refs", write("contents"), f.createRef},
		{"PATCH", repo + "/git/refs/{ref:.+}", write("contents"), f.updateRef},
		{"DELETE", repo + "/git/refs/{ref:.+}", write("contents"), f.deleteRef},
		{"GET", repo + "/git/blobs/{file_sha}", contents, f.getBlob},
		{"POST", repo + "/git/blobs", write("contents"), f.createBlob},
		{"GET", repo + "/git/trees/{tree_sha}", contents, f.getTree},
		{"POST", repo + "/git/trees", write("contents"), f.createTree},
		{"GET", repo + "/git/commits/{commit_sha}", contents, f.getGitCommit},
		{"POST", repo + "/git/commits", write("contents"), f.createGitCommit},
	}
}

// reportRoutes serve check runs and statuses.
func (f *Forge) reportRoutes() []operation {
	return []operation{
		{"POST", repo + "/check-runs", need{right: "checks:write", role: "read"}, f.createCheck},
		{"GET", repo + "/check-runs/{check_run_id}", read("checks"), f.getCheck},
		{"PATCH", repo + "/check-runs/{check_run_id}", need{right: "checks:write", role: "read"},
			f.updateCheck},
		{"GET", repo + "/commits/{ref}/check-runs", read("checks"), f.listChecks},
		{"POST", repo + "/statuses/{sha}", write("statuses"), f.createStatus},
		{"GET", repo + "/commits/{ref}/statuses", read("statuses"), f.listStatuses},
		{"GET", repo + "/commits/{ref}/status", read("statuses"), f.combinedStatus},
	}
}

// pullRoutes serve pull requests and their reviews.
func (f *Forge) pullRoutes() []operation {
	return []operation{
		{"GET", repo + "/pulls", pulls, f.listPulls},
		{"POST", repo + "/pulls", reviewing, f.createPull},
		{"GET", repo + "/pulls/{pull_number}", pulls, f.onPull(f.getPull)},
		{"PATCH", repo + "/pulls/{pull_number}", reviewing, f.onPull(f.patchPull)},
		{"GET", repo + "/pulls/{pull_number}/files", pulls, f.onPull(f.listPullFiles)},
		{"GET", repo + "/pulls/{pull_number}/commits", pulls, f.onPull(f.listPullCommits)},
		{"GET", repo + "/pulls/{pull_number}/reviews", pulls, f.onPull(f.listReviews)},
		{"POST", repo + "/pulls/{pull_number}/reviews", reviewing, f.onPull(f.createReview)},
		{"GET", repo + "/pulls/{pull_number}/reviews/{review_id}", pulls, f.onPull(f.getReview)},
		{"POST", repo + "/pulls/{pull_number}/reviews/{review_id}/events", reviewing,
			f.onPull(f.submitReview)},
		{"PUT", repo + "/pulls/{pull_number}/reviews/{review_id}/dismissals",
			write("pull_requests"),
			f.onPull(f.dismissReview)},
		{"GET", repo + "/pulls/{pull_number}/requested_reviewers", pulls,
			f.onPull(f.listReviewers)},
		{"POST", repo + "/pulls/{pull_number}/requested_reviewers", write("pull_requests"),
			f.onPull(f.requestReviewers)},
		{"GET", repo + "/pulls/{pull_number}/merge", pulls, f.onPull(f.isMerged)},
		{"PUT", repo + "/pulls/{pull_number}/merge", write("contents"), f.onPull(f.mergePull)},
		{"PUT", repo + "/pulls/{pull_number}/update-branch", write("pull_requests"),
			f.onPull(f.updateBranch)},
	}
}

// issueRoutes serve what pull requests have as issues: comments, events, labels.
func (f *Forge) issueRoutes() []operation {
	return []operation{
		{"GET", repo + "/issues/{issue_number}", metadata, f.onConversation(f.getIssue)},
		{"GET", repo + "/issues/{issue_number}/comments", metadata, f.onConversation(f.listComments)},
		{"POST", repo + "/issues/{issue_number}/comments", need{role: "read"}, f.onConversation(f.createComment)},
		{"PATCH", repo + "/issues/comments/{comment_id}", reviewing, f.onComment(f.updateComment)},
		{"DELETE", repo + "/issues/comments/{comment_id}", reviewing, f.onComment(f.deleteComment)},
		{"POST", repo + "/issues/{issue_number}/reactions", need{role: "read"}, f.onConversation(f.react)},
		{"POST", repo + "/issues/comments/{comment_id}/reactions", reviewing, f.reactToComment},
		{"GET", repo + "/issues/{issue_number}/timeline", pulls, f.onPull(f.listTimeline)},
		{"GET", repo + "/issues/{issue_number}/events", pulls, f.onPull(f.listEvents)},
		{"POST", repo + "/issues/{issue_number}/labels", write("pull_requests"),
			f.onPull(f.addLabels)},
		{"DELETE", repo + "/issues/{issue_number}/labels/{name}", write("pull_requests"),
			f.onPull(f.removeLabel)},
	}
}
