#!/bin/sh
# Runs a program of an unpacked image as a cluster runs it: in a root that nobody can write to, without anything of this
# machine in it, as a user that has no name and no capabilities. It takes root, or namespaces for users without it.
#
# Usage: e2e/image/sandbox.sh ROOT PROGRAM [ARGUMENT…]
set -eu
# Shellcheck: the inner shell expands its own arguments.
# shellcheck disable=SC2016
exec unshare --user --map-root-user --mount sh -c '
    mount --bind "$1" "$1"
    mount -o remount,bind,ro,nosuid,nodev "$1"
    root="$1"
    shift
    exec unshare --user --map-user=65532 --map-group=65532 --root="$root" --wd=/ "$@"
' sandbox "$@"
