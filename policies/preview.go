package policies

import (
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// factsOf are the facts of a request file that no pull request is known of.
func factsOf(commit, name string, file TreeFile) Facts {
	return Facts{Head: Tree{Commit: commit, Files: map[string]TreeFile{name: file}},
		Files: []File{{Path: name, Status: "added"}}}
}

// encode writes a request as its file.
func encode(request requests.AccessRequest) []byte {
	content, err := request.Marshal()
	if err != nil {
		panic("policies: write a request: " + err.Error()) // texts and a duration always encode
	}
	return content
}

// Preview judges what a request file says against the policies in tree, before there is a pull
// request: Allowed means that nothing that the files tell speaks against it. The Grant has no
// window.
func Preview(tree Tree, name string, file TreeFile) Decision {
	return preview(tree, name, file, Facts{}).finish()
}

// Recall is Preview of a request that was approved, by the records of its approvers: what they left.
func Recall(tree Tree, name string, file TreeFile, approvers []requests.Approver) Decision {
	j := preview(tree, name, file, Facts{})
	j.decision.Narrowed = requests.Narrowings(approvers)
	return j.finish()
}

// Ask is Preview by the one who is about to open the pull request, known's author. It goes by what
// GitHub told: what known does not hold of permissions and teams is not judged, nor times without
// that of its observation, nor what the requester has without the request in its head. Allowed
// means that only approvals can be missing, and that somebody can give them.
func Ask(tree Tree, name string, file TreeFile, known Facts) Decision {
	return preview(tree, name, file, known).finish()
}

// Has finds what known's author has already of what a request asks for, where Ask refuses it as
// AlreadyGranted for that.
func Has(tree Tree, name string, file TreeFile, known Facts) (Live, bool) {
	j := preview(tree, name, file, known)
	if j.decision.Code != AlreadyGranted {
		return Live{}, false
	}
	return j.has()
}

func preview(tree Tree, name string, file TreeFile, known Facts) *judge {
	f := factsOf("", name, file)
	f.PullRequest.Author, f.Repository = known.PullRequest.Author, known.Repository
	f.Users, f.Answers, f.UsedNames = known.Users, known.Answers, known.UsedNames
	f.CodeownersErrors, f.Live, f.Extended = known.CodeownersErrors, known.Live, known.Extended
	f.Owed = known.Owed
	j := newJudge(tree, f, known.ObservedAt.Time)
	j.readRequest(f.Head)
	j.run(j.fileSteps()...)
	j.run(j.policySteps()...)
	j.run(step{RequesterNotAllowed, j.asks}, step{AccessDenied, j.surelyDenied},
		step{RequestIDReused, j.reused})
	if f.Owed != nil {
		j.run(j.debtSteps()...)
	}
	if known.Head.Files != nil {
		j.run(step{ExtensionNotAllowed, j.extension}, step{AlreadyGranted, j.already})
	}
	j.run(step{InsufficientApprovals, j.approvable})
	if j.decision.Outcome == Pending {
		j.decision.Outcome = Denied // waiting mends nothing
	}
	for _, c := range j.conditions() {
		if result, ok := j.world.stands(j.facts, c, tally{}); ok {
			j.decision.Challenges = append(j.decision.Challenges, result)
		}
	}
	return j
}

// asks is author as far as it is known before there is a pull request.
func (j *judge) asks() string {
	author := j.facts.PullRequest.Author
	if author != (User{}) {
		if problem := j.isRequester(); problem != "" {
			return j.field("spec.requester", RequesterNotAllowed, problem)
		}
		if _, told := j.facts.Users[strings.ToLower(author.Login)]; told && !j.canWrite(author) {
			return j.field("spec.requester", RequesterNotAllowed, noWrite(author))
		}
	}
	s := j.mayAsk()
	if s.Decision == standsDenied {
		return j.field("spec.requester", s.Code, s.Message)
	}
	return ""
}

// approvable refuses a request that nobody could approve, before its author waits for that: its
// requester is one of too few. Who is in a GitHub team is not known here.
func (j *judge) approvable() string {
	if j.facts.PullRequest.Author == (User{}) || j.breaksGlass() {
		return ""
	}
	login := j.request.Spec.Requester
	for _, a := range j.world.approvals(j.request.Spec.Cluster) {
		if !a.possible(login, j.decision.Grant.Behalf) {
			return fmt.Sprintf("a request of @%s could never be approved: %s besides them; ask for "+
				"others to be named", login, a.needs())
		}
	}
	return ""
}
