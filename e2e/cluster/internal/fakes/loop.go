package fakes

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// tick is how late a fake may notice that a time has come.
const tick = 50 * time.Millisecond

// bell wakes a loop. Ringing it twice before the loop looks is the same as once.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// on rings at every change of the informer's objects.
func (b bell) on(sources ...cache.SharedIndexInformer) {
	for _, source := range sources {
		// Only a stopped informer refuses a handler.
		_, _ = source.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { b.ring() },
			UpdateFunc: func(any, any) { b.ring() },
			DeleteFunc: func(any) { b.ring() },
		})
	}
}

// repeat calls sync at every bell and every tick until the context ends.
func repeat(ctx context.Context, b bell, sync func(context.Context)) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b:
		case <-ticker.C:
		}
		sync(ctx)
	}
}

// logged is for writes that the next round repeats. Objects that changed or vanished meanwhile are no news.
func logged(what string, err error) {
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		klog.ErrorS(err, "fake failed", "at", what)
	}
}
