package corpus

import "slices"

// apart are families whose servers have further flags, under which the others would be answered otherwise.
var apart = map[string][]string{
	"eventrates":      {"--enable-admission-plugins=EventRateLimit"},
	"noderestriction": {"--enable-admission-plugins=NodeRestriction"},
	"unprivileged":    {"--allow-privileged=false"},
	"plugins":         {"--enable-admission-plugins=AlwaysPullImages,DenyServiceExternalIPs,ExtendedResourceToleration,LimitPodHardAntiAffinityTopology,OwnerReferencesPermissionEnforcement,PodTolerationRestriction"},
}

// Group is scenarios that are asked of one server.
type Group struct {
	// Flags come after those that every server has, and win over them.
	Flags     []string
	Scenarios []Scenario
}

// Groups parts scenarios by the servers that they need.
func Groups(scenarios []Scenario) []Group {
	var common Group
	var others []Group
	for _, scenario := range scenarios {
		flags, own := apart[scenario.Family]
		if !own {
			common.Scenarios = append(common.Scenarios, scenario)
			continue
		}
		at := slices.IndexFunc(others, func(g Group) bool { return g.Scenarios[0].Family == scenario.Family })
		if at < 0 {
			at, others = len(others), append(others, Group{Flags: flags})
		}
		others[at].Scenarios = append(others[at].Scenarios, scenario)
	}
	if len(common.Scenarios) == 0 {
		return others
	}
	return append([]Group{common}, others...)
}
