package controlplane

import (
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig writes one for a user who proves who they are by a client certificate, and returns its path.
func (k *keys) kubeconfig(server, user string, groups ...string) (string, error) {
	certificate, key, err := k.issue(client(user, groups))
	if err != nil {
		return "", err
	}
	config := api.NewConfig()
	config.Clusters["e2e"] = &api.Cluster{Server: server, CertificateAuthority: k.authorityFile}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["e2e"] = &api.Context{Cluster: "e2e", AuthInfo: user, Namespace: "default"}
	config.CurrentContext = "e2e"
	if err := api.FlattenConfig(config); err != nil {
		return "", err
	}
	file := filepath.Join(filepath.Dir(k.dir), strings.TrimPrefix(user, "system:")+".kubeconfig")
	return file, clientcmd.WriteToFile(*config, file)
}
