// Command e2e-cluster runs a real Kubernetes control plane in one process, with fakes for all that needs machines.
package main

import (
	"fmt"
	"os"
)

const usage = `Usage:
  e2e-cluster serve [flags]        run a cluster until the standard input closes; see serve --help
  e2e-cluster kubectl [arguments]  the real kubectl of the same version
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2:])
	case "kubectl":
		kubectl(os.Args[1:])
	case "help", "--help", "-h":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "e2e-cluster: no such command: %s\n%s", os.Args[1], usage)
		os.Exit(2)
	}
}
