"""The numbers for Prometheus: what they are made of, who may read them, and what may be written of it."""

import dataclasses
import datetime
import pathlib
import re

import pytest
from prometheus_client import exposition, parser

from daemun.core import model
from daemun.core.options import metrics_option
from daemun.core.traffic import traffic_sums, traffic_totals
from daemun.sources import yaml_file
from daemun.web import metrics_app, metrics_families
from tests.support import fake_gate

STATUS = fake_gate.FakeGate(config=pathlib.Path("/x"), state=pathlib.Path("/y")).status()
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def sums(*rows: tuple[str, str, dict[str, int]], bytes_out: int = 100) -> dict[traffic_sums.Key, traffic_sums.Sums]:
    return {
        (number * 60, traffic_sums.Series(site, route, "10.0.0.1:80")): traffic_sums.Sums(
            requests=1, bytes_in=10, bytes_out=bytes_out, counts=counts
        )
        for number, (site, route, counts) in enumerate(rows)
    }


def read(totals: traffic_totals.Totals | None, numbers: metrics_families.GateNumbers | None = None) -> Samples:
    numbers = numbers or metrics_families.GateNumbers(status=STATUS, is_applied=True)
    text = metrics_families.encode(exposition.generate_latest, numbers, totals).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_what_is_counted() -> None:
    totals = traffic_totals.Totals()
    totals.add(sums(("a.test", "/", {"200": 3, "t7": 2, "t31": 1, "u6": 3, "retries": 2}), ("", "", {"404": 1})))
    totals.add(sums(("a.test", "/", {"refused allow": 1}), ("", "", {"refused bans": 2})))
    totals.add(
        sums(
            (
                "a.test",
                "/",
                {"refused allow": 1, "200": 1, "502": 1, "held": 1, "TLSv1.3": 2, "cache HIT": 1, "t200": 1},
            )
        )
    )
    found = read(totals)
    here = {"site": "a.test", "route": "/"}
    assert of(found, "daemun_requests_total", **here, code="200") == 4
    assert of(found, "daemun_requests_total", **here, code="502") == 1
    assert of(found, "daemun_requests_total", site="unknown", route="", code="404") == 1
    assert of(found, "daemun_response_bytes_total", **here) == 300
    assert of(found, "daemun_request_bytes_total", **here) == 30
    assert of(found, "daemun_request_retries_total", **here) == 2
    assert of(found, "daemun_requests_held_total", **here) == 1
    assert of(found, "daemun_refused_requests_total", **here, rule="allow") == 2
    assert of(found, "daemun_refused_requests_total", site="unknown", route="", rule="bans") == 2
    buckets = [of(found, "daemun_request_duration_seconds_bucket", site="a.test", le=le) for le in ("0.005", "0.01")]
    assert buckets == [0, 2]
    assert of(found, "daemun_request_duration_seconds_bucket", site="a.test", le="0.05") == 3
    assert of(found, "daemun_request_duration_seconds_count", site="a.test") == 4
    assert of(found, "daemun_upstream_duration_seconds_count", site="a.test") == 3
    assert of(found, "daemun_upstream_duration_seconds_sum", site="a.test") == pytest.approx(0.018)
    assert not any(name.startswith("daemun_requests_total") for name, _ in read(None))


def test_rows_are_bounded_and_only_grow() -> None:
    totals = traffic_totals.Totals(most_sites=2, most_routes=3, most_timed=1)
    before: Samples = {}
    for round_ in range(3):
        totals.add(
            sums(
                *((f"{site}.test", f"/{route}", {"200": 1, "t1": 1}) for site in "abcd"[round_:] for route in range(3)),
                ("a.test", "", {str(code): 1 for code in range(200, 300)}),
            )
        )
        found = read(totals)
        counters = {key: value for key, value in found.items() if key[0].endswith("_total")}
        assert all(counters[key] >= value for key, value in before.items())
        before = {key: value for key, value in counters.items() if "process" not in key[0]}
    assert {site for site, _ in totals.rows} == {"a.test", "b.test", "other"}
    assert sum(bool(route) and route != "other" for _, route in totals.rows) == 3
    assert len(totals.rows["a.test", ""].codes) == traffic_totals.MOST_CODES + 1
    assert sum(sum(row.codes.values()) for row in totals.rows.values()) == (12 + 9 + 6) + 300
    assert len(totals.times) == 2


def status_of(state: model.SiteState, *, has_page: bool = False) -> model.SiteStatus:
    return dataclasses.replace(STATUS.sites[0], state=state, has_page=has_page)


def test_which_sites_are_up() -> None:
    states = model.SiteState
    up = {state for state in states if metrics_families.is_site_up(status_of(state))}
    assert up == {states.LIVE, states.DEGRADED, states.QUARANTINED}
    assert not metrics_families.is_site_up(status_of(states.QUARANTINED, has_page=True))


def test_servers_and_certificates() -> None:
    noon = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
    looks = [model.ServerLook(server="10.0.0.1:80", at=noon), model.ServerLook(server="10.0.0.2:80", at=noon)]
    bad = dataclasses.replace(looks[1], trouble=model.Trouble.REFUSED)
    seen = model.SiteLook(routes=(model.RouteLook(path="/", servers=(looks[0], bad)), model.RouteLook(path="/x")))
    status = dataclasses.replace(STATUS, sites=(status_of(model.SiteState.LIVE),))
    host = status.sites[0].site.host
    servers = metrics_families.find_servers(status, lambda _: seen)
    assert servers == ((host, "10.0.0.1:80", True), (host, "10.0.0.2:80", False))
    assert metrics_families.find_servers(status, lambda _: None) == ()
    one = model.CertificateStatus(
        name="a", host="a.test", names=("a.test",), state=model.CertificateState.VALID, not_after=noon
    )
    later = dataclasses.replace(one, not_after=noon + datetime.timedelta(days=1))
    none = dataclasses.replace(one, host="b.test", not_after=None)
    assert metrics_families.find_ends([later, one, none]) == {"a.test": noon.timestamp()}
    found = read(None, metrics_families.GateNumbers(status=status, is_applied=False, servers=servers))
    assert of(found, "daemun_server_up", site=host, server="10.0.0.2:80") == 0
    assert of(found, "daemun_config_last_apply_successful") == 0
    assert of(found, "daemun_nginx_workers", state="draining") == status.draining_workers


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain", "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text;version=x.y", "application/openmetrics-text; version=1.0.0;"),
        ("text/plain;version=x;escaping=\x00,,;;=", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_formats(accept: str, kind: str) -> None:
    encoder, found = metrics_families.choose_encoder(accept)
    assert found.startswith(kind)
    numbers = metrics_families.GateNumbers(status=STATUS, is_applied=None)
    assert metrics_families.encode(encoder, numbers, traffic_totals.Totals()).startswith(b"# HELP ")


@pytest.mark.parametrize(
    ("header", "is_right"),
    [
        ("Bearer s3cret", True),
        ("bearer  s3cret ", True),
        ("Bearer s3cre", False),
        ("Bearer ", False),
        ("Bearer s3cret\u00e9", False),
        ("Basic s3cret", False),
        ("s3cret", False),
        ("", False),
    ],
)
def test_token(header: str, is_right: bool) -> None:
    assert metrics_app.is_authorised(header, "s3cret") is is_right


@pytest.mark.parametrize(
    ("host", "is_address"),
    [
        ("127.0.0.1:9180", True),
        ("[::1]:9180", True),
        ("localhost", True),
        ("evil.test:9180", False),
        ("", False),
        ("[::1", False),
        ("127.0.0.1.evil.test", False),
    ],
)
def test_names_that_lead_here(host: str, is_address: bool) -> None:
    assert metrics_app.is_named_by_address(host) is is_address


def written(text: str) -> tuple[metrics_option.Metrics | None, list[str]]:
    content = f"{text}\nsites: {{a.test: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(content, file_name="daemun.yaml", base_dir="/etc/daemun")
    value = None if snapshot.globals is None else metrics_option.OPTION.of(snapshot.globals)
    return value, [str(problem) for problem in snapshot.problems]


def test_option() -> None:
    assert written("") == (None, [])
    address = model.Address(port=9180, host="127.0.0.1")
    assert written('metrics: {listen: "127.0.0.1:9180"}') == (metrics_option.Metrics(listen=address), [])
    token = model.Secret(file="/etc/daemun/metrics.token")
    value, problems = written("metrics: {listen: 9180, token: file:metrics.token}")
    assert (value, problems) == (metrics_option.Metrics(listen=model.Address(port=9180), token=token), [])
    assert written('metrics: {listen: "[::1]:9180"}')[1] == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("metrics: {listen: 9180}", '9180 is open to others, .* or `listen: "127.0.0.1:9180"`'),
        ('metrics: {listen: "0.0.0.0:9180"}', "write `token: file:/PATH`"),
        ('metrics: {listen: "[::]:9180"}', "is open to others"),
        ('metrics: {listen: "10.0.0.1:9180"}', "is open to others"),
        ('metrics: {listen: "localhost:9180"}', '"localhost" is not an IP address'),
        ('metrics: {listen: "127.0.0.1:0"}', "port 0 is not between"),
        ("metrics: {}", "listen"),
        ("metrics: true", "expected a map such as"),
        ('metrics: {listen: "127.0.0.1:443"}', "already listened on by listen.https"),
        (
            'metrics: {listen: "127.0.0.1:9180"}\nstreams: {x: {listen: 9180, to: "tcp://a:1"}}',
            "listened on by metrics",
        ),
        ('metrics: {listen: "127.0.0.1:9180", token: ./metrics.token}', "looks like a path"),
    ],
)
def test_mistakes(text: str, cause: str) -> None:
    _, problems = written(text)
    assert any(re.search(cause, one) for one in problems), problems
