package forge

import (
	"net/http"
	"strconv"
	"time"
)

// budget is what an account spent of its points of GraphQL within an hour, which are counted apart
// from calls of REST.
type budget struct {
	used  int
	reset time.Time
}

func (f *Forge) budget(who identity) *budget {
	b := f.points[who.user]
	if b == nil || !f.now().Before(b.reset) {
		b = &budget{reset: f.now().Add(time.Hour)}
		f.points[who.user] = b
	}
	return b
}

func (b *budget) json(limit int) object {
	return object{"limit": limit, "remaining": limit - b.used, "used": b.used,
		"reset": b.reset.Unix()}
}

func (b *budget) header(limit int) http.Header {
	header := http.Header{}
	for name, value := range map[string]int64{"Limit": int64(limit), "Used": int64(b.used),
		"Remaining": int64(limit - b.used), "Reset": b.reset.Unix()} {
		header.Set("X-Ratelimit-"+name, strconv.FormatInt(value, 10))
	}
	header.Set("X-Ratelimit-Resource", "graphql")
	return header
}
