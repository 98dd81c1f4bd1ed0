package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/capabilities"
	_ "k8s.io/kubernetes/pkg/controlplane" // registers every kind
	"k8s.io/kubernetes/pkg/registry/apps/controllerrevision"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/podtemplate"
	"k8s.io/kubernetes/pkg/registry/core/replicationcontroller"
)

type strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
}

var strategies = map[string]strategy{
	"Pod": pod.Strategy, "PodTemplate": podtemplate.Strategy, "ReplicationController": replicationcontroller.Strategy,
	"ControllerRevision": controllerrevision.Strategy, "DaemonSet": daemonset.Strategy, "Deployment": deployment.Strategy,
	"ReplicaSet": replicaset.Strategy, "StatefulSet": statefulset.Strategy, "Job": job.Strategy, "CronJob": cronjob.Strategy,
}

var subresources = map[string]rest.RESTUpdateStrategy{
	"Pod/status": pod.StatusStrategy, "Pod/ephemeralcontainers": pod.EphemeralContainersStrategy, "Pod/resize": pod.ResizeStrategy,
	"ReplicationController/status": replicationcontroller.StatusStrategy, "DaemonSet/status": daemonset.StatusStrategy,
	"Deployment/status": deployment.StatusStrategy, "ReplicaSet/status": replicaset.StatusStrategy,
	"StatefulSet/status": statefulset.StatusStrategy, "Job/status": job.StatusStrategy, "CronJob/status": cronjob.StatusStrategy,
}

func init() {
	capabilities.Setup(true, 0)
}

// ask fills in what upstream says of a case.
func ask(bases map[string]json.RawMessage, asked *Case) error {
	base, known := bases[asked.Base]
	if !known {
		return fmt.Errorf("no base %q", asked.Base)
	}
	text, err := jsonpatch.MergePatch(base, asked.New)
	if err != nil {
		return err
	}
	object, kind, err := decode(text)
	if err != nil {
		return err
	}
	ctx := requested(*kind, asked.Do)
	var errs field.ErrorList
	asked.Errors, asked.Warnings, asked.Made = nil, nil, nil
	if asked.Do == "create" {
		strategy := strategies[kind.Kind]
		strategy.PrepareForCreate(ctx, object)
		errs = rest.ValidateCreate(ctx, object, strategy)
		asked.Warnings = strategy.WarningsOnCreate(ctx, object)
	} else {
		before, err := jsonpatch.MergePatch(base, asked.Old)
		if err != nil {
			return err
		}
		old, _, err := decode(before)
		if err != nil {
			return err
		}
		var strategy rest.RESTUpdateStrategy = strategies[kind.Kind]
		if asked.Do != "update" {
			strategy = subresources[kind.Kind+"/"+asked.Do]
		}
		strategy.PrepareForUpdate(ctx, object, old)
		errs = rest.ValidateUpdate(ctx, object, old, strategy)
		asked.Warnings = strategy.WarningsOnUpdate(ctx, object, old)
	}
	for _, err := range errs {
		// What follows is a difference of internal types, for people.
		message, _, _ := strings.Cut(err.Error(), "\n@@")
		asked.Errors = append(asked.Errors, message)
	}
	if len(errs) > 0 {
		return nil
	}
	return made(asked, text, object, *kind)
}

// requested is the context of a request for a kind, which some rules look at.
func requested(kind schema.GroupVersionKind, do string) context.Context {
	info := &request.RequestInfo{IsResourceRequest: true, APIGroup: kind.Group, APIVersion: kind.Version}
	if do != "create" && do != "update" {
		info.Subresource = do
	}
	ctx := request.WithRequestInfo(context.Background(), info)
	return request.WithUser(ctx, &user.DefaultInfo{Name: "somebody", Groups: []string{"system:authenticated"}})
}

// decode reads an object with its defaults and gives it what every stored object has.
func decode(text []byte) (runtime.Object, *schema.GroupVersionKind, error) {
	object, kind, err := legacyscheme.Codecs.UniversalDecoder().Decode(text, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	metadata, err := meta.Accessor(object)
	if err != nil {
		return nil, nil, err
	}
	metadata.SetUID("u1")
	metadata.SetResourceVersion("1")
	return object, kind, nil
}

func made(asked *Case, text []byte, object runtime.Object, kind schema.GroupVersionKind) error {
	codec := legacyscheme.Codecs.LegacyCodec(kind.GroupVersion())
	stored, err := runtime.Encode(codec, object)
	if err != nil {
		return err
	}
	// What a client reads has been decoded from the store, with defaults for what preparation took away.
	read, err := runtime.Decode(codec, stored)
	if err != nil {
		return err
	}
	if stored, err = runtime.Encode(codec, read); err != nil {
		return err
	}
	asked.Made, err = jsonpatch.CreateMergePatch(text, withoutNow(stored))
	return err
}

// withoutNow puts a fixed time where upstream's clock was read, which is any time of this hour or the one before.
func withoutNow(stored []byte) []byte {
	now := time.Now().UTC()
	return times.ReplaceAllFunc(stored, func(text []byte) []byte {
		at, err := time.Parse(time.RFC3339, strings.Trim(string(text), `"`))
		if err != nil || now.Sub(at).Abs() > time.Hour {
			return text
		}
		return []byte(`"2000-01-01T00:00:00Z"`)
	})
}

var times = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`)
