package forge

import (
	"fmt"
	"slices"
	"time"
)

// reaction is what one account thinks of an issue, pull request or comment. It has each kind once.
type reaction struct {
	id      int64
	author  *user
	content string
	when    time.Time
}

// addReaction answers 201 to a new reaction, and 200 to one that the account has made before.
// https://docs.github.com/rest/reactions/reactions#create-reaction-for-an-issue
func (f *Forge) addReaction(c *call, all *[]reaction) answer {
	var in struct{ Content string }
	if !c.into(&in) || !slices.Contains([]string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket",
		"eyes"}, in.Content) {
		return invalid(object{"resource": "Reaction", "field": "content", "code": "invalid"})
	}
	answering := ok
	i := slices.IndexFunc(*all, func(r reaction) bool { return r.author == c.who.user && r.content == in.Content })
	if i < 0 {
		answering, i = created, len(*all)
		*all = append(*all, reaction{f.nextID(), c.who.user, in.Content, f.now()})
	}
	r := (*all)[i]
	return answering(object{"id": r.id, "node_id": fmt.Sprintf("REA_%d", r.id), "user": f.userJSON(r.author),
		"content": r.content, "created_at": stamp(r.when)})
}

func (f *Forge) react(c *call, p *pull) answer { return f.addReaction(c, &p.reactions) }

func (f *Forge) reactToComment(c *call) answer {
	for _, p := range f.pulls {
		for _, m := range p.comments {
			if m.id == c.number("comment_id") {
				return f.addReaction(c, &m.reactions)
			}
		}
	}
	return notFound()
}

// Reactions are the kinds that the account of a login has made to a pull request.
func (f *Forge) Reactions(number int, login string) (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.pulls {
		for _, r := range p.reactions {
			if p.number == number && r.author.login == login {
				all = append(all, r.content)
			}
		}
	}
	return all
}
