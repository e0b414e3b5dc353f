package fakes

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// loadBalancer stands for the service controller of a cloud: every Service of type LoadBalancer gets one address, which
// it keeps until it is deleted or changes its type.
//
// It does not forward traffic, does not honor spec.loadBalancerIP or a cloud's annotations, sets no clean-up finalizer
// and leaves Services of a loadBalancerClass to others.
type loadBalancer struct {
	client    kubernetes.Interface
	objects   *objects
	addresses *addressPool
}

func runLoadBalancer(ctx context.Context, client kubernetes.Interface, objects *objects) {
	balancer := &loadBalancer{client: client, objects: objects, addresses: newAddressPool()}
	changed := newBell()
	changed.on(objects.services)
	go repeat(ctx, changed, balancer.sync)
}

func (l *loadBalancer) sync(ctx context.Context) {
	present := map[types.UID]bool{}
	for _, service := range l.objects.allServices() {
		if wantsAddress(service) {
			present[service.UID] = true
			l.assign(ctx, service)
		} else if l.addresses.has(service.UID) {
			l.withdraw(ctx, service)
		}
	}
	l.addresses.keep(present)
}

func wantsAddress(service *corev1.Service) bool {
	return service.Spec.Type == corev1.ServiceTypeLoadBalancer && service.Spec.LoadBalancerClass == nil
}

func (l *loadBalancer) assign(ctx context.Context, service *corev1.Service) {
	address, err := l.addresses.of(service.UID)
	if err != nil {
		logged("load balancer", err)
		return
	}
	ingress := service.Status.LoadBalancer.Ingress
	if len(ingress) == 1 && ingress[0].IP == address {
		return
	}
	l.write(ctx, service, []corev1.LoadBalancerIngress{{IP: address}})
}

// withdraw empties the status of a Service that is no load balancer any more.
func (l *loadBalancer) withdraw(ctx context.Context, service *corev1.Service) {
	if len(service.Status.LoadBalancer.Ingress) > 0 {
		l.write(ctx, service, nil)
	}
}

func (l *loadBalancer) write(ctx context.Context, service *corev1.Service, ingress []corev1.LoadBalancerIngress) {
	service = service.DeepCopy()
	service.Status.LoadBalancer.Ingress = ingress
	_, err := l.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{})
	logged("load balancer", err)
}

// addressPool hands out the addresses of TEST-NET-3 in turn, so that a released one does not come back at once: a test
// that sees the same address twice can be sure that it was kept.
type addressPool struct {
	owned map[types.UID]string
	taken map[string]bool
	next  int
}

const addressPoolSize = 254

func newAddressPool() *addressPool {
	return &addressPool{owned: map[types.UID]string{}, taken: map[string]bool{}}
}

func (p *addressPool) has(owner types.UID) bool { return p.owned[owner] != "" }

// of returns the owner's address, a new one at the first call.
func (p *addressPool) of(owner types.UID) (string, error) {
	if p.has(owner) {
		return p.owned[owner], nil
	}
	for range addressPoolSize {
		address := fmt.Sprintf("203.0.113.%d", p.next%addressPoolSize+1)
		p.next++
		if !p.taken[address] {
			p.owned[owner], p.taken[address] = address, true
			return address, nil
		}
	}
	return "", fmt.Errorf("all %d addresses are taken", addressPoolSize)
}

// keep releases the addresses of all other owners.
func (p *addressPool) keep(owners map[types.UID]bool) {
	for owner, address := range p.owned {
		if !owners[owner] {
			delete(p.owned, owner)
			delete(p.taken, address)
		}
	}
}
