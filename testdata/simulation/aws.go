package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/awsauth"
)

// hasAWS is a cluster on EKS: people come in by aws-auth, and a process keeps that in step with the
// grants.
const hasAWS = "aws-auth"

// arn is alice's.
const arn = "arn:aws:iam::111122223333:user/alice"

var awsKeepers = program{"aws", render.AWS, restart, func(p *replica, n *wire) (runs, error) {
	keeper, err := awsauth.NewProcess(awsauth.Config{Cluster: p.site.name, Kubernetes: n.kubernetes(),
		Clock: p.clock, Version: version1, Logger: n.logger()})
	if err != nil {
		return nil, err
	}
	return keeper.Run, nil
}}

// listed is whom others let into a cluster.
const listed = `apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data:
  mapRoles: |
    - rolearn: arn:aws:iam::111122223333:role/nodes
      username: system:node:{{EC2PrivateDNSName}}
      groups: [system:bootstrappers, system:nodes]
  mapUsers: |
    # by hand
    - userarn: arn:aws:iam::111122223333:user/root
      username: root
      groups: [system:masters]
`

// listEdited is an administrator who lets somebody else in, by hand, and takes that back.
var listEdited = beside{"aws-auth edited", 5000, false, func(w *world, s *site, _ string) func() {
	if !s.aws {
		return nil
	}
	s.edits++
	entry := fmt.Sprintf("- userarn: arn:aws:iam::111122223333:user/other-%d\n  username: other\n",
		s.edits)
	s.edit(func(text string) string { return text + entry })
	return func() { s.edit(func(text string) string { return strings.Replace(text, entry, "", 1) }) }
}}

// edit changes the list by hand. Nothing else happens meanwhile.
func (s *site) edit(change func(text string) string) {
	const path = "/api/v1/namespaces/" + render.AWSAuthNamespace + "/configmaps/" + render.AWSAuth
	data, err := s.asked(http.MethodGet, path, nil)
	if err != nil {
		s.w.note("people fail: %v", err)
		return
	}
	var list struct {
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		panic(err) // the API server answers JSON
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{
		render.MapUsers: change(list.Data[render.MapUsers])}})
	if err != nil {
		panic(err) // text always encodes
	}
	if _, err := s.asked(http.MethodPatch, path, patch); err != nil {
		s.w.note("people fail: %v", err)
	}
}
