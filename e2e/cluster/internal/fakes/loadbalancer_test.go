package fakes

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func address(t *testing.T, pool *addressPool, owner types.UID) string {
	t.Helper()
	address, err := pool.of(owner)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestAnAddressIsKeptForLifeAndDoesNotComeBackAtOnce(t *testing.T) {
	pool := newAddressPool()
	first := address(t, pool, "a")
	if again := address(t, pool, "a"); again != first {
		t.Errorf("the owner got %s after %s", again, first)
	}
	pool.keep(nil)
	if next := address(t, pool, "b"); next == first {
		t.Errorf("%s was handed out again at once", next)
	}
}

func TestAReleasedAddressIsUsedWhenAllOthersAreTaken(t *testing.T) {
	pool := newAddressPool()
	released := address(t, pool, "released")
	present := map[types.UID]bool{}
	for i := range addressPoolSize - 1 {
		owner := types.UID(rune('A' + i))
		present[owner] = true
		address(t, pool, owner)
	}
	if _, err := pool.of("one too many"); err == nil {
		t.Error("there are more owners than addresses")
	}
	pool.keep(present)
	if found := address(t, pool, "next"); found != released {
		t.Errorf("got %s instead of %s", found, released)
	}
}
