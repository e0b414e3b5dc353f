package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

const readyTimeout = 60 * time.Second

// waitUntilReady polls /readyz until it returns ok or the server has stopped.
func waitUntilReady(ctx context.Context, url, authorityFile string, ended <-chan error) error {
	authority, err := os.ReadFile(authorityFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	probe := &http.Client{Transport: transport, Timeout: 2 * time.Second}

	deadline := time.After(readyTimeout)
	for {
		if isReady(probe, url) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return fmt.Errorf("ended before it was ready: %w", err)
		case <-deadline:
			return errors.New("not ready after " + readyTimeout.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func isReady(probe *http.Client, url string) bool {
	response, err := probe.Get(url + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
