import dataclasses
import datetime

import pytest

from daemun.core import doctor_findings, model
from tests.support import fake_gate

GOOD, WARNS, BLOCKS = model.Weight.GOOD, model.Weight.WARNS, model.Weight.BLOCKS


def site(host: str, *aliases: str, mode: model.TlsMode = model.TlsMode.AUTO) -> model.Site:
    return model.Site(host=host, aliases=aliases, tls=model.Tls(mode=mode), origin=model.NOWHERE)


def told(findings: tuple[model.Finding, ...]) -> list[tuple[model.Weight, str]]:
    assert all(one.cure is None for one in findings if one.weight is GOOD)
    return [(one.weight, str(one)) for one in findings]


# --- names ---


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "b.a.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "b.a.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "*.a.example.com", False),
        ("*.example.com", "example.com", False),
        ("www.example.*", "www.example.org", True),
        ("www.example.*", "example.org", False),
        (r"~^shop\d+\.", "shop12.example.com", True),
        (r"~^shop\d+\.", "shop.example.com", False),
    ],
)
def test_covers(name: str, host: str, *, expected: bool) -> None:
    assert doctor_findings.covers(name, host) is expected


# --- orders ---


def test_orders() -> None:
    other = model.Authority(directory="https://ca.internal/dir")
    own = model.Tls(mode=model.TlsMode.ACME, ordering=model.Ordering(authority=other))
    desired = model.Desired(
        globals=model.Globals(),
        sites=(
            site("a.example.com", "www.a.example.com"),
            site("b.test"),
            model.Site(host="c.example.com", tls=own, origin=model.NOWHERE),
        ),
    )
    every = doctor_findings.find_orders(desired)
    assert [order.hosts for order in every] == [("a.example.com", "www.a.example.com"), ("c.example.com",)]
    assert [order.authority.directory for order in every] == [model.LETS_ENCRYPT, other.directory]
    # One bad alias fails the whole order, so all names of it are looked at.
    assert doctor_findings.find_orders(desired, "www.a.example.com") == every[:1]
    assert doctor_findings.find_orders(desired, "b.test") == ()
    (new,) = doctor_findings.find_orders(desired, "new.example.com")
    assert (new.hosts, new.authority.directory) == (("new.example.com",), model.LETS_ENCRYPT)


# --- the gate ---


def test_nginx() -> None:
    assert told(doctor_findings.judge_nginx("1.31.3", model.Actual(pid=7, workers=workers(2, 0)))) == [
        (GOOD, "nginx 1.31.3 runs (process 7)")
    ]
    assert told(doctor_findings.judge_nginx("1.31.3", model.Actual(pid=7, workers=workers(2, 8))))[1:] == [
        (GOOD, "8 old workers of nginx finish open connections")
    ]
    (_, (weight, text)) = told(doctor_findings.judge_nginx("1.31.3", model.Actual(pid=7, workers=workers(2, 9))))
    assert weight is WARNS
    assert text.startswith("9 old workers of nginx finish open connections, and each holds memory; reload less often")
    assert told(doctor_findings.judge_nginx("1.31.3", model.Actual()))[0][0] is BLOCKS


def workers(now: int, old: int) -> tuple[model.Worker, ...]:
    return tuple(model.Worker(pid=number, draining=number >= now) for number in range(now + old))


def test_sites() -> None:
    statuses = (
        model.SiteStatus(site=site("a.test"), state=model.SiteState.LIVE),
        model.SiteStatus(site=site("b.test"), state=model.SiteState.QUARANTINED, reason="unknown directive"),
        model.SiteStatus(site=site("c.test"), state=model.SiteState.DISABLED),
    )
    assert told(doctor_findings.judge_sites(statuses)) == [
        (GOOD, "1 of 2 sites live, 1 held back, 1 disabled"),
        (
            BLOCKS,
            "b.test: its site is held back: unknown directive; `daemun status` tells what is served instead; correct "
            "its source",
        ),
    ]
    assert told(doctor_findings.judge_sites(statuses, "a.test")) == [(GOOD, "a.test: its site is live")]
    assert told(doctor_findings.judge_sites(statuses, "c.test")) == [
        (WARNS, "c.test: its site is switched off; `daemun enable c.test` switches it on")
    ]
    assert told(doctor_findings.judge_sites(statuses, "x.test")) == [
        (WARNS, "x.test: no site of the gate has this name; `daemun add x.test TARGET` makes one")
    ]


def _stream(name: str, state: model.SiteState, *hosts: str) -> model.StreamStatus:
    return model.StreamStatus(
        name=name,
        origin=model.NOWHERE,
        protocol="tcp",
        listen=("7000",),
        to=("tcp://a:1",),
        tls="passthrough" if hosts else None,
        hosts=hosts,
        state=state,
    )


def test_streams() -> None:
    streams = (_stream("Echo", model.SiteState.LIVE), _stream("dead", model.SiteState.UNREACHABLE, "*.mail.test"))
    live = (model.SiteStatus(site=site("a.test"), state=model.SiteState.LIVE),)
    assert told(doctor_findings.judge_sites(live, streams=streams)) == [
        (GOOD, "1 of 1 site live; 1 of 2 streams live, 1 unreachable")
    ]
    assert told(doctor_findings.judge_sites((), streams=streams[:1])) == [(GOOD, "1 of 1 stream live")]
    for name in ("echo", "dead", "in.mail.test"):
        assert doctor_findings.judge_sites(live, name, streams=streams) == ()
    assert doctor_findings.judge_sites(live, "mail", streams=streams) != ()


def test_problems() -> None:
    engine = model.Origin(source="docker", place="unix:///var/run/docker.sock")
    problems = (
        model.Problem(origin=engine, message="cannot reach it; does it run?", severity=model.Severity.WARNING),
        model.Problem(origin=model.NOWHERE, message="cannot render", host="a.test"),
    )
    found = doctor_findings.judge_problems(problems)
    assert [one.topic for one in found] == ["engine", "config"]
    assert told(found) == [
        (WARNS, "cannot reach it; does it run?; look at unix:///var/run/docker.sock"),
        (BLOCKS, "a.test: cannot render"),
    ]
    assert doctor_findings.judge_problems(problems, "a.test") == found[1:]


def test_containers() -> None:
    containers = (
        model.ContainerStatus(name="chat-1", hosts=("chat.test",)),
        model.ContainerStatus(
            name="chat-2", hosts=("chat.test",), is_served=False, why="is not running", cure="start it"
        ),
    )
    assert told(doctor_findings.judge_containers(containers)) == [
        (WARNS, "the container chat-2: is not running; start it"),
        (GOOD, "1 of 2 containers served"),
    ]
    assert doctor_findings.judge_containers(containers, "other.test") == ()
    assert doctor_findings.judge_containers(()) == ()
    engines = (
        model.EngineStatus(name="local", place="unix:///d.sock"),
        model.EngineStatus(name="nas", place="ssh://nas", answers=False),
    )
    assert doctor_findings.judge_engines(engines[:1]) == ()
    assert doctor_findings.judge_engines(engines) == (), "what is wrong is a problem already"
    answering = tuple(dataclasses.replace(one, answers=True) for one in engines)
    assert [one.message for one in doctor_findings.judge_engines(answering)] == ["all 2 engines answer: local, nas"]


def test_certificates() -> None:
    failing = fake_gate.certificate("a.test", model.CertificateState.FAILING, reason="the CA says no")
    valid = fake_gate.certificate("a.test", model.CertificateState.VALID)
    local, pending = (
        fake_gate.certificate("a.test", state)
        for state in (model.CertificateState.LOCAL, model.CertificateState.PENDING)
    )
    assert fake_gate.NOON + datetime.timedelta(minutes=10) == failing.next_attempt
    assert told(tuple(map(doctor_findings.judge_certificate, (failing, valid, local, pending)))) == [
        (
            BLOCKS,
            "a.test: has no certificate as asked for: the CA says no; daemun tries again at 2026-03-01 12:10 UTC; "
            "`daemun certs renew a.test` tries at once",
        ),
        (GOOD, "a.test: has a certificate of daemun local CA until 2026-05-30"),
        (GOOD, "a.test: has a certificate of the local authority, as asked for"),
        (GOOD, "a.test: its certificate is being ordered"),
    ]
