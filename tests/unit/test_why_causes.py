"""Which cause is named first, from facts alone: what no real set-up on one machine shows, and hostile text."""

import dataclasses
import datetime

import pytest

from daemun.cli import why_lines
from daemun.core import model
from daemun.core.logged import logged_request
from daemun.core.served import served_judgement, server_answers
from daemun.core.texts import log_lines
from daemun.core.why import (
    condition_match,
    logged_errors,
    page_causes,
    request_causes,
    request_facts,
    requested_url,
    route_walk,
    site_choice,
    url_causes,
    url_facts,
    why_story,
)

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
TARGET = model.Target(scheme=model.Scheme.HTTP, host="127.0.0.1", port=3000)
ROUTE = model.Route(path="/", action=model.Proxy(targets=(TARGET,)))
SITE = model.Site(host="app.example.com", routes=(ROUTE,))
GATE = model.Address(host="127.0.0.1", port=443)
URL = requested_url.parse("https://app.example.com/x")
WELL = url_facts.HttpAnswer(status=200)
SHOWN = served_judgement.Shown(
    fingerprint="ab",
    issuer="R11",
    not_before=NOW - datetime.timedelta(days=1),
    not_after=NOW + datetime.timedelta(days=60),
    covers=True,
)
SERVER = url_facts.QueriedServer(
    written="http://127.0.0.1:3000", server="127.0.0.1:3000", found=server_answers.WELL, answer=WELL
)
FACTS = url_facts.UrlFacts(
    url=URL,
    request=condition_match.SentRequest(address="127.0.0.1"),
    now=NOW,
    desired=model.Desired(globals=model.Globals(), sites=(SITE,)),
    choice=site_choice.SiteChoice(site=SITE, match=site_choice.Match.EXACT, name="app.example.com"),
    walk=route_walk.RouteWalk(route=ROUTE, path="/"),
    listening=(GATE,),
    other_listening=(model.Address(port=80),),
    handshake=SHOWN,
    names=url_facts.NameLook(addresses=("192.0.2.1",), own=("192.0.2.1",), reached=("192.0.2.1",)),
    visits=(url_facts.GateVisit(url=URL, at="127.0.0.1:443", answer=WELL),),
    servers=(SERVER,),
)


def visits(answer: url_facts.HttpAnswer | None, **changes: object) -> tuple[url_facts.GateVisit, ...]:
    return (dataclasses.replace(FACTS.visits[0], answer=answer, **changes),)  # type: ignore[arg-type]


def kinds(**changes: object) -> list[str]:
    return [one.kind for one in url_causes.find_causes(dataclasses.replace(FACTS, **changes))]  # type: ignore[arg-type]


def test_nothing_is_wrong() -> None:
    assert kinds() == []
    assert {step.weight for step in why_story.make_story(FACTS).steps} == {model.Weight.GOOD}


def test_a_spelling_that_servers_may_read_as_a_denied_path() -> None:
    denied = model.Route(path="/admin/", action=model.Respond(status=403))
    choice = dataclasses.replace(FACTS.choice, site=dataclasses.replace(SITE, routes=(*SITE.routes, denied)))
    refused = visits(url_facts.HttpAnswer(status=400))
    for path, kind in (("/Admin/x", "other-spelling"), ("/;x/admin", "other-spelling"), ("/x", "status-400")):
        assert kinds(url=dataclasses.replace(URL, path=path), choice=choice, visits=refused) == [kind], path


def test_names_that_lead_elsewhere() -> None:
    assert kinds(names=url_facts.NameLook(addresses=("198.51.100.1",))) == ["dns-elsewhere"]
    both = url_facts.NameLook(addresses=("192.0.2.1", "2001:db8::1"), own=("192.0.2.1",), reached=("192.0.2.1",))
    assert kinds(names=both) == ["dns-partly-elsewhere"]
    behind = url_facts.NameLook(addresses=("203.0.113.1",), reached=("203.0.113.1",))
    assert kinds(names=behind) == []
    alone = url_facts.NameLook(
        addresses=("192.0.2.1", "2001:db8::1"), own=("192.0.2.1", "2001:db8::1"), refused=("2001:db8::1",)
    )
    assert kinds(names=alone) == ["not-at-address"]
    assert kinds(names=url_facts.NameLook(failure="name or service not known")) == ["dns-missing"]


def test_what_a_visitor_receives_goes_before_the_name() -> None:
    dead = dataclasses.replace(
        SERVER,
        answer=None,
        found=server_answers.ServerFinding(trouble=model.Trouble.REFUSED, cause="it refuses", cure="start it"),
    )
    lost = url_facts.NameLook(failure="name or service not known")
    assert kinds(names=lost, servers=(dead,), visits=visits(url_facts.HttpAnswer(status=502))) == [
        "server-refused",
        "dns-missing",
    ]


def test_the_gate_is_down() -> None:
    down = visits(None, is_connected=False, is_secured=False, failure="connection refused")
    assert kinds(visits=down, gate_runs=False, handshake="connection refused")[0] == "gate-down"
    assert kinds(visits=down, handshake="connection refused")[0] == "not-listening"


def test_a_public_name_with_a_local_certificate() -> None:
    local = dataclasses.replace(SHOWN, issuer="daemun local CA x")
    view = url_facts.DaemonView(state="live", certificate="local", certificate_reason="port 80 is not reached")
    found = url_causes.find_causes(
        dataclasses.replace(FACTS, handshake=local, local_issuer="daemun local CA x", daemon=view)
    )
    assert [one.kind for one in found] == ["certificate-local"]
    assert "port 80 is not reached" in found[0].cause


def test_what_only_the_status_tells() -> None:
    assert kinds(visits=visits(url_facts.HttpAnswer(status=500))) == ["status-500"]


@pytest.mark.parametrize(
    ("line", "is_lost"),
    [
        ("sid=1", False),
        ("sid=1; Path=/; Secure; HttpOnly; SameSite=Lax", False),
        ("sid=1; Domain=example.com", False),
        ("sid=1; Domain=.app.example.com", False),
        ("sid=1; Domain=other.example.org", True),
        ("sid=1; SameSite=None", True),
        ("sid=1; SameSite=None; Secure", False),
        ("__Host-sid=1; Secure; Path=/", False),
        ("__Host-sid=1; Secure; Path=/; Domain=app.example.com", True),
        ("__Secure-sid=1", True),
        ("sid=1; Path=/other/", False),
        ("sid=1; Path=/x/y", False),
        ("=;;; ==;Domain=\x1b[31m", True),
        ("", False),
    ],
)
def test_cookies_that_get_lost(line: str, is_lost: bool) -> None:
    answer = url_facts.HttpAnswer(status=200, headers=(("set-cookie", line),))
    found = tuple(page_causes.find(dataclasses.replace(FACTS, visits=visits(answer))))
    assert bool(found) is is_lost
    assert all(why_lines.clean(one.cause).isprintable() for one in found)


def test_a_cookie_for_another_path() -> None:
    url = requested_url.parse("https://app.example.com/shop/login")
    answer = url_facts.HttpAnswer(status=200, headers=(("set-cookie", "sid=1; Path=/other/"),))
    (found,) = page_causes.find(dataclasses.replace(FACTS, url=url, visits=visits(answer, url=url)))
    assert (found.kind, "its Path" in found.cause) == ("cookie-lost", True)


def test_hostile_text_never_reaches_the_terminal() -> None:
    evil = "\x1b]0;x\x07\u202e\u2028" + "A" * 9000
    answer = url_facts.HttpAnswer(
        status=302, headers=(("location", f"https://app.example.com/{evil}"), ("set-cookie", evil))
    )
    choice = dataclasses.replace(FACTS.choice, near=evil)
    story = why_story.make_story(dataclasses.replace(FACTS, visits=visits(answer), choice=choice, error_lines=(evil,)))
    for _, text in why_lines.lines_of(story):
        assert "\x1b" not in text
        assert len(text) < 4000
    assert all(text.isprintable() for text in _texts(why_lines.json_of(story)))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in values for text in _texts(one)]


# --- the error log ---------------------------------------------------------------------------------------------

HEAD = "2026/01/02 03:04:05 [error] 7#7: *5 "
TAIL = ', client: 192.0.2.9, server: app.example.com, request: "POST /x HTTP/1.1", host: "app.example.com"'


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("client intended to send too large body: 5000 bytes", "body-too-large"),
        ('limiting requests, excess: 1.000 by zone "daemun_rate_x"', "rate-limit"),
        ('limiting connections by zone "daemun_connections_x"', "connection-limit"),
        ('user "alice" was not found in "/etc/x"', "basic-auth"),
        ("access forbidden by rule", "refused-address"),
        ('open() "/srv/www/x" failed (2: No such file or directory)', "file-missing"),
        ('open() "/srv/www/x" failed (13: Permission denied)', "file-forbidden"),
        ('open() "/s/cache/9/4d/d41d8cd98f00b204e9800998ecf8494d" failed (13: Permission denied)', "kept-forbidden"),
        ('directory index of "/srv/www/" is forbidden', "no-index"),
        ("auth request unexpected status: 404 while sending to client", "judge-answer"),
        ('pwrite() "/s/body/0000000001" failed (28: No space left on device)', "disk-full"),
        ('pwrite() "/s/p/1/00/0000000001" failed (28: No space left on device) while reading upstream', "disk-full"),
        ('open() "/srv/x failed (28: No space left on device)" failed (2: No such file or directory)', "file-missing"),
    ],
)
def test_nginx_words_about_a_request(words: str, kind: str) -> None:
    found = logged_errors.explain((HEAD + words + TAIL,))
    assert found is not None
    assert found.kind == kind
    assert found.cure


def test_nginx_words_about_a_server() -> None:
    words = "connect() failed (111: Connection refused) while connecting to upstream"
    tail = TAIL.replace(", host", ', upstream: "http://127.0.0.1:3000/x", host')
    found = logged_errors.explain((HEAD + words + tail,))
    assert found is not None
    assert (found.kind, "127.0.0.1:3000" in found.cause) == ("server", True)
    assert logged_errors.explain(("", "x" * 100_000, HEAD, "no line of a log")) is None


# --- requests that were ----------------------------------------------------------------------------------------


def line(status: int, *, upstream: str = "-", upstream_status: str = "-") -> logged_request.LoggedRequest:
    text = log_lines.TEXT_LINE
    values = {
        "$remote_addr": "192.0.2.9",
        "$remote_user": "-",
        "$time_local": "02/Jan/2026:03:04:05 +0000",
        "$request_time": "0.100",
        "$request_id": "5-1",
        "$body_bytes_sent": "0",
        "$http_referer": "-",
        "$http_user_agent": "x",
        "$host": "app.example.com",
        "$upstream_status": upstream_status,
        "$upstream_response_time": "-",
        "$upstream_addr": upstream,
        "$status": str(status),
        "$ssl_protocol": "TLSv1.3",
        '"$request"': '"GET /x HTTP/1.1"',
    }
    for name, value in values.items():
        text = text.replace(name, value)
    found = logged_request.LineReader().read(text.encode())
    assert found is not None
    return found


def of_request(one: logged_request.LoggedRequest, **changes: object) -> list[str]:
    facts = request_facts.RequestFacts(id="5-1", now=NOW, line=one, **changes)  # type: ignore[arg-type]
    assert request_causes.make_story(facts).steps
    return [cause.kind for cause in request_causes.find_causes(facts)]


def test_what_happened_to_a_request() -> None:
    assert of_request(line(200, upstream="127.0.0.1:3000", upstream_status="200")) == []
    assert of_request(line(500, upstream="127.0.0.1:3000", upstream_status="500")) == ["server-answer"]
    assert of_request(line(421)) == ["client-421"]
    assert of_request(line(499, upstream="127.0.0.1:3000")) == ["client-499"]
    assert of_request(line(504)) == ["status-504"]
    held = line(503, upstream="127.0.0.1:3000, unix:/run/hold.sock", upstream_status="502, 503")
    assert of_request(held, hold_socket="/run/hold.sock") == ["held"]


@pytest.mark.parametrize("text", ["", "x" * 81, "a b", "\x1b", "a\n", "é"])
def test_what_is_no_id(text: str) -> None:
    assert request_facts.check_id(text) is not None


@pytest.mark.parametrize("status", [502, 504])
def test_no_server_is_no_server_at_port_0(status: int) -> None:
    """nginx is led to port 0 where a route has none; what daemun has the site as says why."""
    line = (
        "2026/01/02 03:04:05 [error] 7#7: *5 connect() failed (111: Connection refused) while connecting to upstream, "
        'client: 127.0.0.1, server: app.example.com, request: "GET /x HTTP/1.1", upstream: "http://127.0.0.1:0/x", '
        'host: "app.example.com"'
    )
    reason = 'no container serves it now: "far" publishes no port'
    changes = {
        "visits": visits(url_facts.HttpAnswer(status=status)),
        "error_lines": (line,),
        "servers": (),
        "daemon": url_facts.DaemonView(state="unreachable", reason=reason, cure="publish its port"),
    }
    causes = url_causes.find_causes(dataclasses.replace(FACTS, **changes))  # type: ignore[arg-type]
    assert (causes[0].kind, causes[0].cure) == ("site-state", "publish its port")
    assert reason in causes[0].cause
    assert not any(":0" in one.cause for one in causes)
    assert kinds(**{**changes, "daemon": None}) == ["no-server"]
