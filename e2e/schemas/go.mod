module github.com/sqledge-ha/sqledge-ha/e2e/schemas

go 1.26.0

require (
	github.com/openreports/reports-api v0.2.1
	sigs.k8s.io/wg-policy-prototypes v0.0.0-20230505033312-51c21979086a
)
