# The command, with the plain HTTP and the free ports of the tests. A server is stopped when it listens.
case "$1 $2" in
    "policy push" | "policy pull" | "policy inspect") exec "$REAL" "$@" --plain-http ;;
    "serve "*) ;;
    *) exec "$REAL" "$@" ;;
esac
more="--kubeconfig $KUBECONFIG"
for argument; do
    shift
    case "$argument" in
        --listen) skipped=yes; continue ;;
        --no-cluster) more= ;;
        registry://*) plain=--registry-plain-http ;;
    esac
    if [ "$skipped" ]; then skipped=; else set -- "$@" "$argument"; fi
done
log="$(mktemp)"
"$REAL" "$@" $more $plain --listen 127.0.0.1:0 --health-listen 127.0.0.1:0 --drain 0s 2>"$log" &
until grep -q "listening for reviews" "$log"; do
    kill -0 $! 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.1
done
kill $!
wait $!
