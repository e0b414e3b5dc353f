#!/bin/sh
# Builds the fuzz targets and runs them, one after the other: run.sh SECONDS [TARGET…]. Writes inputs that reach new code
# to corpus/ and failing inputs to artifacts/, both in $CARGO_TARGET_DIR/fuzz or target/fuzz.
#
# FUZZ_RUNS=N stops each target after N inputs, on one core and with the same inputs every time.
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
[ $# -gt 0 ] || set -- reader editor fixer module
home=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')

if ! command -v "${CXX:-c++}" >/dev/null; then
    echo "fuzzing needs a C++ compiler (libFuzzer is written in C++): install g++ or clang, or set CXX" >&2
    exit 2
fi

# The compiler flags of cargo-fuzz. With --target they do not apply to build scripts.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
build() {
    RUSTFLAGS="$coverage" cargo build --quiet --release --locked --manifest-path e2e/fuzz/Cargo.toml \
        --target-dir "$home/build" --target "$host" "$@"
}
binaries=$home/build/$host/release
build --bin reader --bin editor --bin fixer --bin seeds
build --no-default-features --features module --bin module

# The folders with the first inputs of a target, and published manifests and reviews next to the checkout, if they exist.
folders() {
    case $1 in
    module) folders="$home/seeds e2e/examples ../shared/reference/reviews" ;;
    *) folders="e2e/corpus e2e/examples e2e/fuzz/seeds ../shared/wild ../shared/reference" ;;
    esac
    for folder in $folders; do
        if [ -d "$folder" ]; then echo "$folder"; fi
    done
}

rm -rf "$home/seeds"
mkdir -p "$home/seeds"
# shellcheck disable=SC2046 # a list
SEEDS=$home/seeds "$binaries/seeds" -runs=0 -max_len=65536 $(folders seeds) >"$home/seeds.log" 2>&1 ||
    { cat "$home/seeds.log" >&2; exit 1; }

# The last numbers of libFuzzer in one line.
figures() {
    awk -v target="$1" '
        / cov: / {
            for (i = 1; i < NF; i++) {
                name = $i
                sub(/:$/, "", name)
                figure[name] = $(i + 1)
            }
            inputs = $1
            gsub(/[#:]/, "", inputs)
            if (first == "" || $2 == "INITED") first = figure["cov"]
        }
        END {
            printf "%-7s %9s inputs, %5s a second, %5s edges (%s at start), %6s features, corpus %s\n", target,
                inputs, figure["exec/s"], figure["cov"], first, figure["ft"], figure["corp"]
        }
    ' "$2"
}

failed=0
for target in "$@"; do
    mkdir -p "$home/corpus/$target" "$home/artifacts/$target"
    log=$home/$target.log
    flags="-dict=e2e/fuzz/yaml.dict -max_len=16384 -timeout=10 -rss_limit_mb=2048 -max_total_time=$seconds \
        -artifact_prefix=$home/artifacts/$target/"
    if [ -n "${FUZZ_RUNS:-}" ]; then
        # An empty corpus makes runs repeatable.
        corpus=$(mktemp -d)
        flags="$flags -runs=$FUZZ_RUNS -seed=1"
    else
        corpus=$home/corpus/$target
        flags="$flags -fork=${FUZZ_JOBS:-$(nproc)}"
    fi
    # shellcheck disable=SC2046,SC2086 # flags and folders are lists
    if "$binaries/$target" $flags "$corpus" $(folders "$target") >"$log" 2>&1; then
        figures "$target" "$log"
    else
        failed=1
        figures "$target" "$log"
        sed -n '/panicked at/,+6p; /ERROR: libFuzzer/,/SUMMARY/p' "$log" | head -60
        input=$(ls -t "$home/artifacts/$target/"* 2>/dev/null | head -1)
        echo "$target failed; the input is $input, the log $log. To run it again:"
        echo "  $binaries/$target $input"
    fi
    [ -z "${FUZZ_RUNS:-}" ] || rm -rf "$corpus"
done
exit $failed
