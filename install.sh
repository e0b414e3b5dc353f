#!/bin/sh
# Installs the program of the release to which this checkout belongs: downloads it, and verifies its checksum. If there is no
# release or no program for this platform, builds it from this checkout, which needs a Rust toolchain from https://rustup.rs.
# The program has `lint`, `fix`, `explain`, `rules`, `config-schema`, `lsp`, `completions` and `man`.
#
#   sh install.sh DIRECTORY [REF]
#
# REF is the tag or the commit of this checkout; by default Git says it. RELEASES is the address of the releases.
set -eu

[ $# -ge 1 ] || { sed -n '6p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
directory=$(cd "$1" && pwd)
reference=${2:-$(git -C "$root" rev-parse HEAD 2>/dev/null || :)}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
release=${RELEASES:-https://github.com/sqledge-ha/sqledge-ha/releases/download}/v$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "error: $1; nothing is installed" >&2
    exit 1
}

# The name of this platform in the files of a release; empty if a release has no program for it.
platform() {
    case "$(uname -s) $(uname -m)" in
    "Linux x86_64") echo x86_64-unknown-linux-musl ;;
    "Linux aarch64" | "Linux arm64") echo aarch64-unknown-linux-musl ;;
    "Darwin x86_64") echo x86_64-apple-darwin ;;
    "Darwin arm64") echo aarch64-apple-darwin ;;
    MINGW*" x86_64" | MSYS*" x86_64") echo x86_64-pc-windows-gnu ;;
    esac
}

# download FILE: into the work directory. The exit code is 1 if the release does not have the file.
download() {
    status=$(curl --silent --show-error --location --connect-timeout 30 --max-time 300 --output "$work/$1" \
        --write-out '%{http_code}' "$release/$1" 2>"$work/error") ||
        fail "the download of $release/$1 failed ($(tr '\n' ' ' <"$work/error"))"
    case $status in
    200) ;;
    404) return 1 ;;
    *) fail "$release/$1 answered HTTP $status" ;;
    esac
}

# Whether this checkout is that of the release.
is_release() {
    [ "$reference" != "v$version" ] || return 0
    download provenance.json && grep -qF "\"gitCommit\": \"$reference\"" "$work/provenance.json"
}

checksum() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

build() {
    command -v cargo >/dev/null ||
        fail "$1, and there is no cargo to build it: install a Rust toolchain from https://rustup.rs, and try again"
    echo "$1: building version $version" >&2
    # rustup reads rust-toolchain.toml only from the current directory and its parents.
    cd "$root"
    cargo build --release --locked --no-default-features --bin sqledge-ha --target-dir "$work/target" >&2
    program=$(find "$work/target/release" -maxdepth 1 -name sqledge-ha -o -maxdepth 1 -name sqledge-ha.exe)
}

target=$(platform)
archive=sqledge-ha-lint-$version-$target.tar.gz
if [ -z "$target" ]; then
    build "there is no program for $(uname -s) on $(uname -m)"
elif ! is_release || ! download SHA256SUMS || ! download "$archive"; then
    build "there is no release of this version (${reference:-unknown commit}) for $target"
else
    expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $archive\$/\1/p" "$work/SHA256SUMS")
    actual=$(checksum "$work/$archive")
    [ "$actual" = "$expected" ] ||
        fail "the SHA-256 checksum of $release/$archive is $actual, but SHA256SUMS has ${expected:-none for it}"
    tar -C "$work" -xzf "$work/$archive"
    program=$(find "$work/${archive%.tar.gz}" -name 'sqledge-ha*' -type f)
fi
# In one step, so that there is never a part of the program.
name=$(basename "$program")
cp "$program" "$directory/$name.new"
chmod 755 "$directory/$name.new"
mv "$directory/$name.new" "$directory/$name"
"$directory/$name" --version
