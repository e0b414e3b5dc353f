#!/bin/sh
# Packs the programs that only lint and fix: archives, wheels for PyPI, packages for npm, and the Homebrew formula.
#
#   SOURCE_DATE_EPOCH=… sh artifacthub/release/packages.sh DIRECTORY TARGET=PROGRAM...
#
# The files are reproducible.
set -eu

[ $# -ge 2 ] || { sed -n '4p' "$0" >&2; exit 2; }
: "${SOURCE_DATE_EPOCH:?}"
directory=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
repository=https://github.com/sqledge-ha/sqledge-ha
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Packages keep the modes of files.
umask 022

fill() { sed "s/@VERSION@/$version/g" "$root/artifacthub/$1"; }

# archive FILE FOLDER: packs $work/FOLDER with GNU tar, with a fixed order and owner, and the time of the commit.
archive() {
    tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
        -cf - "$2" | gzip -9n >"$directory/$1"
}

# The names of a target: the tags of its wheel, and Node.js's names of system and processor. A static program runs with any C
# library: PEP 600 and PEP 656.
names() {
    case $1 in
    x86_64-unknown-linux-musl) echo manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64 linux x64 ;;
    aarch64-unknown-linux-musl) echo manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64 linux arm64 ;;
    x86_64-apple-darwin) echo macosx_11_0_x86_64 darwin x64 ;;
    aarch64-apple-darwin) echo macosx_11_0_arm64 darwin arm64 ;;
    x86_64-pc-windows-gnu) echo win_amd64 win32 x64 ;;
    *) echo "no packages for $1" >&2; exit 1 ;;
    esac
}

# wheel PROGRAM TAGS
wheel() {
    folder=$work/wheel
    info=$folder/sqledge_ha-$version.dist-info
    rm -rf "$folder"
    mkdir -p "$info/licenses" "$folder/sqledge_ha-$version.data/scripts"
    install -m 755 "$1" "$folder/sqledge_ha-$version.data/scripts/sqledge-ha$suffix"
    { fill python/METADATA; fill ABOUT.md; } >"$info/METADATA"
    install -m 644 "$root/LICENSE" "$info/licenses/"
    printf 'Wheel-Version: 1.0\nGenerator: sqledge-ha %s\nRoot-Is-Purelib: false\n' "$version" >"$info/WHEEL"
    for tag in $(echo "$2" | tr . ' '); do echo "Tag: py3-none-$tag" >>"$info/WHEEL"; done
    PYTHONPATH="$root/target/tools/python" python3 -m wheel pack --dest-dir "$directory" "$folder" >/dev/null
}

# The source package, which only says that there is no wheel.
sdist() {
    folder=$work/sqledge_ha-$version
    mkdir "$folder"
    { fill python/METADATA; fill ABOUT.md; } >"$folder/PKG-INFO"
    install -m 644 "$root/artifacthub/python/backend.py" "$root/LICENSE" "$folder/"
    printf '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n' >"$folder/pyproject.toml"
    archive "sqledge_ha-$version.tar.gz" "sqledge_ha-$version"
}

# Fields of package.json that all packages share.
common_fields() {
    cat <<END
  "version": "$version",
  "description": "Keeps Azure SQL Edge highly available on Kubernetes: lints and fixes its manifests",
  "license": "Apache-2.0",
  "homepage": "$repository",
  "repository": {"type": "git", "url": "git+$repository.git"},
END
}

# npm_platform PROGRAM SYSTEM PROCESSOR
npm_platform() {
    rm -rf "$work/package"
    mkdir "$work/package"
    install -m 755 "$1" "$work/package/sqledge-ha$suffix"
    cp "$root/LICENSE" "$work/package/"
    echo "The program of [sqledge-ha](https://www.npmjs.com/package/sqledge-ha) for $2 on $3." >"$work/package/README.md"
    cat >"$work/package/package.json" <<END
{
  "name": "@sqledge-ha/$2-$3",
$(common_fields)
  "preferUnplugged": true,
  "os": ["$2"],
  "cpu": ["$3"]
}
END
    archive "sqledge-ha-$2-$3-$version.tgz" package
}

# npm_main NAME...: the package that users install; NAMEs are those of its optional dependencies.
npm_main() {
    rm -rf "$work/package"
    mkdir "$work/package"
    install -m 755 "$root/artifacthub/npm/launcher.js" "$work/package/"
    cp "$root/LICENSE" "$work/package/"
    fill ABOUT.md >"$work/package/README.md"
    cat >"$work/package/package.json" <<END
{
  "name": "sqledge-ha",
$(common_fields)
  "bin": {"sqledge-ha": "launcher.js"},
  "engines": {"node": ">=18"},
  "optionalDependencies": {
$(printf "    \"@sqledge-ha/%s\": \"$version\",\n" "$@" | sed '$ s/,$//')
  }
}
END
    archive "sqledge-ha-$version.tgz" package
}

# formula_platforms: the blocks of the formula.
formula_platforms() {
    for target in $targets; do
        case $target in
        x86_64-unknown-linux-musl) system=linux processor=intel ;;
        aarch64-unknown-linux-musl) system=linux processor=arm ;;
        x86_64-apple-darwin) system=macos processor=intel ;;
        aarch64-apple-darwin) system=macos processor=arm ;;
        *) continue ;;
        esac
        file=sqledge-ha-lint-$version-$target.tar.gz
        sum=$(sha256sum "$directory/$file" | cut -d ' ' -f 1)
        printf '  on_%s do\n    on_%s do\n      url "%s"\n      sha256 "%s"\n    end\n  end\n\n' \
            "$system" "$processor" "$repository/releases/download/v$version/$file" "$sum"
    done
}

targets= packages=
for pair in "$@"; do
    target=${pair%%=*}
    program=${pair#*=}
    suffix=
    case $target in *-windows-*) suffix=.exe ;; esac
    described=$(names "$target")
    # shellcheck disable=SC2086 # three words
    set -- $described
    name=sqledge-ha-lint-$version-$target
    mkdir "$work/$name"
    install -m 755 "$program" "$work/$name/sqledge-ha$suffix"
    cp "$root/LICENSE" "$work/$name/"
    archive "$name.tar.gz" "$name"
    wheel "$program" "$1"
    npm_platform "$program" "$2" "$3"
    targets="$targets $target"
    packages="$packages $2-$3"
done
sdist
# shellcheck disable=SC2086 # words
npm_main $packages
formula_platforms >"$work/platforms"
fill homebrew/sqledge-ha.rb | sed -e "/@PLATFORMS@/{r $work/platforms" -e 'd;}' >"$directory/sqledge-ha.rb"
