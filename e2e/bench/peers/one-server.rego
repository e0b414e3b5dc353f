# One of our rules as conftest's policies say it: the floor of what it can cost there.
package main

import rego.v1

deny contains message if {
	input.kind in {"Deployment", "StatefulSet"}
	some container in input.spec.template.spec.containers
	contains(container.image, "azure-sql-edge")
	input.spec.replicas > 1
	message := sprintf("%s %s runs more than one server on the same files", [input.kind, input.metadata.name])
}
