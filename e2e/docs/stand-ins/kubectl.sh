# kubectl, in a cluster without controllers: nothing runs pods, or empties a namespace that is deleted.
case " $* " in
    *" rollout status "*) ;;
    *" delete "*) exec "$CLUSTER" kubectl "$@" --wait=false ;;
    *) exec "$CLUSTER" kubectl "$@" ;;
esac
