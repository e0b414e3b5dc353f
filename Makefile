# Everything a person needs, each target with its own set-up. CARGO_TARGET_DIR is honoured.

TOOLS := target/tools
CARGO := cargo
RELEASE := $(CARGO) build --release --locked
SOURCES := $(shell git ls-files --cached --others --exclude-standard '*.rs' 2>/dev/null)
BINARY := $(or $(CARGO_TARGET_DIR),target)/release/sqledge-ha
TOOLCHAIN := 1.95.0
WASM_BINDGEN := 0.2.130
CARGO_DENY := 0.20.2

.DEFAULT_GOAL := help
.PHONY: help build demo test test-native test-wasm bench generate fmt lint deny setup policy.wasm annotated-policy.wasm

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z][a-z.-]*:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:
	@rustup toolchain list | grep -q '^$(TOOLCHAIN)' || \
		rustup toolchain install $(TOOLCHAIN) --profile minimal --component clippy --component rustfmt
	@rustup --quiet target add --toolchain $(TOOLCHAIN) wasm32-unknown-unknown

build: setup ## build the command, with the module inside
	$(RELEASE)

demo: build ## lint the examples, and let the module mend a Deployment
	@sh e2e/demo.sh $(BINARY)

test: lint test-native test-wasm ## run everything
	@echo "all tests passed"

test-native: setup
	$(CARGO) test --release --locked --workspace

# The rules once more, compiled to Wasm and run under Node.
test-wasm: setup $(TOOLS)/bin/wasm-bindgen-test-runner
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$(CURDIR)/$(TOOLS)/bin/wasm-bindgen-test-runner" \
		$(CARGO) test --release --locked -p sqledge-ha-policy --lib --target wasm32-unknown-unknown

policy.wasm: build ## the module without its metadata
	@cp $(or $(CARGO_TARGET_DIR),target)/module/wasm32-unknown-unknown/module/sqledge_ha_policy.wasm $@
	@printf '%s: %s bytes\n' $@ "$$(wc -c < $@)"

annotated-policy.wasm: build ## the module as Kubewarden wants it
	@$(BINARY) policy wasm --output $@

bench: setup ## print what the product costs: one call, a linter run
	$(CARGO) bench --locked --bench cost

generate: setup ## write the files that are made from the code
	UPDATE_GENERATED=1 $(CARGO) test --release --locked --test e2e generated::

fmt: ## format all code; the rules' files are declared by a macro, where cargo fmt does not find them
	rustfmt --edition 2024 $(SOURCES)

lint: setup deny ## what must be clean before a commit
	rustfmt --edition 2024 --check $(SOURCES)
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release --locked -p sqledge-ha-policy --features guest --target wasm32-unknown-unknown -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --quiet

deny: setup $(TOOLS)/bin/cargo-deny
	$(TOOLS)/bin/cargo-deny --locked --workspace check -D warnings bans licenses sources

$(TOOLS)/bin/wasm-bindgen-test-runner: | setup
	$(CARGO) install --quiet --root $(TOOLS) wasm-bindgen-cli --version $(WASM_BINDGEN)

$(TOOLS)/bin/cargo-deny: | setup
	$(CARGO) install --quiet --locked --root $(TOOLS) cargo-deny --version $(CARGO_DENY)
