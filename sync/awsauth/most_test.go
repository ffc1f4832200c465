package awsauth

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/sync/kube"
)

// TestMostInAList: of the longest list that somebody is let in by, with the most people of
// pullgrant's, the fence lets each be taken out again; and nobody be let in by a longer one.
func TestMostInAList(t *testing.T) {
	const entries, bytes = 500, 256 << 10
	w := newWorld(t)
	c, err := kube.NewCluster(w.config, w.Cluster, 0, nil)
	w.Must(err)
	person := func(n int, request string) string {
		user := fmt.Sprintf("person%04d", n) // as long as each other's
		return entry("arn:aws:iam::111122223333:user/"+user, user+"@example.com",
			"20261123-"+user+"-"+request)
	}
	write := func(what, before, after string, may bool) {
		t.Helper()
		w.SetAWSAuth(before, "")
		auth, err := c.AWSAuth(t.Context())
		w.Must(err)
		if err := c.SetMapUsers(t.Context(), auth, after); (err == nil) != may {
			t.Errorf("%s: %v", what, err)
		}
	}
	var people strings.Builder
	for n := range entries - 1 {
		people.WriteString(person(n, "inc-1"))
	}
	last := person(entries, "inc-1")
	most := people.String()
	for n := 0; ; n++ {
		other := fmt.Sprintf("- userarn: arn:aws:iam::111122223333:user/other%d\n  username: other%[1]d\n", n)
		if len(most)+len(other) > bytes {
			break
		}
		most += other
	}
	most += "#" + strings.Repeat("a", bytes-len(most)-2) + "\n"
	write("the last one comes in", most, most+last, true)
	write("the last one goes", most+last, most, true)
	first := person(0, "inc-1")
	write("the first one goes", most+last, strings.TrimPrefix(most, first)+last, true)
	write("the last one is in for another request", most+last, most+person(entries, "inc-2"), true)
	write("one more comes in", people.String()+last, people.String()+last+person(9999, "inc-1"), false)
	write("one comes into a longer list", most+"#\n", most+"#\n"+last, false)
}
