package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/render"
)

// channels compares the channels that policies have the agent tell with those whose addresses it has.
// Of the addresses nothing is looked at but their names.
func (v *visit) channels(ctx context.Context) {
	if v.ungiven != nil {
		v.skip("channels", "%v", v.ungiven)
		return
	}
	named := v.Tree.AgentChannels(v.Name)
	if len(named) == 0 {
		v.skip("channels", "no policy has the agent tell one")
		return
	}
	has, err := v.cluster.Keys(ctx, render.ChannelsSecret)
	missing := slices.DeleteFunc(slices.Clone(named), func(name string) bool { return slices.Contains(has, name) })
	switch {
	case err != nil:
		v.unknown("channels", err, "look as an administrator of the cluster")
	case len(missing) > 0:
		v.note("channels", Wrong, "kubectl -n pullgrant-system create secret generic "+render.ChannelsSecret+
			" --from-file="+strings.Join(missing, " --from-file=")+", or patch it; then restart the agent",
			"the Secret %s has no %s", render.ChannelsSecret, names(missing))
	case v.there && v.agent.Flag("channels-dir") == "":
		v.note("channels", Wrong, v.apply(), "the agent does not look for addresses")
	default:
		v.ok("channels", "%s", names(named))
	}
}
