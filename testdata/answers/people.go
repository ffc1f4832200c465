package answers

import (
	"net/http"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
)

func (s *Server) repository(*http.Request) (int, any) {
	r := s.Scenario.Facts.Repository
	owner := fields{"login": r.Owner, "id": 9000, "type": "User"}
	if r.Organization {
		owner["type"] = "Organization"
	}
	return http.StatusOK, fields{"id": r.ID, "name": r.Name, "full_name": r.Owner + "/" + r.Name,
		"owner": owner, "default_branch": r.DefaultBranch}
}

func (s *Server) permission(r *http.Request) (int, any) {
	u, known := s.Scenario.Facts.Users[strings.ToLower(r.PathValue("username"))]
	if !known {
		return untold()
	}
	return http.StatusOK, fields{"permission": u.Permission, "role_name": u.Permission,
		"user": fields{"login": r.PathValue("username"), "id": u.ID, "type": "User"}}
}

func (s *Server) member(r *http.Request) (int, any) {
	u, known := s.Scenario.Facts.Users[strings.ToLower(r.PathValue("username"))]
	switch {
	case !known:
		return untold()
	case !u.Member:
		return missing()
	}
	return http.StatusNoContent, nil
}

func (s *Server) team(r *http.Request) (int, any) {
	if !s.shows(teamOf(r)) {
		return missing()
	}
	return http.StatusOK, fields{"id": 1, "name": r.PathValue("team_slug"),
		"slug": r.PathValue("team_slug")}
}

func (s *Server) membership(r *http.Request) (int, any) {
	member, known := s.Scenario.Facts.Answers[policies.AboutMember(teamOf(r),
		r.PathValue("username"))]
	switch {
	case !s.shows(teamOf(r)): // as GitHub answers of a team it does not show
		return missing()
	case !known:
		return untold()
	case !member:
		return missing()
	}
	return http.StatusOK, fields{"state": "active", "role": "member"}
}

// shows is whether the scenario says of somebody whether they are in the team.
func (s *Server) shows(team string) bool {
	for q := range s.Scenario.Facts.Answers {
		if q.Team == team {
			return true
		}
	}
	return false
}

// teamOf is the team as facts write it.
func teamOf(r *http.Request) string {
	return strings.ToLower(r.PathValue("org") + "/" + r.PathValue("team_slug"))
}
