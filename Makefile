# Everything a person needs, each target with its own set-up. CARGO_TARGET_DIR is honoured.

TOOLS := target/tools
CARGO := cargo
GO := go
# The Go package that the version of Kubernetes is written into.
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
KUBECONFORM := v0.8.0
KUBE_SCORE := v1.20.0
CONFTEST := v0.71.1
REGISTRY := v3.1.2
PEERS := $(addprefix $(TOOLS)/bin/,kubeconform kube-score conftest)
# What a release has the command for. The programs are static: linked with musl, by the C compiler that Zig brings.
RELEASE_TARGETS := x86_64-unknown-linux-musl aarch64-unknown-linux-musl
DIST := target/dist
program_of = target/release-programs/$(1)/release/sqledge-ha
# Who signs a release: the key pair COSIGN_KEY, or `keyless`, the identity of the workflow that runs this. Both may be
# set in the environment.
SIGN ?= key
COSIGN_KEY ?= target/release-key/cosign.key
signer = $(if $(filter keyless,$(SIGN)),env -u COSIGN_KEY,env COSIGN_KEY="$(abspath $(COSIGN_KEY))" COSIGN_PASSWORD="$$COSIGN_PASSWORD")

IMAGE := target/image
# For each of the targets, which run one after the other.
FUZZ_SECONDS := 600
FUZZ_TARGETS := reader editor fixer module

.DEFAULT_GOAL := help
.PHONY: help build demo test test-native test-wasm test-fuzz fuzz yaml-reader e2e-cluster e2e-tools e2e proof bench bench-peers profile soak generate fmt lint deny advisories setup release release-tools publish policy.wasm annotated-policy.wasm image test-image

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z][a-z.-]*:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@rustup toolchain list | grep -q '^$(TOOLCHAIN)' || \
		rustup toolchain install $(TOOLCHAIN) --profile minimal --component clippy --component rustfmt
	@rustup --quiet target add --toolchain $(TOOLCHAIN) wasm32-unknown-unknown

build: setup ## build the command, with the module inside
	$(RELEASE)

demo: build ## lint the examples, and let the module and the webhook mend a Deployment
	@sh e2e/demo.sh $(BINARY)

test: lint test-native test-wasm test-fuzz ## run everything
	@echo "all tests passed"

test-native: setup e2e-cluster e2e-tools release-tools yaml-reader
	$(CARGO) test --release --locked --workspace

# The rules once more, compiled to Wasm and run under Node.
test-wasm: setup $(TOOLS)/bin/wasm-bindgen-test-runner
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$(CURDIR)/$(TOOLS)/bin/wasm-bindgen-test-runner" \
		$(CARGO) test --release --locked -p sqledge-ha-policy --lib --target wasm32-unknown-unknown

# The same inputs each time: about ten seconds for each target.
test-fuzz: setup ## run each fuzz target on a fixed number of inputs
	@FUZZ_RUNS=8000 sh e2e/fuzz/run.sh 120 $(FUZZ_TARGETS)

fuzz: setup ## look for inputs that break the reader, the editor, the fixer or the module; FUZZ_SECONDS=600 for each
	@sh e2e/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# What kubectl reads YAML with: the tests compare.
yaml-reader:
	@mkdir -p $(TOOLS)/bin
	cd e2e/cluster && $(GO) build -buildvcs=false -o "$(CURDIR)/$(TOOLS)/bin/yaml-reader" ./yaml

# A real control plane in one process. Go itself sees whether anything has changed.
e2e-cluster: ## build the Kubernetes control plane that the tests run
	@mkdir -p $(TOOLS)/bin
	cd e2e/cluster && version="$$(go list -m -f '{{.Version}}' k8s.io/kubernetes)" && minor="$${version#v1.}" && \
		$(GO) build -buildvcs=false -ldflags "-s -w -X $(VERSION_PACKAGE).gitVersion=$$version \
			-X $(VERSION_PACKAGE).gitMajor=1 -X $(VERSION_PACKAGE).gitMinor=$${minor%%.*} \
			-X $(VERSION_PACKAGE).gitTreeState=clean" -o "$(CURDIR)/$(TOOLS)/bin/e2e-cluster" .

e2e-tools: $(TOOLS)/bin/helm $(TOOLS)/bin/kustomize $(TOOLS)/bin/registry ## build the Helm, Kustomize and registry that the tests run

policy.wasm: build ## the module without its metadata
	@cp $(or $(CARGO_TARGET_DIR),target)/module/wasm32-unknown-unknown/module/sqledge_ha_policy.wasm $@
	@printf '%s: %s bytes\n' $@ "$$(wc -c < $@)"

annotated-policy.wasm: build ## the module as Kubewarden wants it
	@$(BINARY) policy wasm --output $@

# For a target: cargo finds Zig by the variable, no path of this machine is left in the program, and jemalloc allows for
# kernels with pages of 64 KiB on ARM.
release-program-%: setup $(TOOLS)/bin/cargo-zigbuild $(TOOLS)/zig
	@rustup --quiet target add --toolchain $(TOOLCHAIN) $*
	PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" CARGO_ZIGBUILD_ZIG_PATH="$(CURDIR)/$(TOOLS)/zig/ziglang/zig" \
		JEMALLOC_SYS_WITH_LG_PAGE=$(if $(filter aarch64-%,$*),16,12) CARGO_PROFILE_RELEASE_STRIP=symbols \
		CARGO_ENCODED_RUSTFLAGS="$$(printf -- '--remap-path-prefix=%s=.\037--remap-path-prefix=%s=cargo' \
			"$(CURDIR)" "$${CARGO_HOME:-$$HOME/.cargo}")" \
		$(CARGO) zigbuild --release --locked --bin sqledge-ha --target $* --target-dir target/release-programs

release: $(addprefix release-program-,$(RELEASE_TARGETS)) release-tools ## build and sign what a release consists of, in target/dist; some twenty minutes; needs pip
	@sh artifacthub/release/check.sh
	sh artifacthub/release/collect.sh $(DIST) \
		$(foreach target,$(RELEASE_TARGETS),$(target)=$(call program_of,$(target)))
	@[ $(SIGN) = keyless ] || [ -e $(COSIGN_KEY) ] || { mkdir -p $(dir $(COSIGN_KEY)) && cd $(dir $(COSIGN_KEY)) && \
		COSIGN_PASSWORD="$$COSIGN_PASSWORD" "$(CURDIR)/$(TOOLS)/bin/cosign" generate-key-pair; }
	$(signer) sh artifacthub/release/sign.sh $(DIST)
	@cat $(DIST)/SHA256SUMS

release-tools: $(TOOLS)/bin/cosign $(TOOLS)/bin/crane $(TOOLS)/bin/cargo-cyclonedx

image: $(addprefix release-program-,$(RELEASE_TARGETS)) ## write the container image to target/image, without a daemon; needs pip
	@REVISION="$$(git rev-parse HEAD)" sh e2e/image/layout.sh $(IMAGE) amd64=$(call program_of,x86_64-unknown-linux-musl) \
		arm64=$(call program_of,aarch64-unknown-linux-musl)

publish: release-tools $(TOOLS)/bin/helm ## push and sign what `make release image` left: the policy, the image and the chart; TO=ghcr.io/OWNER
	$(signer) sh artifacthub/release/publish.sh $(DIST) $(IMAGE) $(call program_of,$(shell uname -m)-unknown-linux-musl) $(TO)

test-image: image ## run the image as a cluster would; needs root, or namespaces for users
	SQLEDGE_HA_IMAGE="$(abspath $(IMAGE))" $(CARGO) test --release --locked --workspace --test e2e -- --ignored image::

bench: setup ## print what the product costs: one call, a linter run, the webhook under load
	$(CARGO) bench --locked --workspace --bench cost

bench-peers: setup e2e-cluster $(PEERS) ## run other linters on the same files, and print how they compare
	$(CARGO) bench --locked --workspace --bench cost -- peers

profile: setup ## print in which functions the linter spends its time; needs perf
	$(CARGO) bench --locked --workspace --bench cost -- profile

soak: setup ## send the webhook an hour's worth of requests and print its memory
	$(CARGO) bench --locked --workspace --bench cost -- soak

e2e: setup e2e-cluster ## prove on a real control plane that what is admitted survives, and what is refused would not have
	$(CARGO) test --release --locked --workspace --test proof

proof: setup e2e-cluster ## the same, and write e2e/PROOF.md
	UPDATE_GENERATED=1 $(CARGO) test --release --locked --workspace --test proof

generate: setup ## write the files that are made from the code
	UPDATE_GENERATED=1 $(CARGO) test --release --locked --workspace --test e2e -- generated:: fix::the_corpus

fmt: ## format all code; the rules' files are declared by a macro, where cargo fmt does not find them
	rustfmt --edition 2024 $(SOURCES)

lint: setup deny ## what must be clean before a commit
	rustfmt --edition 2024 --check $(SOURCES)
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release --locked -p sqledge-ha-policy --features guest --target wasm32-unknown-unknown -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features -- -D warnings
	$(CARGO) clippy --release --locked --no-default-features --lib --target wasm32-unknown-unknown -- -D warnings
	$(CLIPPY_FUZZ) -- -D warnings
	$(CLIPPY_FUZZ) --no-default-features --features module -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --quiet

deny: setup $(TOOLS)/bin/cargo-deny
	$(TOOLS)/bin/cargo-deny --locked --workspace check -D warnings bans licenses sources
	$(TOOLS)/bin/cargo-deny --locked --manifest-path e2e/fuzz/Cargo.toml --config e2e/fuzz/deny.toml \
		check -D warnings bans licenses sources

advisories: setup $(TOOLS)/bin/cargo-deny ## look for known vulnerabilities of dependencies; needs a network
	$(TOOLS)/bin/cargo-deny --locked --workspace check advisories

$(TOOLS)/bin/wasm-bindgen-test-runner: | setup
	$(CARGO) install --quiet --root $(TOOLS) wasm-bindgen-cli --version $(WASM_BINDGEN)

$(TOOLS)/bin/cargo-deny: | setup
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-deny --version $(CARGO_DENY)

# What is measured beside ours: some five minutes, once.
$(TOOLS)/bin/kubeconform:
	GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install github.com/yannh/kubeconform/cmd/kubeconform@$(KUBECONFORM)

$(TOOLS)/bin/kube-score:
	GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install github.com/zegl/kube-score/cmd/kube-score@$(KUBE_SCORE)

$(TOOLS)/bin/conftest:
	GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install github.com/open-policy-agent/conftest@$(CONFTEST)

# What a release is made with. Cosign takes some five minutes, once.
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

# What tests render charts and kustomizations with: some four minutes and one, once.
$(TOOLS)/bin/helm:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" $(GO) install -ldflags "-s -w" helm.sh/helm/v4/cmd/helm@$(HELM)

$(TOOLS)/bin/kustomize:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" \
		$(GO) install -ldflags "-s -w" sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE)

# What tests push policies to.
$(TOOLS)/bin/registry:
	GOFLAGS=-mod=mod GOBIN="$(CURDIR)/$(TOOLS)/bin" \
		$(GO) install -ldflags "-s -w" github.com/distribution/distribution/v3/cmd/registry@$(REGISTRY)
