"""`daemun why` at applications that do not fit the gate before them: the right cause is named first.

One gate for all, as in `test_why_scenes`."""

import collections.abc
import contextlib
import re
import socket
import ssl

import pytest

from daemun import errors, settings
from daemun.cli import why_lines
from daemun.core.served import server_answers
from daemun.wiring.offline import why_request, why_url
from tests.support import application_house, clients, why_house, why_scene
from tests.support import daemon as daemon_support

pytestmark = pytest.mark.nginx
first = why_scene.first


@pytest.fixture(scope="module")
def scene() -> collections.abc.Iterator[why_scene.Scene]:
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(daemon_support.new_daemon())
        configuration = stack.enter_context(application_house.built(gate.root, gate.https))
        gate.write_raw(gate.listen + configuration)
        gate.up("https://well.test/")
        gate.wait_state("well.test", "live")
        gate.wait(lambda: gate.look().get("applying_since", "") is None, "the end of the first round")
        yield why_scene.Scene(gate=gate, chosen=settings.Settings(config=gate.config, state=gate.state))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is answered after a wait."""
    monkeypatch.setattr(why_url, "HELD_S", 0.5)


SCENES: dict[str, tuple[str, str]] = {
    # URL, kind of the first cause, a part of what it says
    "https://vhost.test:{https}/": ("host-refused", "answers 404, and 200 when Host is"),
    "https://django.test:{https}/": ("host-refused", "answers 400, and 200 when Host is"),
    "https://vite.test:{https}/": ("host-refused", "answers 403, and 200 when Host is"),
    "https://renamed.test:{https}/": ("host-refused", '200 when Host is "renamed.test'),
    "https://vhosttls.test:{https}/": ("host-refused", "answers 421"),
    "https://assistant.test:{https}/": ("proxy-refused", "without X-Forwarded-For"),
    "wss://origin.test:{https}/": ("origin-refused", "https://origin.test"),
    "http://secure.test:{http}/": ("https-wanted", "when X-Forwarded-Proto says https"),
    "https://licence.test:{https}/": ("server-answer", 'it says "t Your licence has expired"'),
    "https://below.test:{https}/base/": ("path-prefix", '"/base.js", without it, which answers 404'),
    "https://stripped.test:{https}/app/start": ("path-prefix", 'redirects to "/home", without it'),
    "https://fallback.test:{https}/": ("part-missing", '"/assets/app.js"'),
    "https://badpart.test:{https}/": ("part-missing", '"/app.js" does not: the gate answers 500'),
    "https://tologin.test:{https}/": ("server-answer", "itself answers 500"),
    "http://vhost.test:{http}/": ("host-refused", "it redirects to"),
    "https://oldname.test:{https}/": ("redirect-unknown", "old-name.invalid"),
    "https://otherport.test:{https}/": ("redirect-port", "3999"),
    "https://latecookie.test:{https}/": ("cookie-lost", 'its Domain is "other.test"'),
    "https://latemixed.test:{https}/": ("mixed-content", "http://latemixed.test/a.png"),
    "wss://nosocket.test:{https}/": ("websocket", "answers the handshake with 426"),
    "ws://well.test:{http}/": ("websocket-redirect", "which browsers do not follow"),
    "https://resets.test:{https}/": ("server-closed", "closes it without an answer"),
    "https://halfway.test:{https}/": ("answer-cut", "before its answer is complete"),
    "https://twolengths.test:{https}/": ("server", "breaks the rules of HTTP"),
    "https://ancient.test:{https}/": ("server-other-protocol", "something else than http"),
    "https://newlines.test:{https}/": ("server-answer", "itself answers 404"),
    "https://late.test:{https}/": ("server", "did not answer in time"),
    "https://ipv6.test:{https}/": ("server-refused", "its port is open at [::1]"),
    "https://loopback.test:{https}/": ("server-refused", "its port is open at 127.0.0.1"),
    "https://localhost.test:{https}/": ("dns-missing", "does not resolve"),
    "https://nowhere.test:{https}/": ("server-unreachable", "cannot be reached"),
    "https://http2.test:{https}/": ("server-other-protocol", "it speaks HTTP/2"),
    "https://unwell.test:{https}/": ("server-unwell", "does not pass its health check"),
    "https://www.well.test:{https}/": ("no-site", "the nearest is well.test"),
    "https://a.b.wild.test:{https}/": ("certificate", "is for another name"),
    "https://own.test:{https}/": ("wrong-port", "does not listen on port"),
    "https://here.test:{https}/": ("redirect-loop", "there.test"),
    "https://judged.test:{https}/": ("redirect-loop", "is itself guarded"),
    "https://slashes.test:{https}/x": ("redirect-loop", "send visitors to each other"),
    "https://agent.test:{https}/": ("agent-refused", "403, and 200 to that of a browser"),
    "https://vhost.test:{https}//a/%C3%BC/../b%20c?d=/": ("host-refused", "answers 404"),
    "mail": ("stream-state", "nothing listens there"),
    "https://grpc.test:{https}/": ("server-speaks-http", "speaks HTTP/1.1"),
    "https://oldcertificate.test:{https}/": ("server-certificate", "expired"),
    "http://forgets.test:{http}/": ("cookie-lost", "it is Secure"),
    "http://well.test:{http}/.well-known/acme-challenge/abc": ("acme-challenge", ""),
    "https://badjudge.test:{https}/": ("judge-answer", "something else than yes or no"),
}


@pytest.mark.parametrize("subject", SCENES)
def test_the_cause_of_a_url_is_named_first(scene: why_scene.Scene, subject: str) -> None:
    kind, part = SCENES[subject]
    story = scene.tell(subject)
    assert (first(story).kind, part in first(story).cause) == (kind, True), why_lines.lines_of(story)
    assert first(story).cure


def test_silence(scene: why_scene.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped, and a firewall that drops what comes."""
    monkeypatch.setattr(server_answers, "ANSWER_S", 0.5)
    monkeypatch.setattr(server_answers, "CONNECT_S", 0.5)
    hangs, drops = scene.tell("https://hangs.test:{https}/"), scene.tell("https://drops.test:{https}/")
    assert (first(hangs).kind, "does not answer within" in first(hangs).cause) == ("server-silent", True)
    assert (first(drops).kind, "does not take a connection within" in first(drops).cause) == ("server-silent", True)


PREFLIGHT = (f"Origin: {application_house.OUTSIDE}", "Access-Control-Request-Method: PUT")

SENT: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    # URL, method, headers, kind of the first cause
    "preflight": ("https://api.test:{https}/", PREFLIGHT, "OPTIONS", "cors"),
    "preflight at a password": ("https://guarded.test:{https}/", PREFLIGHT, "OPTIONS", "cors"),
    "script": ("https://well.test:{https}/", PREFLIGHT[:1], "GET", "cors"),
    "flexible": ("http://well.test:{http}/", ("X-Forwarded-Proto: https",), "GET", "redirect-loop"),
    "cookies": ("https://cookies.test:{https}/", (f"Cookie: a={'x' * 200}",), "GET", "cookies-refused"),
    "large": ("https://well.test:{https}/", (f"Cookie: a={'x' * 17000}",), "GET", "header-too-large"),
    "underscore": ("https://keyed.test:{https}/", ("api_key: k",), "GET", "header-dropped"),
}


@pytest.mark.parametrize("name", SENT)
def test_headers_that_the_owner_names(scene: why_scene.Scene, name: str) -> None:
    subject, headers, method, kind = SENT[name]
    story = scene.tell(subject, *headers, method=method)
    assert first(story).kind == kind, why_lines.lines_of(story)
    assert first(story).cure


def test_a_wrong_password_is_not_tried_again_and_again(scene: why_scene.Scene) -> None:
    """Some applications lock a user out after a few: once through the gate, and once at the server."""
    application_house.GUESSES.clear()
    given = why_house.basic("alice", "wrong")
    story = scene.tell("https://guessed.test:{https}/", given)
    assert first(story).kind == "server-answer", why_lines.lines_of(story)
    assert 1 <= application_house.GUESSES.count(given.partition(": ")[2]) <= 2


def test_two_passwords_in_one_header(scene: why_scene.Scene) -> None:
    story = scene.tell("https://password.test:{https}/", why_house.basic("alice", "known"))
    assert first(story).kind == "two-passwords", why_lines.lines_of(story)


def test_one_of_two_servers(scene: why_scene.Scene) -> None:
    """Whichever of them answers the visitor of the moment."""
    story = scene.tell("https://uneven.test:{https}/")
    assert first(story).kind in {"server-uneven", "server-answer"}, why_lines.lines_of(story)
    assert "no database" in first(story).cause


CURED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "host_header": ("https://vhostcured.test:{https}/", (), "GET"),
    "underscores_in_headers": ("https://keyedcured.test:{https}/", ("api_key: k",), "GET"),
    "cors": ("https://apicured.test:{https}/", PREFLIGHT, "OPTIONS"),
    "another address": ("https://ipv6cured.test:{https}/", (), "GET"),
}


@pytest.mark.parametrize("name", CURED)
def test_a_cure_works(scene: why_scene.Scene, name: str) -> None:
    subject, headers, method = CURED[name]
    story = scene.tell(subject, *headers, method=method)
    assert {one.kind for one in story.causes} == {"dns-missing"}, why_lines.lines_of(story)


# --- requests that were ----------------------------------------------------------------------------------------


def line_id(scene: why_scene.Scene, sent: str, status: int) -> str:
    """Of a line of the access log that has no page."""

    def find() -> str | None:
        text = (scene.gate.state / "logs" / "access.log").read_text()
        found = re.search(rf'"{re.escape(sent)} HTTP/[\d.]+" {status} .* request_id=(\d+-\d+)$', text, re.MULTILINE)
        return found[1] if found else None

    return scene.gate.wait(find, f"the line of {sent}")


def test_a_body_that_the_application_refuses(scene: why_scene.Scene) -> None:
    with clients.client(scene.gate.gate) as client:
        assert client.post("https://uploads.test/of-413", content=b"x" * 5000).status_code == 413
    story = scene.wait_told(line_id(scene, "POST /of-413", 413), "server-answer")
    assert "limit of the application's own server" in (first(story).cure or "")


def connect(scene: why_scene.Scene, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", scene.gate.https), timeout=30)
    return context.wrap_socket(plain, server_hostname=host)


def send(connection: ssl.SSLSocket, host: str, path: str, *lines: str) -> None:
    head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", f"Host: {host}", *lines))
    connection.sendall(f"{head}\r\n".encode())


def read_all(connection: ssl.SSLSocket) -> bytes:
    found = b""
    with contextlib.suppress(OSError):
        while chunk := connection.recv(1 << 16):
            found += chunk
    return found


def test_a_websocket_that_nothing_came_through(scene: why_scene.Scene) -> None:
    with connect(scene, "chat.test") as connection:
        send(connection, "chat.test", "/of-101", "Upgrade: websocket", "Connection: Upgrade")
        assert read_all(connection).startswith(b"HTTP/1.1 101")
    story = scene.wait_told(line_id(scene, "GET /of-101", 101), "websocket-idle")
    assert "the WebSocket ended after" in first(story).cause
    assert "ping" in (first(story).cure or "")


@pytest.mark.parametrize(("host", "part"), [("halfway.test", "closed the connection"), ("stalls.test", "stopped")])
def test_an_answer_that_had_begun(scene: why_scene.Scene, host: str, part: str) -> None:
    path = f"/of-{host}"
    with connect(scene, host) as connection:
        send(connection, host, path, "Connection: close")
        assert b"part" in read_all(connection)
    story = scene.wait_told(line_id(scene, f"GET {path}", 200), "answer-cut")
    assert part in first(story).cause


def test_a_client_that_went_away(scene: why_scene.Scene) -> None:
    with connect(scene, "late.test") as connection:
        send(connection, "late.test", "/of-499")
    scene.wait_told(line_id(scene, "GET /of-499", 499), "client-499")


def test_a_judge_that_fails(scene: why_scene.Scene) -> None:
    page = scene.gate.get("https://badjudge.test/")
    scene.wait_told(why_scene.page_id(page.text), "judge-answer")


def test_subjects_as_people_write_them(scene: why_scene.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why_request, "FLUSHED_S", 0.0)
    for subject in (
        "WELL.TEST:{https}/X",
        "//well.test:{https}",
        "https://user:word@well.test:{https}/#part",
        "HTTPS://well.test.:{https}",
    ):
        assert {one.kind for one in scene.tell(subject).causes} == {"dns-missing"}
    for subject in ("https://[::1]:{https}/", "127.0.0.1:{https}", "https://xn--mnchen-3ya.test:{https}/"):
        assert first(scene.tell(subject)).kind == "no-site"
    for subject in ("ftp://well.test/", "https://", "https://well.test:99999/", "https://a_b!.test/", "/path"):
        with pytest.raises(errors.DaemunError):
            scene.tell(subject)
    for unknown in ("0" * 32, "7-7777", "abcdef"):
        with pytest.raises(errors.NotFoundError):
            scene.tell(unknown)
