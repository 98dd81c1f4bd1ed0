package aggregation

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const crateGroup = "stock.example.com"

// Crate is a kind that only the extension server knows.
type Crate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Content is what is in it.
	Content string `json:"content,omitempty"`
}

// CrateList is a list of them.
type CrateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Crate `json:"items"`
}

func (c *Crate) DeepCopyObject() runtime.Object {
	copied := *c
	c.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	return &copied
}

func (l *CrateList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.Items = nil
	for i := range l.Items {
		copied.Items = append(copied.Items, *l.Items[i].DeepCopyObject().(*Crate))
	}
	return &copied
}

// OpenAPIModelName is how OpenAPI calls the kind.
func (Crate) OpenAPIModelName() string { return "com.example.stock.v1.Crate" }

// OpenAPIModelName is how OpenAPI calls the kind.
func (CrateList) OpenAPIModelName() string { return "com.example.stock.v1.CrateList" }

func addCrates(scheme *runtime.Scheme) {
	v1 := schema.GroupVersion{Group: crateGroup, Version: "v1"}
	for _, version := range []schema.GroupVersion{v1, {Group: crateGroup, Version: runtime.APIVersionInternal}} {
		scheme.AddKnownTypes(version, &Crate{}, &CrateList{})
	}
	metav1.AddToGroupVersion(scheme, v1)
	if err := scheme.SetVersionPriority(v1); err != nil {
		panic(err)
	}
}

func crateDefinitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	text := func(description string) spec.Schema {
		return spec.Schema{SchemaProps: spec.SchemaProps{Description: description, Type: []string{"string"}, Format: ""}}
	}
	refers := func(model string) spec.Schema {
		return spec.Schema{SchemaProps: spec.SchemaProps{Ref: ref(model), Default: map[string]any{}}}
	}
	meta, listMeta := metav1.ObjectMeta{}.OpenAPIModelName(), metav1.ListMeta{}.OpenAPIModelName()
	object := func(description string, properties map[string]spec.Schema, depends ...string) common.OpenAPIDefinition {
		properties["kind"], properties["apiVersion"] = text("What it is."), text("In which version.")
		schema := spec.Schema{SchemaProps: spec.SchemaProps{Description: description, Type: []string{"object"}, Properties: properties}}
		return common.OpenAPIDefinition{Schema: schema, Dependencies: depends}
	}
	crate, items := Crate{}.OpenAPIModelName(), spec.Schema{}
	inner := refers(crate)
	items.Type, items.Items = []string{"array"}, &spec.SchemaOrArray{Schema: &inner}
	return map[string]common.OpenAPIDefinition{
		crate:                          object("Crate holds what is stocked.", map[string]spec.Schema{"metadata": refers(meta), "content": text("Content is what is in it.")}, meta),
		CrateList{}.OpenAPIModelName(): object("CrateList is a list of them.", map[string]spec.Schema{"metadata": refers(listMeta), "items": items}, crate, listMeta),
	}
}

// crates holds them in memory.
type crates struct {
	rest.TableConvertor
	mutex   sync.Mutex
	version int
	all     map[types.NamespacedName]*Crate
	told    *watch.Broadcaster
	// log is every event, for who begins to watch a moment after a list.
	log []watch.Event
}

func newCrates() *crates {
	resource := schema.GroupResource{Group: crateGroup, Resource: "crates"}
	return &crates{TableConvertor: rest.NewDefaultTableConvertor(resource), all: map[types.NamespacedName]*Crate{}, told: watch.NewBroadcaster(100, watch.WaitIfChannelFull)}
}

func (c *crates) New() runtime.Object     { return &Crate{} }
func (c *crates) NewList() runtime.Object { return &CrateList{} }
func (c *crates) Destroy()                {}
func (c *crates) NamespaceScoped() bool   { return true }
func (c *crates) GetSingularName() string { return "crate" }
func (c *crates) ShortNames() []string    { return []string{"cr8"} }

func place(ctx context.Context, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: request.NamespaceValue(ctx), Name: name}
}

func missing(name string) error {
	return errors.NewNotFound(schema.GroupResource{Group: crateGroup, Resource: "crates"}, name)
}

// put stores an object and tells watchers; the mutex is held.
func (c *crates) put(at types.NamespacedName, crate *Crate, what watch.EventType) *Crate {
	c.version++
	crate = crate.DeepCopyObject().(*Crate)
	crate.ResourceVersion = strconv.Itoa(c.version)
	if what == watch.Deleted {
		delete(c.all, at)
	} else {
		c.all[at] = crate
	}
	c.log = append(c.log, watch.Event{Type: what, Object: crate.DeepCopyObject()})
	_ = c.told.Action(what, crate.DeepCopyObject())
	return crate.DeepCopyObject().(*Crate)
}

func (c *crates) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if crate := c.all[place(ctx, name)]; crate != nil {
		return crate.DeepCopyObject(), nil
	}
	return nil, missing(name)
}

func (c *crates) List(ctx context.Context, _ *internalversion.ListOptions) (runtime.Object, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	list := &CrateList{Items: []Crate{}}
	list.ResourceVersion = strconv.Itoa(c.version)
	for at, crate := range c.all {
		if namespace := request.NamespaceValue(ctx); namespace == "" || namespace == at.Namespace {
			list.Items = append(list.Items, *crate.DeepCopyObject().(*Crate))
		}
	}
	sort.Slice(list.Items, func(i, j int) bool { return list.Items[i].Name < list.Items[j].Name })
	return list, nil
}

func (c *crates) Watch(ctx context.Context, options *internalversion.ListOptions) (watch.Interface, error) {
	namespace := request.NamespaceValue(ctx)
	// What was told before the watch begins has its place before it.
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var missed []watch.Event
	if from, err := strconv.Atoi(options.ResourceVersion); err == nil {
		missed = append(missed, c.log[min(from, len(c.log)):]...)
	}
	watcher, err := c.told.WatchWithPrefix(missed)
	if err != nil {
		return nil, err
	}
	return watch.Filter(watcher, func(event watch.Event) (watch.Event, bool) {
		crate, ok := event.Object.(*Crate)
		return event, ok && (namespace == "" || namespace == crate.Namespace)
	}), nil
}

func (c *crates) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	crate := object.(*Crate)
	crate.Namespace, crate.UID, crate.CreationTimestamp = request.NamespaceValue(ctx), uuid.NewUUID(), metav1.Now()
	if err := validate(ctx, crate); err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	at := place(ctx, crate.Name)
	if c.all[at] != nil {
		return nil, errors.NewAlreadyExists(schema.GroupResource{Group: crateGroup, Resource: "crates"}, crate.Name)
	}
	return c.put(at, crate, watch.Added), nil
}

func (c *crates) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, validate rest.ValidateObjectUpdateFunc, orCreate bool, _ *metav1.UpdateOptions) (runtime.Object, bool, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	at := place(ctx, name)
	before := c.all[at]
	if before == nil && !orCreate {
		return nil, false, missing(name)
	}
	if before == nil {
		made, err := info.UpdatedObject(ctx, &Crate{})
		if err != nil {
			return nil, false, err
		}
		crate := made.(*Crate)
		crate.Namespace, crate.UID, crate.CreationTimestamp = at.Namespace, uuid.NewUUID(), metav1.Now()
		if err := create(ctx, crate); err != nil {
			return nil, false, err
		}
		return c.put(at, crate, watch.Added), true, nil
	}
	made, err := info.UpdatedObject(ctx, before.DeepCopyObject())
	if err != nil {
		return nil, false, err
	}
	crate := made.(*Crate)
	if crate.ResourceVersion != before.ResourceVersion && crate.ResourceVersion != "" {
		return nil, false, errors.NewConflict(schema.GroupResource{Group: crateGroup, Resource: "crates"}, name, fmt.Errorf("it changed meanwhile"))
	}
	if err := validate(ctx, crate, before); err != nil {
		return nil, false, err
	}
	return c.put(at, crate, watch.Modified), false, nil
}

func (c *crates) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, _ *metav1.DeleteOptions) (runtime.Object, bool, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	at := place(ctx, name)
	crate := c.all[at]
	if crate == nil {
		return nil, false, missing(name)
	}
	if err := validate(ctx, crate); err != nil {
		return nil, false, err
	}
	return c.put(at, crate, watch.Deleted), true, nil
}
