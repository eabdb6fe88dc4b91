"""Who was sent to an identity provider: bounded, good once, and bound to a browser."""

from daemun.judge import session_table
from daemun.judge.providers import pending_sign_ins

BROWSER = "b"


def pending(network: str = "1", until_s: float = 10.0) -> pending_sign_ins.Pending:
    return pending_sign_ins.Pending(
        provider="p",
        stamp="s",
        browser=session_table.digest(BROWSER),
        network=network,
        redirect_uri="https://auth.test/callback/p",
        nonce="n",
        verifier="v",
        until_s=until_s,
    )


def test_once() -> None:
    table = pending_sign_ins.PendingSignIns()
    table.add("x", pending())
    assert table.take("y", BROWSER, 1) is None
    assert table.take("x", BROWSER, 1) == pending()
    assert table.take("x", BROWSER, 1) is None
    assert len(table) == 0


def test_another_browser_or_too_late() -> None:
    table = pending_sign_ins.PendingSignIns()
    for browser, now_s in (("c", 1), ("", 1), (BROWSER, 11)):
        table.add("x", pending())
        assert table.take("x", browser, now_s) is None
        assert table.take("x", BROWSER, 1) is None, "it is used up"


def test_a_network_pushes_out_its_own_alone() -> None:
    table = pending_sign_ins.PendingSignIns()
    table.add("home", pending("2"))
    for number in range(pending_sign_ins.MOST_OF_A_NETWORK + 5):
        table.add(f"x{number}", pending())
    assert len(table) == pending_sign_ins.MOST_OF_A_NETWORK + 1
    assert table.take("home", BROWSER, 1) is not None
    assert table.take("x4", BROWSER, 1) is None
    assert table.take("x5", BROWSER, 1) is not None


def test_many_networks_of_one_customer_push_out_their_own_alone() -> None:
    table = pending_sign_ins.PendingSignIns()
    table.add("home", pending("2001:db8:1::/64"))
    for number in range(100 * pending_sign_ins.MOST_OF_A_NETWORK):
        table.add(f"x{number}", pending(f"2001:db8:2:{number % 100:x}::/64"))
    assert len(table) == pending_sign_ins.MOST_OF_A_WIDE_NETWORK + 1
    assert table.take("home", BROWSER, 1) is not None


def test_the_network_that_has_most_makes_room() -> None:
    table = pending_sign_ins.PendingSignIns()
    table.add("home", pending("192.0.2.1"))
    table.add("neighbour", pending("2001:db8:0:1::/64"))
    for number in range(2 * pending_sign_ins.MOST):
        table.add(f"x{number}", pending(f"2001:db8:{number % 100:x}::/64"))
    assert len(table) == pending_sign_ins.MOST
    assert table.take("home", BROWSER, 1) is not None
    assert table.take("neighbour", BROWSER, 1) is not None, "of its /48, the /64 that has most makes room"


def test_all_networks_together() -> None:
    table = pending_sign_ins.PendingSignIns()
    for number in range(pending_sign_ins.MOST + 5):
        table.add(f"x{number}", pending(str(number)))
    assert len(table) == pending_sign_ins.MOST
    assert table.take("x4", BROWSER, 1) is None
    assert table.take("x5", BROWSER, 1) is not None
