"""Who may wait, how long, how often; and for which servers."""

import dataclasses

import pytest

from daemun.core import model
from daemun.core.options import catalogue, hold_option
from daemun.core.rounds import merge
from daemun.core.services import dns_service, hold_policy
from daemun.core.texts import names
from daemun.hold import hold_limits, hold_pages, server_probe
from tests.support import sites

WAIT = dns_service.HeldRoute(name="a.test", host="a.test", hold_s=30.0, servers=())
ASK = hold_limits.HoldRequest(route="a.test", request="1" * 32)


def again(visits: int) -> hold_limits.HoldRequest:
    return dataclasses.replace(ASK, visits=visits)


def other(number: int) -> hold_limits.HoldRequest:
    return dataclasses.replace(ASK, request=f"{number:032x}")


def test_a_place_and_its_end() -> None:
    under_test = hold_limits.HoldLimits()
    ticket = under_test.enter(ASK, WAIT, 100.0)
    assert isinstance(ticket, hold_limits.HoldTicket)
    assert (ticket.look_s, ticket.until_s) == (100.0, 130.0)
    assert (under_test.held, under_test.total) == (1, 1)
    under_test.leave(ticket)
    assert (under_test.held, under_test.total) == (0, 1)


def test_time_goes_on_from_the_first_visit() -> None:
    under_test = hold_limits.HoldLimits()
    first = under_test.enter(ASK, WAIT, 100.0)
    assert isinstance(first, hold_limits.HoldTicket)
    under_test.leave(first)
    second = under_test.enter(again(1), WAIT, 110.0)
    assert isinstance(second, hold_limits.HoldTicket)
    assert (second.look_s, second.until_s) == (110.5, 130.0)
    under_test.leave(second)
    assert under_test.total == 1
    assert under_test.enter(again(1), WAIT, 129.9) is hold_limits.HoldRefusal.OVER


def test_what_was_lost_is_not_sent_in_a_hurry() -> None:
    under_test = hold_limits.HoldLimits()
    first = under_test.enter(dataclasses.replace(ASK, is_lost=True), WAIT, 100.0)
    assert isinstance(first, hold_limits.HoldTicket)
    assert (first.look_s, first.until_s) == (100.5, 130.0)
    under_test.leave(first)
    second = under_test.enter(dataclasses.replace(ASK, visits=1, is_lost=True), WAIT, 101.0)
    assert isinstance(second, hold_limits.HoldTicket)
    assert second.look_s == 101.5


def test_nobody_is_sent_to_servers_for_ever() -> None:
    under_test = hold_limits.HoldLimits()
    assert isinstance(under_test.enter(again(2), WAIT, 0.0), hold_limits.HoldTicket)
    assert under_test.enter(again(3), WAIT, 0.0) is hold_limits.HoldRefusal.OVER


def test_the_room_is_bounded() -> None:
    under_test = hold_limits.HoldLimits(most=3, most_per_site=2)
    tickets = [under_test.enter(other(number), WAIT, 0.0) for number in range(2)]
    assert all(isinstance(ticket, hold_limits.HoldTicket) for ticket in tickets)
    assert under_test.enter(other(2), WAIT, 0.0) is hold_limits.HoldRefusal.FULL
    elsewhere = dataclasses.replace(WAIT, host="b.test")
    assert isinstance(under_test.enter(other(3), elsewhere, 0.0), hold_limits.HoldTicket)
    assert under_test.enter(other(4), elsewhere, 0.0) is hold_limits.HoldRefusal.FULL
    assert isinstance(tickets[0], hold_limits.HoldTicket)
    under_test.leave(tickets[0])
    assert isinstance(under_test.enter(other(5), WAIT, 0.0), hold_limits.HoldTicket)


def find(*targets: model.Target, hold_s: float = 30.0) -> tuple[dns_service.HeldRoute, ...]:
    site = sites.site(
        "a.test",
        sites.route("/api/", model.Proxy(targets=targets, options=catalogue.values(hold_option.OPTION.set(hold_s)))),
    )
    return hold_policy.find_waits(merge.merge_snapshots([model.Snapshot(source="api", sites=(site,))]))


def test_what_is_waited_for() -> None:
    targets = (
        sites.target("http://web:80"),
        sites.target("http://10.0.0.1:81", backup=True),
        sites.target("http://10.0.0.2:81", down=True),
        sites.target("http://unix:/run/x"),
    )
    (wait,) = find(*targets)
    assert (wait.name, wait.host, wait.hold_s) == (names.upstream_name("a.test", "/api/"), "a.test", 30.0)
    found = server_probe.find_places(wait, lambda service: (model.Endpoint(address="::1", port=80),) if service else ())
    assert [(place.written, place.backup) for place in found] == [
        ("[::1]:80", False),
        ("10.0.0.1:81", True),
        ("unix:/run/x:", False),
    ]


@pytest.mark.parametrize(("scheme", "written"), [("http", "unix:/run/x:"), ("fastcgi", "unix:/run/x")])
def test_sockets_as_nginx_reads_them(scheme: str, written: str) -> None:
    (wait,) = find(sites.target(f"{scheme}://unix:/run/x"))
    assert [server.written for server in wait.servers] == [written]


def test_no_wait_where_it_is_switched_off() -> None:
    assert find(sites.target("http://web:80"), hold_s=0) == ()


@pytest.mark.parametrize("accept", ["text/html, */*;q=0.8", "application/JSON", "text/plain", ""])
def test_pages_tell_nothing_of_the_machine(accept: str) -> None:
    media_type, text = hold_pages.find_page(accept, "0123abcd")
    assert "0123abcd" in text
    assert media_type.split(";")[0] == (accept.lower() or "text/plain").split(",")[0]
    assert "starting" in text
    assert "daemun" not in text
    assert "nginx" not in text
