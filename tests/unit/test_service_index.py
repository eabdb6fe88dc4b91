"""Services by what they have in common."""

import dataclasses

from daemun.core.services import dns_service
from daemun.discovery import service_index

A = dns_service.Service(name="a", host="one.test", port=80)
B = dns_service.Service(name="b", host="one.test", port=81)


def test_a_service_that_moves_leaves_what_it_had_in_common() -> None:
    index = service_index.ServiceIndex()
    assert [index.put(one) for one in (A, B, A)] == [True, True, False]
    assert index.on_host("one.test") == (A, B)
    moved = dataclasses.replace(A, host="two.test")
    assert index.put(moved)
    assert (index.on_host("one.test"), index.on_host("two.test")) == ((B,), (moved,))
    assert set(index) == {moved, B}


def test_one_that_is_gone_is_in_no_group() -> None:
    index = service_index.ServiceIndex()
    pooled = dns_service.Service(name="c", pool="web")
    index.put(pooled)
    assert index.of_pool("web") == (pooled,)
    index.discard("c")
    index.discard("c")
    assert (index.of_pool("web"), index.get("c"), set(index.names())) == ((), None, set())
