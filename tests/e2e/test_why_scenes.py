"""`daemun why` at a gate whose sites are each broken in another way: the right cause is named first.

One gate for all. The story is made as the command makes it, in this process; some scenes run the command itself.
"""

import collections.abc
import contextlib
import json
import re
import typing

import pytest

from daemun import settings
from daemun.cli import why_lines
from daemun.cli.commands import why
from tests.support import daemon as daemon_support
from tests.support import ports, why_house, why_scene

pytestmark = pytest.mark.nginx
first = why_scene.first


@pytest.fixture(scope="module")
def scene() -> collections.abc.Iterator[why_scene.Scene]:
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(daemon_support.new_daemon())
        house = stack.enter_context(why_house.built(gate.root))
        gate.write_raw(gate.listen + house.configuration)
        gate.up("https://well.test/")
        gate.wait_state("well.test", "live")
        gate.wait(lambda: gate.look().get("applying_since", "") is None, "the end of the first round")
        assert gate.control.ban("192.0.2.77", 3600)["address"] == "192.0.2.77"
        yield why_scene.Scene(gate=gate, chosen=settings.Settings(config=gate.config, state=gate.state))


SCENES: dict[str, tuple[str, str]] = {
    # URL, kind of the first cause, a part of what it says
    "https://refused.test:{https}/x": ("server-refused", "nothing listens there"),
    "https://unresolved.test:{https}/": ("server-unresolved", "no-such-server.invalid"),
    "https://wantstls.test:{https}/": ("server-speaks-tls", "speaks https, and the target says http"),
    "https://wantshttp.test:{https}/": ("server-speaks-http", "speaks plain http"),
    "https://badcert.test:{https}/": ("server-certificate", "does not trust"),
    "https://ssh.test:{https}/": ("server-other-protocol", "SSH server"),
    "https://closes.test:{https}/": ("server-closed", "closes it without an answer"),
    "https://nosocket.test:{https}/": ("server-refused", "no.sock"),
    "https://cut.test:{https}/": ("answer-cut", "before its answer is complete"),
    "https://bighead.test:{https}/": ("server", "headers of its answer are too large"),
    "https://slow.test:{https}/": ("server", "did not answer in time"),
    "https://app404.test:{https}/": ("server-answer", "itself answers 404"),
    "https://app500.test:{https}/": ("server-answer", "itself answers 500"),
    "https://app502.test:{https}/": ("server-answer", "itself answers 502"),
    "https://hosts400.test:{https}/": ("server-answer", "itself answers 400"),
    "https://unstripped.test:{https}/app/x": ("path-prefix", "does not know the path"),
    "https://stripped.test:{https}/app/x": ("path-prefix", 'takes "/app/" off the path'),
    "https://loop.test:{https}/": ("redirect-loop", "without end"),
    "http://loop.test:{http}/": ("redirect-loop", "without end"),
    "https://loopwww.test:{https}/": ("redirect-loop", "www.loopwww.test"),
    "https://tohttp.test:{https}/": ("redirect-to-http", "who came by https"),
    "https://inside.test:{https}/": ("redirect-inside", "127.0.0.1:8123"),
    "https://off.test:{https}/": ("site-disabled", "switched off"),
    "https://wel.test:{https}/": ("no-site", "the nearest is well.test"),
    "https://closed.test:{https}/": ("maintenance", "closed for maintenance"),
    "https://noroute.test:{https}/apj/x": ("no-route", 'near are "/api/"'),
    "https://nowhen.test:{https}/": ("no-condition", "`when`"),
    "https://denied.test:{https}/private/a": ("fixed-answer", "`deny`"),
    "https://allow.test:{https}/": ("access-allow", "203.0.113.0/24"),
    "https://basic.test:{https}/": ("access-basic-auth", "the request has none"),
    "https://signin.test:{https}/": ("access-login", "has no session"),
    "https://judge.test:{https}/": ("judge-refused", "`access.forward_auth`"),
    "https://device.test:{https}/": ("access-client-certificates", "none was shown"),
    "https://files.test:{https}/nothing.txt": ("file-missing", "nothing.txt"),
    "https://files.test:{https}/empty/": ("no-index", "without an index file"),
    "wss://upgrade.test:{https}/ws": ("websocket", "does no WebSocket"),
    "https://mixed.test:{https}/": ("mixed-content", "http://mixed.test/app.js"),
    "https://cookiedomain.test:{https}/": ("cookie-lost", 'its Domain is "other.test"'),
    "http://cookiesecure.test:{http}/": ("cookie-lost", "it is Secure"),
    "https://cookienone.test:{https}/": ("cookie-lost", "SameSite=None without Secure"),
    "https://expired.test:{https}/": ("certificate", "expired on"),
    "https://othername.test:{https}/": ("certificate", "is for another name"),
    "https://plain.test:{https}/": ("tls-off", "`tls: off`"),
    "http://nohttp.test:{http}/": ("http-off", "`http: off`"),
    "https://well.test:{http}/": ("https-to-http-port", "is for http"),
    "http://well.test:{https}/": ("http-to-https-port", "is for https"),
    "https://well.test:4/": ("wrong-port", "does not listen on port 4"),
    "https://well.test:{https}/": ("dns-missing", "does not resolve on this machine"),
}


@pytest.mark.parametrize("subject", SCENES)
def test_the_cause_of_a_url_is_named_first(scene: why_scene.Scene, subject: str) -> None:
    kind, part = SCENES[subject]
    story = scene.tell(subject)
    assert (first(story).kind, part in first(story).cause) == (kind, True), why_lines.lines_of(story)
    assert first(story).cure
    assert not any(one.kind.startswith("status-") for one in story.causes)


def test_a_site_that_is_well_but_for_its_name_has_a_good_chain(scene: why_scene.Scene) -> None:
    story = scene.tell("https://München.test.:{https}/")
    assert [one.kind for one in story.causes] == ["dns-missing"]
    topics = [one.topic for one in story.steps]
    assert topics == ["url", "url", "dns", "port", "tls", "site", "route", "access", "server", "answer"]
    assert {one.weight.value for one in story.steps if one.topic != "dns"} == {"good"}


def test_who_is_refused_by_address(scene: why_scene.Scene) -> None:
    denied = scene.tell("https://deny.test:{https}/", address="198.51.100.7")
    assert first(denied).kind == "access-deny"
    banned = scene.tell("https://well.test:{https}/", address="192.0.2.77")
    assert first(banned).kind == "access-bans"
    assert "daemun unban 192.0.2.77" in (first(banned).cure or "")
    assert first(scene.tell("https://deny.test:{https}/", address="203.0.113.5")).kind == "dns-missing"


def test_an_address_that_may_come_in_is_not_blamed_for_that_of_this_machine(scene: why_scene.Scene) -> None:
    story = scene.tell("https://allow.test:{https}/", address="203.0.113.9")
    assert [one.kind for one in story.causes] == ["dns-missing"]
    assert {one.weight.value for one in story.steps if one.topic == "access"} == {"good"}


def test_a_wrong_password_and_a_large_body(scene: why_scene.Scene) -> None:
    wrong = scene.tell("https://basic.test:{https}/", why_house.basic("alice", "nothing"))
    assert (first(wrong).kind, "is not one of those" in first(wrong).cause) == ("access-basic-auth", True)
    large = scene.tell("https://body.test:{https}/", "Content-Length: 5000", method="POST")
    assert first(large).kind == "body-too-large"


def test_a_rate_that_is_used_up(scene: why_scene.Scene) -> None:
    scene.gate.wait(lambda: scene.gate.get("https://rate.test/").status_code == 429, "a refusal for the rate")
    assert first(scene.tell("https://rate.test:{https}/")).kind == "rate-limit"


# --- requests that were ----------------------------------------------------------------------------------------


PAGES: dict[str, tuple[str, str]] = {
    "https://wantstls.test/": ("server-speaks-tls", "speaks https, and the target says http"),
    "https://bighead.test/": ("server", "headers of its answer are too large"),
    "https://nohold.test/": ("server", "refused the connection"),
    "https://closed.test/": ("maintenance", "closed for maintenance"),
    "https://noroute.test/apj/x": ("no-route", "near are"),
    "https://denied.test/private/a": ("fixed-answer", "`deny`"),
    "https://allow.test/": ("access-allow", "203.0.113.0/24"),
    "https://device.test/": ("access-client-certificates", "none was shown"),
    "https://files.test/nothing.txt": ("file-missing", "nothing.txt"),
    "https://slow.test/": ("server", "did not answer in time"),
}


@pytest.mark.parametrize("url", PAGES)
def test_the_id_of_an_error_page_leads_to_its_cause(scene: why_scene.Scene, url: str) -> None:
    kind, part = PAGES[url]
    page = scene.gate.get(url)
    assert page.status_code >= 400
    story = scene.wait_told(why_scene.page_id(page.text), kind)
    assert part in first(story).cause, why_lines.lines_of(story)
    assert str(page.status_code) in story.steps[0].message
    assert url.removeprefix("https://") in story.subject


def test_a_body_that_was_too_large(scene: why_scene.Scene) -> None:
    from tests.support import clients

    with clients.client(scene.gate.gate) as client:
        page = client.post("https://body.test/", content=b"x" * 5000)
    assert page.status_code == 413
    scene.wait_told(why_scene.page_id(page.text), "body-too-large")


def test_a_request_on_a_connection_for_another_site(scene: why_scene.Scene) -> None:
    from tests.support import clients

    with clients.client(scene.gate.gate) as client:
        page = client.get("https://well.test/", headers={"Host": "mixed.test"})
    assert page.status_code == 421
    scene.wait_told(why_scene.page_id(page.text), "client-421")


def test_a_line_of_the_access_log_without_a_page(scene: why_scene.Scene) -> None:
    """The application's own error: its line is named by connection and number."""
    scene.gate.get("https://app500.test/of-the-log")

    def find() -> str | None:
        text = (scene.gate.state / "logs" / "access.log").read_text()
        found = re.search(r'"GET /of-the-log HTTP/[\d.]+" 500 .* request_id=(\d+-\d+)$', text, re.MULTILINE)
        return found[1] if found else None

    story = scene.wait_told(scene.gate.wait(find, "the line of the request"), "server-answer")
    assert "itself answered 500" in first(story).cause


# --- the command -----------------------------------------------------------------------------------------------


def test_the_command(scene: why_scene.Scene) -> None:
    done = scene.gate.cli("why", f"https://refused.test:{scene.gate.https}/", "--json")
    found: dict[str, typing.Any] = json.loads(done.stdout)
    assert (done.returncode, found["ok"], found["kind"]) == (1, False, "server-refused")
    assert found["causes"][0] == {key: found[key] for key in ("kind", "cause", "cure")}
    assert {"topic", "weight", "message"} == set(found["chain"][0])
    shown = scene.gate.cli("why", f"allow.test:{scene.gate.https}/a?b=\x1b[31m", "--from", "203.0.113.9")
    assert "cannot look at" in shown.stderr
    done = scene.gate.cli("why", f"allow.test:{scene.gate.https}/a", "--from", "203.0.113.9")
    lines = done.stdout.splitlines()
    assert lines[0] == f"GET https://allow.test:{scene.gate.https}/a"
    assert any(one.startswith("cause: ") for one in lines)
    unknown = scene.gate.cli("why", "0" * 32)
    assert (unknown.returncode, "no line in" in unknown.stderr) == (1, True)


def test_without_a_gate() -> None:
    """Nothing runs: the file and the servers are looked at all the same."""
    with daemon_support.new_daemon() as gate:
        gate.write(f"sites: {{app.test: 'http://127.0.0.1:{ports.free_port()}'}}\n")
        chosen = settings.Settings(config=gate.config, state=gate.state)
        story = why.tell(chosen, f"https://app.test:{gate.https}/", headers=[])
        assert [one.kind for one in story.causes[:2]] == ["gate-down", "server-refused"]
        assert any("no daemon runs" in one for one in story.missing)
        gate.write("sites: {app.test: }\n  nonsense")
        story = why.tell(chosen, f"https://app.test:{gate.https}/", headers=[])
        assert first(story).kind in {"gate-down", "configuration"}
