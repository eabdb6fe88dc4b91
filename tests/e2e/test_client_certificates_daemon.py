"""`access.client_certificates` in a running gate: clients are made and withdrawn, files change and are damaged."""

import collections.abc
import dataclasses
import json
import pathlib
import socket
import ssl
import typing

import pytest

from tests.support import client_authority, clients, echo
from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def one() -> collections.abc.Iterator[echo.EchoServer]:
    with echo.echo_server("one") as server:
        yield server


def _status(daemon: Daemon, own: pathlib.Path | None, host: str = "a.test", *, http2: bool = False) -> int:
    gate = dataclasses.replace(daemon.gate, own=own)
    return clients.get(gate, f"https://{host}/", http2=http2).status_code


def _wait(daemon: Daemon, own: pathlib.Path | None, status: int) -> None:
    daemon.wait(lambda: _status(daemon, own) == status, f"{status} for {own}")
    daemon.wait_settled()  # from then on by every worker


def _json(daemon: Daemon, *words: str) -> typing.Any:
    return json.loads(daemon.cli_good(*words, "--json"))


def _add(daemon: Daemon, name: str, path: pathlib.Path) -> pathlib.Path:
    """What a device installs."""
    made = _json(daemon, "clients", "add", name, "--out", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    return client_authority.unpack(path, made["password"])


def _keep(daemon: Daemon, own: pathlib.Path, version: ssl.TLSVersion) -> tuple[ssl.SSLContext, ssl.SSLSession | None]:
    context = dataclasses.replace(daemon.gate, own=own).context()
    context.minimum_version = context.maximum_version = version
    status, session = _ask(daemon, context, None)
    assert status == "200"
    return context, session


def _ask(daemon: Daemon, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[str, ssl.SSLSession | None]:
    with (
        socket.create_connection(("127.0.0.1", daemon.gate.https), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="a.test", session=session) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer.split(b" ", 2)[1].decode(), connection.session


def test_clients_are_made_and_withdrawn(daemon: Daemon, one: echo.EchoServer, tmp_path: pathlib.Path) -> None:
    there = f"http://127.0.0.1:{one.port}"
    daemon.write(
        "sites:\n  a.test:\n    access: {client_certificates: local}\n"
        f"    routes: {{/: '{there}', /share/: {{to: '{there}', access: public}}}}\n"
        f"  open.test: http://127.0.0.1:{one.port}\n"
    )
    daemon.up("https://a.test/")
    assert _status(daemon, None) == 403
    daemon.wait_log("daemun clients add NAME")

    alice = _add(daemon, "alice", tmp_path / "alice.p12")
    bob = _add(daemon, "bob", tmp_path / "bob.p12")
    _wait(daemon, alice, 200)
    _wait(daemon, bob, 200)
    assert (_status(daemon, bob), _status(daemon, bob, http2=True), _status(daemon, None)) == (200, 200, 403)
    gate = dataclasses.replace(daemon.gate, own=alice)
    assert clients.get(gate, "https://a.test/", Remote_User="root").json()["headers"]["remote-user"] == "alice"
    assert clients.get(daemon.gate, "https://a.test/share/").status_code == 200
    again = daemon.cli("clients", "add", "alice", "--out", str(tmp_path / "again.p12"))
    assert again.returncode != 0
    assert "there is a client alice already" in again.stderr
    assert not (tmp_path / "again.p12").exists()
    files = [path for path in daemon.state.rglob("*") if path.is_file() and not path.is_symlink()]
    keys = [path for path in files if b"-----BEGIN PRIVATE KEY" in path.read_bytes()]
    assert [path for path in keys if path.stat().st_mode & 0o007] == []

    kept = [_keep(daemon, alice, version) for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
    _json(daemon, "clients", "revoke", "alice")
    assert (_status(daemon, alice), _status(daemon, bob)) == (403, 200)
    for context, session in kept:
        assert _ask(daemon, context, session)[0] == "403"
    states = {one["name"]: one["state"] for one in _json(daemon, "clients", "list")["clients"]}
    assert states == {"alice": "revoked", "bob": "valid"}

    # A new one of the same name comes in, and the old one does not.
    second = _add(daemon, "alice", tmp_path / "second.p12")
    _wait(daemon, second, 200)
    assert _status(daemon, alice) == 403

    # nginx decides, so nothing changes while daemun is down; and the next start has it all.
    daemon.kill()
    assert (_status(daemon, second), _status(daemon, alice), _status(daemon, None)) == (200, 403, 403)
    _json(daemon, "clients", "revoke", "bob")
    daemon.start()
    _wait(daemon, bob, 403)
    assert _status(daemon, second) == 200


def test_a_phone_gets_it_by_a_link(daemon: Daemon, one: echo.EchoServer, tmp_path: pathlib.Path) -> None:
    there = f"http://127.0.0.1:{one.port}"
    daemon.write(
        f"sites:\n  open.test: '{there}'\n  a.test:\n"
        "    access: {client_certificates: local, allow: 203.0.113.0/24, any: true}\n"
        f"    routes: {{/: '{there}'}}\n"
    )
    early = daemon.cli("clients", "add", "early", "--link", "--host", "open.test")
    assert early.returncode != 0
    assert "there are: a.test" in early.stderr
    daemon.up("https://a.test/")
    shown = daemon.cli_good("clients", "add", "shown", "--link", "--expires", "5m")
    assert "█" in shown

    made = _json(daemon, "clients", "add", "phone", "--link")
    link = made["link"]
    assert link.startswith(f"https://a.test:{daemon.gate.https}/.daemun/client?token=")
    assert made["password"] not in link
    kept = [path for path in daemon.state.rglob("*") if path.is_file() and b"p12" in path.read_bytes()]
    assert len([path for path in kept if "clients/links" in str(path)]) == 2
    url = link.replace(f":{daemon.gate.https}", "")
    secret = url.partition("=")[2]
    with clients.client(daemon.gate, http2=False) as client:
        # Programs that preview links look at the page, which hands over nothing.
        for _ in range(2):
            page = client.get(url)
            assert (page.status_code, "phone" in page.text, "<script" in page.text) == (200, True, False)
        assert "인증서" in client.get(url, headers={"Accept-Language": "ko"}).text
        assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        for wrong in (url[:-1], f"{url}x", f"{url[:-43]}{'A' * 43}"):
            assert client.post(wrong).status_code == 404, wrong
        plain = client.get(url.replace("https:", "http:"))
        assert (plain.status_code, plain.headers["Location"]) == (301, link)
        # On the same connection, so in the same worker's log.
        assert client.get("http://a.test/logged").status_code == 301
        assert client.put(url).status_code == 405
        assert client.post(url, content=b"x" * 2000).status_code == 413
        got = client.post(url)
        assert (got.status_code, got.headers["Content-Type"]) == (200, "application/x-pkcs12")
        assert got.headers["Content-Disposition"] == 'attachment; filename="phone.p12"'
        assert (client.post(url).status_code, client.get(url).status_code) == (404, 404)
    path = tmp_path / "phone.p12"
    path.write_bytes(got.content)
    phone = client_authority.unpack(path, made["password"])
    _wait(daemon, phone, 200)
    access_log = pathlib.Path(daemon.state, "logs", "access.log")
    daemon.wait(lambda: "/logged" in access_log.read_text(), "the access log")
    logs = [one.read_text() for one in pathlib.Path(daemon.state, "logs").iterdir() if one.is_file()]
    assert not any(secret in text for text in (*logs, daemon.log_text()))

    # Who is withdrawn has no link any more.
    later = _json(daemon, "clients", "add", "later", "--link")["link"].replace(f":{daemon.gate.https}", "")
    _json(daemon, "clients", "revoke", "later")
    _json(daemon, "clients", "revoke", "shown")
    with clients.client(daemon.gate, http2=True) as client:
        assert client.post(later).status_code == 404
        left = [path for path in daemon.state.rglob("links/*") if path.is_file()]
        assert left == []
        # Without daemun nobody gets anything, and the secret is in no log either.
        daemon.kill()
        assert client.get(later).status_code == 502
    logs = [one.read_text() for one in pathlib.Path(daemon.state, "logs").iterdir() if one.is_file()]
    assert not any(later.partition("=")[2] in text for text in logs)


def test_files_that_change(daemon: Daemon, one: echo.EchoServer, tmp_path: pathlib.Path) -> None:
    family = client_authority.ClientAuthority(tmp_path / "family", "family")
    alice, bob = family.issue("alice"), family.issue("bob")
    daemon.write(
        "sites:\n  a.test:\n"
        f"    access: {{client_certificates: {{ca: {family.file}, revoked: {family.revoked}}}}}\n"
        f"    routes: {{/: 'http://127.0.0.1:{one.port}'}}\n  open.test: http://127.0.0.1:{one.port}\n"
    )
    daemon.up("https://a.test/")
    _wait(daemon, alice, 200)
    assert _status(daemon, bob) == 200
    context, session = _keep(daemon, bob, ssl.TLSVersion.TLSv1_3)
    family.revoke("bob")
    _wait(daemon, bob, 403)
    assert (_status(daemon, alice), _ask(daemon, context, session)[0]) == (200, "403")

    # Damaged, and gone: nobody comes in, all others are served, and it is reported.
    for path, name in ((family.revoked, "revocation list"), (family.file, "certificate")):
        content = path.read_bytes()
        for damage in (b"", content[: len(content) // 2], None):
            before = len(daemon.log_text())
            if damage is None:
                path.unlink()
            else:
                path.write_bytes(damage)
            _wait(daemon, alice, 403)
            assert clients.get(daemon.gate, "https://open.test/").status_code == 200
            words = "cannot read" if damage is None else f"holds no whole {name}"
            daemon.wait_log(words, since=before)
            checked = daemon.cli("check")
            assert checked.returncode != 0
            assert words in checked.stdout + checked.stderr
            path.write_bytes(content)
            _wait(daemon, alice, 200)
    assert _status(daemon, bob) == 403

    # Another CA: those of the first one do not come in any more.
    others = client_authority.ClientAuthority(tmp_path / "others", "others")
    carol = others.issue("carol")
    family.revoked.write_bytes(others.revoked.read_bytes())
    family.file.write_bytes(others.file.read_bytes())
    _wait(daemon, carol, 200)
    assert _status(daemon, alice) == 403

    others.revoke(ended=True)
    family.revoked.write_bytes(others.revoked.read_bytes())
    _wait(daemon, carol, 403)
    daemon.wait_log("has ended")
