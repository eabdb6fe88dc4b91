"""C10: how many new names the clients of one network may bring."""

import pytest

from daemun.on_demand import network_budget

A, B = "192.0.2.0/24", "198.51.100.0/24"


def take(
    counted: network_budget.NetworkBudget, network: str | None, count: int, *, now_s: float = 0.0, per_minute: int = 3
) -> int:
    """How many of so many may be asked about."""
    return sum(counted.take(f"n{number}.test", network, per_minute, now_s) is None for number in range(count))


def test_c10_each_network_has_its_own() -> None:
    counted = network_budget.NetworkBudget()
    assert take(counted, A, 11) == 3
    assert take(counted, B, 2) == 2


def test_c10_a_minute_later_there_is_room_again() -> None:
    counted = network_budget.NetworkBudget()
    assert take(counted, A, 5) == 3
    assert take(counted, A, 5, now_s=59.9) == 0
    assert take(counted, A, 5, now_s=60.0) == 3


def test_c10_all_together_have_a_bound() -> None:
    counted = network_budget.NetworkBudget()
    assert sum(take(counted, f"10.0.{number}.0/24", 3) for number in range(100)) == 3 * network_budget.TOGETHER
    assert take(counted, None, 1) == 0


def test_c10_where_nobody_knows_the_client_the_bound_is_that_of_one() -> None:
    assert take(network_budget.NetworkBudget(), None, 11) == 3


def test_c10_what_was_turned_away_is_known_for_an_hour() -> None:
    counted = network_budget.NetworkBudget()
    take(counted, A, 5)
    take(counted, B, 4, now_s=1800.0)
    assert [(one.network, one.host, one.count) for one in counted.turned_away(1801.0)] == [
        (A, "n4.test", 2),
        (B, "n3.test", 1),
    ]
    assert [one.network for one in counted.turned_away(3600.0)] == [B]
    assert counted.turned_away(9999.0) == []


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.77", A),
        ("::ffff:192.0.2.77", A),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("[2001:db8:1:ffff::3]", "2001:db8:1::/48"),
        ("unix:", None),
        ("", None),
        ("host.test", None),
    ],
)
def test_c10_networks(client: str, network: str | None) -> None:
    assert network_budget.network_of(client) == network
