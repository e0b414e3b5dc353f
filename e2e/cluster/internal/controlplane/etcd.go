package controlplane

import (
	"errors"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

type etcd struct {
	server *embed.Etcd
	url    string
}

func startEtcd(dataDir string) (*etcd, error) {
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	// The default of 64 MB, twice, is for databases that grow.
	wal.SegmentSizeBytes = 4 << 20

	config := embed.NewConfig()
	config.Name = "e2e"
	config.Dir = filepath.Join(dataDir, "etcd")
	config.ListenClientUrls, config.AdvertiseClientUrls = anyPort, anyPort
	config.ListenPeerUrls, config.AdvertisePeerUrls = anyPort, anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogOutputs = []string{LogFile(dataDir)}
	config.LogLevel = "warn"
	// The data does not have to survive a crash, and disks of build machines are slow.
	config.UnsafeNoFsync = true

	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
		return &etcd{server: server, url: "http://" + server.Clients[0].Addr().String()}, nil
	case err := <-server.Err():
		server.Close()
		return nil, err
	case <-time.After(30 * time.Second):
		server.Close()
		return nil, errors.New("not ready after 30 s")
	}
}

// stop closes the database, but not its listeners: that would wait for clients, who end with this process anyway.
func (e *etcd) stop() { e.server.Server.HardStop() }

// LogFile is where all components write their logs.
func LogFile(dataDir string) string { return filepath.Join(dataDir, "cluster.log") }
