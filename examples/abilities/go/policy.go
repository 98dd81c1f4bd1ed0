// Every ability that a binding can grant, in Go: what the policy is told becomes annotations.
package main

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse.dev/policy"
	"gatehouse.dev/policy/authorizer"
	"gatehouse.dev/policy/cluster"
	"gatehouse.dev/policy/log"
	"gatehouse.dev/policy/mutator"
)

// ConfigMap is the part of one that the policy reads.
type ConfigMap struct {
	Metadata struct{ Name string }
	Data     map[string]string
}

var (
	configMaps = policy.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	secrets    = policy.GroupVersionResource{Version: "v1", Resource: "secrets"}
	getSecrets = authorizer.Attributes{Verb: "get", Resource: "secrets"}
)

func init() {
	mutator.Serve(policy.Mutator[policy.NoSettings, struct{}]{
		About: policy.About{
			Name:        "abilities",
			Version:     "0.1.0",
			Description: "Writes down what it is told of the cluster.",
			Reads:       []string{"metadata"},
			Writes:      []string{"metadata.annotations"},
		},
		Mutate: mutate,
	})
}

func mutate(_ *policy.NoSettings, review *policy.Review[struct{}], patch *policy.Patch) error {
	log.Info("asking")
	request := review.Request
	var owner, missing ConfigMap
	found, err := cluster.Get(configMaps, request.Namespace, "owner", nil, &owner)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("no owner")
	}
	all, err := cluster.List[ConfigMap](configMaps, "", "", []string{"metadata.name"})
	if err != nil {
		return err
	}
	names := []string{}
	for _, one := range all {
		names = append(names, one.Metadata.Name)
	}
	account, err := authorizer.ServiceAccount(request.Namespace, "web", getSecrets)
	if err != nil {
		return err
	}
	requester, err := authorizer.Requester(getSecrets)
	if err != nil {
		return err
	}
	annotate := func(name, value string) { patch.Set(value, "metadata", "annotations", name) }
	annotate("owner", owner.Data["team"])
	annotate("others", fmt.Sprintf("%d %s", len(all), strings.Join(names, ",")))
	annotate("may", fmt.Sprintf("%t %t", account.Allowed, requester.Allowed))
	if found, err := cluster.Get(configMaps, request.Namespace, "no", nil, &missing); err == nil && !found {
		annotate("missing", "none")
	}
	user := request.User
	annotate("who", fmt.Sprintf("%s %s %s %d", user.Name, strings.Join(user.Groups, ","), request.Operation, request.Time.Year()))
	if _, err := cluster.List[ConfigMap](secrets, "", "", nil); errors.Is(err, cluster.ErrForbidden) {
		patch.Warning(err.Error())
	}
	return nil
}

func main() {}
