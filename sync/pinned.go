package sync

import (
	"context"
	"fmt"
	"strconv"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// pinned is which repository at GitHub the access repository is, by its number: a name can come to
// stand for another one, whose owners approve what they like. Whoever leads first notes the number
// on the Lease, for all replicas and for good.
type pinned struct {
	github *github.Client // nil: there is no repository at GitHub
	flag   int64          // of --repository-id; 0: not given
	known  bool           // noted was read
	noted  string         // on the Lease; empty: nothing yet
}

// read takes what the Lease says. Where it says nothing any more, the number from before holds.
func (p *pinned) read(noted string) {
	p.known, p.noted = true, noted
	id, err := github.ParseRepositoryID(noted)
	if p.github == nil || p.flag != 0 || err != nil {
		return // the flag was given to the client; what is no number is told as a problem
	}
	p.github.Pin(id)
}

// problem tells that it is not certain that the repository under the name is the one; empty when
// it is, or when GitHub did not tell its number yet, without which nothing is granted anyway.
func (p *pinned) problem() string {
	if p.github == nil {
		return ""
	}
	wanted, seen := p.github.RepositoryID()
	noted, err := github.ParseRepositoryID(p.noted)
	accept := fmt.Sprintf("; find out who replaced it. To accept another one: kubectl -n %s annotate "+
		"--overwrite lease %s %s=NUMBER, and --repository-id where that is given", kube.Namespace,
		kube.LeaseName, kube.AnnotationRepository)
	switch {
	case !p.known:
		return "which number the access repository must have is not known yet"
	case p.noted != "" && err != nil:
		return fmt.Sprintf("the number of the access repository on the Lease is %s, which is none%s",
			requests.Quote(p.noted), accept)
	case p.noted != "" && p.flag != 0 && noted != p.flag:
		return fmt.Sprintf("--repository-id is %d, and the agent was first run for the repository "+
			"with number %d%s", p.flag, noted, accept)
	case seen != 0 && seen != wanted:
		return fmt.Sprintf("the repository at GitHub has the number %d, and the agent is for the "+
			"one with number %d%s", seen, wanted, accept)
	}
	return ""
}

// note writes the number on the Lease, once GitHub told it, where none is.
func (p *pinned) note(ctx context.Context, c *kube.Cluster) error {
	if p.github == nil || p.noted != "" || p.problem() != "" {
		return nil
	}
	_, seen := p.github.RepositoryID()
	if seen == 0 {
		return nil
	}
	text := strconv.FormatInt(seen, 10)
	if err := c.Note(ctx, kube.AnnotationRepository, text); err != nil {
		return err
	}
	p.noted = text
	return nil
}
