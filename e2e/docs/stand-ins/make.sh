# make, which only checks that the targets exist.
exec /usr/bin/make --dry-run --directory "$REPOSITORY" "$@"
