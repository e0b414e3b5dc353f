package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/sqledge-ha/sqledge-ha/e2e/cluster/internal/controlplane"
	"github.com/sqledge-ha/sqledge-ha/e2e/cluster/internal/fakes"
	"k8s.io/klog/v2"
)

// control is the endpoint by which tests make things fail.
type control struct {
	plane *controlplane.ControlPlane
	// cluster is nil with --api-only.
	cluster *fakes.Cluster
}

var errAPIOnly = fmt.Errorf("%w: there are no nodes with --api-only", fakes.ErrConflict)

// startControl returns the endpoint's URL.
func startControl(ctx context.Context, plane *controlplane.ControlPlane, cluster *fakes.Cluster) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	c := &control{plane: plane, cluster: cluster}
	server := &http.Server{
		Handler:           c.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	go func() { klog.ErrorS(server.Serve(listener), "control endpoint ended") }()
	return "http://" + listener.Addr().String(), nil
}

func (c *control) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", c.status)
	mux.HandleFunc("POST /apiserver/restart", answer(c.restartAPIServer))
	mux.HandleFunc("POST /nodes", c.withNodes(c.addNode))
	mux.HandleFunc("DELETE /nodes/{name}", c.withNodes(func(r *http.Request) error {
		return c.cluster.RemoveNode(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("POST /nodes/{name}/stop", c.withNodes(func(r *http.Request) error {
		return c.cluster.StopNode(r.PathValue("name"))
	}))
	mux.HandleFunc("POST /nodes/{name}/start", c.withNodes(func(r *http.Request) error {
		return c.cluster.StartNode(r.PathValue("name"))
	}))
	mux.HandleFunc("POST /nodes/{name}/isolate", c.withNodes(func(r *http.Request) error {
		return c.cluster.IsolateNode(r.PathValue("name"))
	}))
	mux.HandleFunc("POST /nodes/{name}/reconnect", c.withNodes(func(r *http.Request) error {
		return c.cluster.ReconnectNode(r.PathValue("name"))
	}))
	mux.HandleFunc("POST /pods/{namespace}/{name}/crash", c.withNodes(func(r *http.Request) error {
		return c.cluster.CrashPod(r.PathValue("namespace"), r.PathValue("name"), r.FormValue("container"))
	}))
	return mux
}

func (c *control) status(w http.ResponseWriter, _ *http.Request) {
	nodes := []fakes.NodeStatus{}
	if c.cluster != nil {
		nodes = c.cluster.Nodes()
	}
	write(w, http.StatusOK, map[string]any{"server": c.plane.APIServer.URL, "nodes": nodes})
}

// restartAPIServer keeps the server down for ?down=DURATION, and answers when it is ready again.
func (c *control) restartAPIServer(r *http.Request) error {
	var down time.Duration
	if text := r.FormValue("down"); text != "" {
		var err error
		if down, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("%w: down: %w", fakes.ErrConflict, err)
		}
	}
	c.plane.APIServer.Stop()
	time.Sleep(down)
	// Not the request's context: a client that loses patience must not leave the cluster without its API server.
	return c.plane.APIServer.Start(context.WithoutCancel(r.Context()))
}

func (c *control) addNode(r *http.Request) error {
	var machine fakes.Machine
	if err := json.NewDecoder(r.Body).Decode(&machine); err != nil {
		return fmt.Errorf("%w: %w", fakes.ErrConflict, err)
	}
	return c.cluster.AddNode(r.Context(), machine)
}

func (c *control) withNodes(do func(*http.Request) error) http.HandlerFunc {
	return answer(func(r *http.Request) error {
		if c.cluster == nil {
			return errAPIOnly
		}
		return do(r)
	})
}

// answer writes {} or {"error": "..."}.
func answer(do func(*http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := do(r)
		if err == nil {
			write(w, http.StatusOK, struct{}{})
			return
		}
		code := http.StatusInternalServerError
		switch {
		case errors.Is(err, fakes.ErrNotFound):
			code = http.StatusNotFound
		case errors.Is(err, fakes.ErrConflict):
			code = http.StatusConflict
		}
		write(w, code, map[string]string{"error": err.Error()})
	}
}

func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
