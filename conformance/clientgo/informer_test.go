// Package clientgo checks what client-go's informers rely on.
package clientgo

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"

	"gatehouse.dev/conformance/harness"

	"context"

	"k8s.io/apimachinery/pkg/runtime"
)

const (
	objects = 10_000
	writers = 32
)

// TestInformerOfTenThousand lists, follows and resumes over ten thousand objects.
func TestInformerOfTenThousand(t *testing.T) {
	s := harness.Start(t)
	client := s.Client()
	fill(t, func(i int) error {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("cm-%05d", i), Labels: map[string]string{"half": fmt.Sprint(i % 2)}}}
		_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), object, metav1.CreateOptions{})
		return err
	})

	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace("default"))
	informer := factory.Core().V1().ConfigMaps().Informer()
	var updated, deleted atomic.Int64
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, after any) {
			if before.(*corev1.ConfigMap).ResourceVersion != after.(*corev1.ConfigMap).ResourceVersion {
				updated.Add(1)
			}
		},
		DeleteFunc: func(any) { deleted.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	if !cache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) {
		t.Fatal("the informer never synced")
	}
	// kube-root-ca.crt is published into the namespace by a controller.
	harness.Eventually(t, "the informer holding every object", func() bool { return len(informer.GetStore().List()) == objects+1 })

	for i := range 100 {
		name := fmt.Sprintf("cm-%05d", i)
		if _, err := client.CoreV1().ConfigMaps("default").Patch(t.Context(), name, "application/merge-patch+json", []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.CoreV1().ConfigMaps("default").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "half=1"}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "every change reaching the informer", func() bool { return updated.Load() >= 100 && deleted.Load() == objects/2 })

	s.Kill()
	s.Restart()
	t.Log("restarted; pages read by a new client")
	paged := 0
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return s.Client().CoreV1().ConfigMaps("default").List(ctx, options)
	})
	list.PageSize = 700
	if err := list.EachListItem(t.Context(), metav1.ListOptions{}, func(runtime.Object) error { paged++; return nil }); err != nil {
		t.Fatal(err)
	}
	if paged != objects/2+1 {
		t.Errorf("pages held %d objects", paged)
	}
}

// TestOldRevisionIsGone asks for a watch from before the server's memory and gets 410, as informers need to list again.
func TestOldRevisionIsGone(t *testing.T) {
	s := harness.Start(t)
	client := s.Client()
	first, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// History does not outlive the process.
	s.Kill()
	s.Restart()
	client = s.Client()
	if _, err := client.CoreV1().ConfigMaps("default").Patch(t.Context(), "a", "application/merge-patch+json", []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w, err := client.CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1"})
	if err == nil {
		defer w.Stop()
		event := <-w.ResultChan()
		if event.Type != watch.Error {
			t.Fatalf("a watch from revision 1 (the object is at %s) gave %s", first.ResourceVersion, event.Type)
		}
		err = apierrors.FromObject(event.Object)
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Fatalf("a watch from revision 1 gave %v", err)
	}
}

// fill runs one call for each object, some at once.
func fill(t *testing.T, create func(int) error) {
	t.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < objects; i = int(next.Add(1)) - 1 {
				if err := create(i); err != nil {
					t.Errorf("object %d: %v", i, err)
					return
				}
			}
		})
	}
	group.Wait()
}
