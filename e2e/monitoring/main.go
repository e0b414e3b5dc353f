// Command dashboard reads dashboards with Grafana's own types, and fails if one has an unknown field or panel, or lacks a
// required field.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	failed := false
	for _, path := range os.Args[1:] {
		for _, problem := range problems(path) {
			fmt.Printf("%s: %s\n", path, problem)
			failed = true
		}
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}

func problems(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	// Reading strictly reports all errors, but drops the panels.
	var strict, read dashboard.Dashboard
	var found []string
	for _, err := range []error{strict.UnmarshalJSONStrict(text), json.Unmarshal(text, &read), read.Validate()} {
		// Some functions return an error without text if there is none.
		if err != nil && err.Error() != "" {
			found = append(found, err.Error())
		}
	}
	for _, panel := range read.Panels {
		if panel.Panel == nil {
			continue // A row.
		}
		if _, known := cog.ConfigForPanelcfgVariant(panel.Panel.Type); !known {
			found = append(found, "unknown panel: "+panel.Panel.Type)
		}
	}
	return found
}
