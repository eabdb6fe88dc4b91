"""The first screen's rows, lamps, filter and order, and what needs a person, by values."""

import dataclasses
import datetime
import typing

import pytest

from daemun.core import model
from daemun.core.dashboard import gate_totals, lamps, needs, row_choice, site_row
from daemun.core.dashboard.lamps import Light
from daemun.core.dashboard.row_choice import RowChoice, Sort
from daemun.core.model import CertificateKind, CertificateState, SiteState, Trouble
from daemun.core.options import maintenance_option
from daemun.core.traffic import traffic_rates
from tests.support.sites import route, site

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
ACTIONS = (needs.NeedAction.PROBE, needs.NeedAction.MAINTENANCE)


def live(host: str = "a.test", state: SiteState = SiteState.LIVE, **more: typing.Any) -> model.SiteStatus:
    made = site(host, "http://10.0.0.7:80", origin=model.Origin(source="file", place="daemun.yaml:3:3"))
    return model.SiteStatus(site=made, state=state, **more)


def certificate(
    host: str = "a.test", state: CertificateState = CertificateState.VALID, **more: typing.Any
) -> typing.Any:
    values: dict[str, typing.Any] = {
        "kind": CertificateKind.PUBLIC,
        "not_before": NOW - 10 * DAY,
        "not_after": NOW + 80 * DAY,
        "renew_at": NOW + 50 * DAY,
        **more,
    }
    return model.CertificateStatus(name=host, host=host, names=(host,), state=state, **values)


def server(name: str = "10.0.0.7:80", trouble: Trouble | None = None) -> model.ServerLook:
    cause = None if trouble is None else f"{name} {trouble.value}"
    return model.ServerLook(server=name, at=NOW, trouble=trouble, cause=cause, cure="start it" if trouble else None)


def look(*servers: model.ServerLook, **more: typing.Any) -> model.SiteLook:
    return model.SiteLook(routes=(model.RouteLook(path="/", servers=servers, **more),))


def rate(host: str, requests: int = 100, errors: int = 0, p95_s: float = 0.1) -> traffic_rates.TrafficRate:
    return traffic_rates.TrafficRate(
        site=host,
        route=None,
        requests=requests,
        requests_per_s=requests / 300,
        client_errors=0,
        server_errors=errors,
        p50_s=0.01,
        p95_s=p95_s,
        bytes_out_per_s=1000.0,
        bytes_in_per_s=10.0,
    )


def rows(*sites: model.SiteStatus, **seen: typing.Any) -> tuple[site_row.SiteRow, ...]:
    return site_row.make_rows(site_row.SeenGate(sites=sites, **seen), NOW)


def certified(one: model.CertificateStatus | None, **more: typing.Any) -> lamps.SiteLamp:
    given = {"handshakes": (), "has_tls": True, "is_enabled": True, **more}
    return lamps.of_certificate(one, given.pop("handshakes"), NOW, **given)


def test_three_lamps_of_a_site_that_is_well() -> None:
    (row,) = rows(live(), certificates=(certificate(),), looks={"a.test": look(server())})
    assert [one.light for one in (row.settings, row.certified, row.server)] == [Light.GOOD] * 3
    assert (row.worst, row.servers) == (Light.GOOD, lamps.ServerCount(up=1, total=1))
    assert row.certificate is not None
    assert (row.certificate.renewal, row.certificate.renew_at) == (site_row.Renewal.PLANNED, NOW + 50 * DAY)


def test_a_certificate_is_judged_by_its_planned_renewal_and_not_by_days() -> None:
    """A certificate of six days with three left is as it should be; one of a year with forty may not be."""
    short = certificate(not_before=NOW - 3 * DAY, not_after=NOW + 3 * DAY, renew_at=NOW + DAY)
    assert certified(short).light is Light.GOOD
    long = certificate(not_before=NOW - 325 * DAY, not_after=NOW + 40 * DAY, renew_at=NOW - 60 * DAY)
    assert certified(long) == lamps.SiteLamp(light=Light.WARNING, why="its renewal is overdue")
    assert "its owner renews it" in certified(dataclasses.replace(long, kind=CertificateKind.OWN)).why
    assert certified(dataclasses.replace(long, not_after=NOW)).light is Light.BAD


def test_renewals_that_fail_show_while_visitors_see_the_former_one() -> None:
    failing = certificate(
        state=CertificateState.FAILING, failures=2, next_attempt=NOW + DAY, reason="DNS points elsewhere"
    )
    found = certified(failing)
    assert found.light is Light.WARNING
    assert "DNS points elsewhere" in found.why
    (row,) = rows(live(), certificates=(failing,))
    assert row.certificate is not None
    assert (row.certificate.renewal, row.certificate.renew_at) == (site_row.Renewal.RETRIED, NOW + DAY)
    assert certified(dataclasses.replace(failing, kind=CertificateKind.LOCAL)).light is Light.BAD


@pytest.mark.parametrize(
    ("one", "more", "light"),
    [
        (None, {}, Light.UNKNOWN),
        (None, {"has_tls": False}, Light.UNKNOWN),
        (certificate(), {"is_enabled": False}, Light.UNKNOWN),
        (certificate(state=CertificateState.PENDING), {}, Light.WARNING),
        (certificate(state=CertificateState.LOCAL, kind=CertificateKind.LOCAL), {}, Light.GOOD),
        (certificate(state=CertificateState.INVALID), {}, Light.BAD),
        (certificate(state=CertificateState.INCOMPLETE), {}, Light.WARNING),
        (certificate(state=CertificateState.NOT_SERVED, reason="another is shown"), {}, Light.BAD),
        (certificate(not_before=None, not_after=None), {}, Light.GOOD),
    ],
)
def test_certificates(one: model.CertificateStatus | None, more: dict[str, bool], light: Light) -> None:
    assert certified(one, **more).light is light


def test_a_handshake_that_fails_is_of_the_certificate() -> None:
    bad = model.HandshakeLook(listener="127.0.0.1:443", name="a.test", at=NOW, cause="no handshake", cure="apply")
    assert certified(certificate(), handshakes=(bad,)) == lamps.SiteLamp(light=Light.BAD, why="no handshake")


def of_servers(one: model.SiteLook | None, *, has_servers: bool = True) -> Light:
    return lamps.of_servers(one, NOW, has_servers=has_servers, is_enabled=True).light


def test_servers() -> None:
    dead, well = server("10.0.0.8:80", Trouble.REFUSED), server()
    assert of_servers(None) is Light.UNKNOWN
    assert of_servers(None, has_servers=False) is Light.GOOD
    assert of_servers(look()) is Light.UNKNOWN, "it was not looked at yet"
    assert of_servers(look(), has_servers=False) is Light.GOOD
    assert of_servers(look(well, dead)) is Light.WARNING
    assert of_servers(look(dead)) is Light.BAD
    assert of_servers(look(well, judges=(dead,))) is Light.BAD, "nobody comes in"
    error = model.UpstreamError(at=NOW, since=NOW, count=3, cause="it closes", cure="", words="", is_lasting=True)
    assert of_servers(look(well, last_error=error)) is Light.WARNING
    assert of_servers(look(well, last_error=dataclasses.replace(error, is_lasting=False))) is Light.GOOD
    assert of_servers(look(well, last_error=dataclasses.replace(error, at=NOW - DAY))) is Light.GOOD


def test_a_server_of_two_routes_counts_once() -> None:
    both = model.SiteLook(
        routes=(
            model.RouteLook(path="/", servers=(server(), server("b:80"))),
            model.RouteLook(path="/x", servers=(server(trouble=Trouble.REFUSED),)),
        )
    )
    assert lamps.count_servers(both.routes) == lamps.ServerCount(up=1, total=2)


@pytest.mark.parametrize(
    ("state", "light"),
    [
        (SiteState.LIVE, Light.GOOD),
        (SiteState.UNREACHABLE, Light.GOOD),
        (SiteState.QUARANTINED, Light.BAD),
        (SiteState.PENDING, Light.WARNING),
        (SiteState.DISABLED, Light.UNKNOWN),
    ],
)
def test_a_dead_server_is_no_fault_of_the_settings(state: SiteState, light: Light) -> None:
    assert lamps.of_settings(state, "because").light is light


def test_problems_and_maintenance_colour_the_settings() -> None:
    problem = model.Problem(origin=model.NOWHERE, message="it is odd", severity=model.Severity.WARNING)
    assert lamps.of_settings(SiteState.LIVE, None, [problem]) == lamps.SiteLamp(light=Light.WARNING, why="it is odd")
    error = dataclasses.replace(problem, severity=model.Severity.ERROR, message="it is wrong")
    assert lamps.of_settings(SiteState.LIVE, None, [problem, error]) == lamps.SiteLamp(
        light=Light.BAD, why="it is wrong"
    )
    closed = site("a.test", "http://10.0.0.7:80", maintenance=maintenance_option.Maintenance())
    (row,) = rows(model.SiteStatus(site=closed, state=SiteState.LIVE))
    assert (row.is_closed, row.settings.light) == (True, Light.WARNING)


def test_the_cure_of_an_engine_that_does_not_answer_is_no_look_at_files() -> None:
    """`daemun check` reads files, and looks at no engine."""
    problems = [
        model.Problem(origin=model.Origin(source=source, place=place), message="it does not answer")
        for source, place in (("docker", "unix:///run/docker.sock"), ("file", "daemun.yaml:3:1"))
    ]
    found = needs.find_needs(site_row.SeenGate(problems=tuple(problems)), (), NOW)
    assert {one.origin: one.command for one in found} == {
        "unix:///run/docker.sock": "daemun status",
        "daemun.yaml:3:1": "daemun check",
    }


def test_streams_are_rows_with_their_ports() -> None:
    dead = model.StreamLook(servers=(server(trouble=Trouble.REFUSED),))
    stream = model.StreamStatus(
        name="mqtt",
        origin=model.NOWHERE,
        protocol="tcp",
        listen=("1883",),
        to=("tcp://broker:1883",),
        tls=None,
        hosts=(),
        state=SiteState.UNREACHABLE,
        look=dead,
    )
    (row,) = rows(streams=(stream,))
    assert (row.kind, row.listen, row.servers) == (site_row.RowKind.STREAM, ("1883",), lamps.ServerCount(up=0, total=1))
    assert [one.light for one in (row.settings, row.certified, row.server)] == [Light.GOOD, Light.UNKNOWN, Light.BAD]
    assert [one.name for one in chosen([row], RowChoice(query="1883 broker"))] == ["mqtt"]


# --- which rows, in which order ------------------------------------------------------------------------------------


def chosen(
    found: typing.Iterable[site_row.SiteRow],
    choice: RowChoice = RowChoice(),  # noqa: B008 - it is frozen
) -> tuple[site_row.SiteRow, ...]:
    return row_choice.choose(found, choice, lambda host: ".".join(host.split(".")[-2:])).rows


def names(found: typing.Iterable[site_row.SiteRow], **choice: typing.Any) -> list[str]:
    return [one.name for one in chosen(found, RowChoice(**choice))]


@pytest.fixture(name="some")
def make_some() -> tuple[site_row.SiteRow, ...]:
    changes = {"b.one.test": site_row.LastChange(number=2, at=NOW, what="changed", by="daemun add")}
    return rows(
        live("c.one.test", SiteState.UNREACHABLE, reason="it refuses"),
        live("b.one.test"),
        live("a.two.test", SiteState.DISABLED),
        live("d.two.test", SiteState.DEGRADED),
        looks={"c.one.test": look(server(trouble=Trouble.REFUSED)), "b.one.test": look(server())},
        rates={"b.one.test": rate("b.one.test", errors=50), "d.two.test": rate("d.two.test", 200, p95_s=0.5)},
        changes=changes,
        certificates=(certificate("b.one.test"), certificate("d.two.test", renew_at=NOW + DAY)),
    )


def test_the_worst_comes_first(some: tuple[site_row.SiteRow, ...]) -> None:
    assert names(some)[0] == "c.one.test"


def test_filters(some: tuple[site_row.SiteRow, ...]) -> None:
    assert names(some, query="TWO", sort=Sort.NAME) == ["a.two.test", "d.two.test"]
    assert names(some, query="two d.") == ["d.two.test"]
    assert len(names(some, query="10.0.0.7")) == 4
    assert names(some, states=("not-live",), sort=Sort.NAME) == ["c.one.test", "d.two.test"]
    assert names(some, states=("disabled", "live"), sort=Sort.NAME) == ["a.two.test", "b.one.test"]
    assert names(some, states=("trouble",)) == ["c.one.test"]
    assert names(some, origin="docker") == []
    assert len(names(some, origin="file")) == len(names(some, origin="daemun.yaml")) == 4
    assert names(some, kind=site_row.RowKind.STREAM) == []


def test_every_column_orders_and_what_is_not_known_stands_last(some: tuple[site_row.SiteRow, ...]) -> None:
    assert names(some, sort=Sort.REQUESTS, descending=True)[:2] == ["d.two.test", "b.one.test"]
    assert names(some, sort=Sort.REQUESTS)[2:] == ["b.one.test", "d.two.test"], "no request is 0, as it is shown"
    assert names(some, sort=Sort.BYTES)[2:] == ["b.one.test", "d.two.test"]
    assert names(some, sort=Sort.ERRORS, descending=True)[0] == "b.one.test"
    assert names(some, sort=Sort.TIME, descending=True)[0] == "d.two.test"
    assert names(some, sort=Sort.CERTIFICATE)[0] == "d.two.test"
    assert names(some, sort=Sort.CHANGED)[0] == names(some, sort=Sort.CHANGED, descending=True)[0] == "b.one.test"
    assert names(some, sort=Sort.SERVERS)[0] == "c.one.test"
    for one in Sort:
        assert sorted(names(some, sort=one)) == sorted(names(some, sort=one, descending=True))


def test_rows_of_a_domain_stand_together(some: tuple[site_row.SiteRow, ...]) -> None:
    found = row_choice.choose(some, RowChoice(by_domain=True), lambda host: ".".join(host.split(".")[-2:]))
    assert found.domains == ("one.test", "one.test", "two.test", "two.test")
    assert [one.name for one in found.rows][:2] == ["c.one.test", "b.one.test"]


def test_pages() -> None:
    every = rows(*(live(f"s{number:05}.test") for number in range(10_000)))
    found = row_choice.choose(every, RowChoice(sort=Sort.NAME, page=2), str)
    assert (found.total, len(found.rows), found.rows[0].name) == (10_000, 100, "s00100.test")
    assert row_choice.choose(every, RowChoice(page=999), str).page == 100
    assert names(every, query="s09999") == ["s09999.test"]


def test_what_follows_from_a_site_is_remembered_and_not_mistaken_for_another() -> None:
    memory = site_row.RowMemory()
    before = site_row.make_rows(site_row.SeenGate(sites=(live(),)), NOW, memory)
    assert site_row.make_rows(site_row.SeenGate(sites=(live(),)), NOW, memory) == before
    other = model.SiteStatus(site=site("a.test", "http://10.9.9.9:80"), state=SiteState.LIVE)
    (row,) = site_row.make_rows(site_row.SeenGate(sites=(other,)), NOW, memory)
    assert "10.9.9.9" in row.words
    assert row.to == ("http://10.9.9.9",)


def test_rows_with_a_memory_are_those_without() -> None:
    memory, one, other = site_row.RowMemory(), live(), live("b.test")
    base = site_row.SeenGate(sites=(one, other), certificates=(certificate(), certificate("b.test")))
    changes: dict[str, typing.Any] = {
        "sites": (dataclasses.replace(one, state=SiteState.DEGRADED), other),
        "certificates": (certificate(state=CertificateState.INVALID), certificate("b.test")),
        "looks": {"a.test": look(server(trouble=Trouble.REFUSED))},
        "rates": {"a.test": rate("a.test")},
        "changes": {"a.test": site_row.LastChange(number=1, at=NOW, what="added", by="start")},
        "problems": (model.Problem(origin=model.NOWHERE, message="no", host="a.test"),),
    }
    for name, value in changes.items():
        site_row.make_rows(base, NOW, memory)
        changed = dataclasses.replace(base, **{name: value})
        found = site_row.make_rows(changed, NOW, memory)
        assert found == site_row.make_rows(changed, NOW) != site_row.make_rows(base, NOW), name
    fewer = dataclasses.replace(base, sites=(other,))
    assert [row.name for row in site_row.make_rows(fewer, NOW, memory)] == ["b.test"]


def test_what_time_alone_changes_is_seen_with_a_memory_too() -> None:
    memory, seen = site_row.RowMemory(), site_row.SeenGate(sites=(live(),), certificates=(certificate(),))
    site_row.make_rows(seen, NOW, memory)
    (row,) = site_row.make_rows(seen, NOW + 81 * DAY, memory)
    assert row.certified.light is Light.BAD


# --- what needs a person -------------------------------------------------------------------------------------------


def find(*sites: model.SiteStatus, machine: tuple[needs.Need, ...] = (), **seen: typing.Any) -> tuple[needs.Need, ...]:
    given = site_row.SeenGate(sites=sites, **seen)
    return needs.find_needs(given, site_row.make_rows(given, NOW), NOW, machine)


def test_nothing_needs_anybody_while_all_is_well() -> None:
    assert find(live(), live("b.test", SiteState.DISABLED), certificates=(certificate(),)) == ()


def test_a_need_has_cause_cure_command_and_what_does_it() -> None:
    down = live(
        state=SiteState.UNREACHABLE, reason="it refuses", cure="start it, or `daemun add a.test URL`", since=NOW
    )
    (one,) = find(down)
    assert (one.light, one.title, one.cause, one.count) == (Light.BAD, "a.test", "it refuses", 1)
    assert (one.command, one.actions, one.since) == ("daemun add a.test URL", ACTIONS, NOW)
    assert one.origin == "daemun.yaml:3:3"
    (other,) = find(dataclasses.replace(down, cure="start it"))
    assert other.command == "daemun status a.test --probe"


def test_sites_with_one_trouble_are_one_need() -> None:
    many = [live(f"s{number}.test", SiteState.UNREACHABLE, reason="the machine is off") for number in range(300)]
    (one,) = find(*many)
    assert (one.count, len(one.names)) == (300, needs.MOST_NAMED)


def test_a_failing_renewal_is_on_the_first_screen_with_what_tries_again() -> None:
    failing = certificate(state=CertificateState.FAILING, failures=2, next_attempt=NOW + DAY, reason="no DNS")
    (one,) = find(live(), certificates=(failing,))
    assert (one.kind, one.light, one.actions) == (needs.NeedKind.CERTIFICATE, Light.WARNING, (needs.NeedAction.RENEW,))
    assert one.command == "daemun certs renew a.test"
    degraded = live(state=SiteState.DEGRADED, reason="its certificate is not as asked for: no DNS")
    (same,) = find(degraded, certificates=(failing,))
    assert same.kind is needs.NeedKind.SITE
    assert needs.NeedAction.RENEW in same.actions


def test_errors_of_servers_count_where_there_are_enough_requests() -> None:
    assert find(live(), rates={"a.test": rate("a.test", 10, errors=10)}) == ()
    assert find(live(), rates={"a.test": rate("a.test", 100, errors=4)}) == ()
    (one,) = find(live(), rates={"a.test": rate("a.test", 100, errors=40)})
    assert (one.kind, one.cause) == (needs.NeedKind.ERRORS, "40 of its last 100 requests (40%) got a 5xx")
    closed = site("a.test", "http://10.0.0.7:80", maintenance=maintenance_option.Maintenance())
    shut = model.SiteStatus(site=closed, state=SiteState.LIVE)
    assert find(shut, rates={"a.test": rate("a.test", 100, errors=100)}) == ()


def test_problems_that_no_row_has_and_containers_without_a_site() -> None:
    problem = model.Problem(
        origin=model.Origin(source="file", place="daemun.yaml:9:1"),
        message="cannot read it; run `daemun check`",
        cure="run `daemun check`",
    )
    idle = model.ContainerStatus(
        name="web-1", hosts=("w.test",), is_served=False, why="exposes no port", cure="set one"
    )
    held = live(state=SiteState.QUARANTINED, reason="unknown directive")
    known = dataclasses.replace(problem, host="a.test", message='site "a.test": unknown directive', cure="")
    found = find(held, problems=(problem, known), containers=(idle,))
    assert [(one.kind.value, one.light.value, one.title) for one in found] == [
        ("site", "bad", "a.test"),
        ("problem", "bad", "daemun.yaml:9:1"),
        ("container", "warning", "web-1"),
    ]
    assert found[1].command == "daemun check"
    assert found[0].actions == (needs.NeedAction.APPLY,)


def test_the_machine() -> None:
    gb = 1 << 30
    full = gate_totals.DiskRoom(folder="/var", free_bytes=gb, total_bytes=100 * gb)
    room = gate_totals.DiskRoom(folder="/", free_bytes=50 * gb, total_bytes=100 * gb)
    assert gate_totals.find_machine_needs(gate_totals.MachineState(rooms=(room,), old=1, most=8)) == ()
    state = gate_totals.MachineState(answers=False, old=8, most=8, old_bytes=gb, rooms=(full, room))
    found = gate_totals.find_machine_needs(state)
    assert [one.title for one in found] == ["nginx", "old workers", "/var"]
    assert "8 generations" in found[1].cause
    waits = dataclasses.replace(state, answers=True, rooms=(), waits="old workers exceed", waits_since=NOW)
    assert [one.title for one in gate_totals.find_machine_needs(waits)] == ["a change waits"]
    stopped = gate_totals.MachineState(is_running=False)
    (one,) = gate_totals.find_machine_needs(stopped)
    assert (one.light, one.command) == (Light.BAD, "daemun apply")
    assert find(live(state=SiteState.UNREACHABLE), machine=found)[0].kind is needs.NeedKind.MACHINE


def test_totals(some: tuple[site_row.SiteRow, ...]) -> None:
    failing = certificate("x.test", CertificateState.FAILING, failures=1, next_attempt=NOW + 2 * DAY)
    found = gate_totals.add_up(some, (certificate("b.test", renew_at=NOW + DAY), failing), is_counted=True)
    assert found.states == {"degraded": 1, "disabled": 1, "live": 1, "unreachable": 1}
    assert found.servers == lamps.ServerCount(up=1, total=2)
    assert found.requests_per_s == pytest.approx(1.0)
    assert found.error_share == pytest.approx(50 / 300)
    assert [one.host for one in found.renewals] == ["x.test", "b.test"], "what is late comes first"
    off = gate_totals.add_up(some, (), is_counted=False)
    assert (off.requests_per_s, off.bytes_out_per_s) == (None, None)


def test_rows_of_long_and_odd_names() -> None:
    odd = site("~^(?<n>.+)\\.a\\.test$", route("/", "http://10.0.0.7:80"))
    (row,) = rows(model.SiteStatus(site=odd, state=SiteState.LIVE))
    assert row.name.startswith("~")
    assert site_row.traffic_name("x" * 600).startswith("x" * 100)


def test_no_secret_is_found_by_a_search_for_its_beginning() -> None:
    action = model.Redirect(to="https://hooks.example.com/in?token=s3cret")
    redirect = route("/", action)
    made = dataclasses.replace(live("a.test").site, routes=(redirect,))
    some = rows(model.SiteStatus(site=made, state=SiteState.LIVE))
    assert names(some, query="hooks.example.com/in?token=") == ["a.test"]
    assert names(some, query="token=s3") == []
