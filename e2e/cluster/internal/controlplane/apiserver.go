package controlplane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/cache"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

const (
	serviceAddresses         = "10.96.0.0/16"
	kubernetesServiceAddress = "10.96.0.1"
	serviceAccountIssuer     = "https://kubernetes.default.svc"
)

// APIServer is the real kube-apiserver. It can be stopped and started again on the same port and database.
type APIServer struct {
	// URL stays the same when the server is restarted.
	URL string

	address string
	etcdURL string
	keys    *keys
	// defaultToleration is in whole seconds.
	defaultToleration time.Duration
	failed            chan<- error

	mu       sync.Mutex
	listener *severableListener
	cancel   context.CancelFunc
	ended    chan struct{}
}

func newAPIServer(etcdURL string, keys *keys, defaultToleration time.Duration, failed chan<- error) (*APIServer, error) {
	listener, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	return &APIServer{
		URL: "https://" + address, address: address, etcdURL: etcdURL, keys: keys, defaultToleration: defaultToleration,
		failed: failed, listener: listener,
	}, nil
}

// Start returns when /readyz returns ok.
func (s *APIServer) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return errors.New("it runs already")
	}
	if s.listener == nil {
		listener, err := listen(s.address)
		if err != nil {
			return err
		}
		s.listener = listener
	}
	// The caller's context ends with a request; the server's own ends in Stop.
	serverContext, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan struct{})
	result := make(chan error, 1)
	go func(ended chan struct{}) {
		defer close(ended)
		err := s.serve(serverContext)
		result <- err
		if serverContext.Err() == nil {
			s.failed <- fmt.Errorf("kube-apiserver ended: %v", err)
		}
	}(s.ended)
	return waitUntilReady(ctx, s.URL, s.keys.authorityFile, result)
}

func (s *APIServer) serve(ctx context.Context) error {
	serverOptions, err := s.options(ctx)
	if err != nil {
		return err
	}
	// A name may be in use once per process; a restart needs it again.
	serverOptions.InformerName, err = cache.NewInformerName("kube-apiserver")
	if err != nil {
		return err
	}
	defer serverOptions.InformerName.Release()
	return app.Run(ctx, *serverOptions)
}

func (s *APIServer) options(ctx context.Context) (*options.CompletedOptions, error) {
	serverOptions := options.NewServerRunOptions()
	if err := parse(serverOptions.Flags(), []string{
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		"--etcd-servers=" + s.etcdURL,
		"--authorization-mode=RBAC",
		"--allow-privileged",
		"--client-ca-file=" + s.keys.authorityFile,
		"--tls-cert-file=" + s.keys.servingFile,
		"--tls-private-key-file=" + s.keys.servingKeyFile,
		"--service-cluster-ip-range=" + serviceAddresses,
		"--service-account-issuer=" + serviceAccountIssuer,
		"--service-account-key-file=" + s.keys.serviceAccountsFile,
		"--service-account-signing-key-file=" + s.keys.serviceAccountsFile,
		fmt.Sprintf("--default-not-ready-toleration-seconds=%d", int(s.defaultToleration.Seconds())),
		fmt.Sprintf("--default-unreachable-toleration-seconds=%d", int(s.defaultToleration.Seconds())),
	}); err != nil {
		return nil, err
	}
	serverOptions.SecureServing.Listener = s.listener
	completed, err := serverOptions.Complete(ctx)
	if err != nil {
		return nil, err
	}
	return &completed, utilerrors.NewAggregate(completed.Validate())
}

// Stop cuts all connections and returns when the server has ended.
func (s *APIServer) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		return
	}
	s.cancel()
	s.listener.sever()
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		s.failed <- errors.New("kube-apiserver did not stop in 10 s")
	}
	_ = s.listener.Close()
	s.listener, s.ended = nil, nil
}

// parse sets a component's options by its own command line flags, so that they read as in a manual.
func parse(sets cliflag.NamedFlagSets, arguments []string) error {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		flags.AddFlagSet(set)
	}
	return flags.Parse(arguments)
}
