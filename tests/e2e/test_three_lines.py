"""The three-line file of the README, from nothing to a certificate of a public CA (here Pebble)."""

import asyncio
import dataclasses
import time

import pytest

from tests.e2e import servers
from tests.support import clients, pebble
from tests.support.daemon import Daemon, signpost

pytestmark = [pytest.mark.nginx, pytest.mark.pebble]

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
"""The example of RFC 8555 section 8.3."""


def _see_page(gate: clients.GateAddress, host: str) -> None:
    for http2 in (False, True):
        page = clients.get(gate, f"https://{host}/a%20b/?c=d", http2=http2)
        assert page.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert page.json()["name"] == "html"
        assert page.json()["headers"]["host"] == host
        assert page.json()["headers"]["x-forwarded-proto"] == "https"


async def _chat(gate: clients.GateAddress, host: str) -> None:
    async with clients.websocket(gate, host, "/websocket/") as socket:
        await clients.echo(socket, "안녕하세요")
        await socket.send(servers.PATH_PLEASE)
        assert await socket.recv() == "/", "the prefix is replaced"


async def test_from_an_empty_state_directory_to_a_public_certificate(daemon: Daemon) -> None:
    with (
        pebble.running_pebble(daemon.http) as ca,
        servers.running("html") as html,
        servers.running("chat") as chat,
    ):
        daemon.preamble = f"acme: {{email: me@example.com, directory: '{ca.directory}', ca_file: {ca.ca_file}}}\n"
        daemon.write(
            f"""\
            sites:
              chatting.example.com:
                /: {html.url}
                /websocket/: {chat.url}/
              chat.localhost:
                /: {html.url}
                /websocket/: {chat.url}/
            """
        )
        assert not daemon.state.exists()
        began = time.monotonic()
        daemon.start()
        first = await asyncio.to_thread(
            daemon.wait, lambda: clients.try_handshake(daemon.gate, "chatting.example.com"), "a handshake", every_s=0.01
        )
        local = daemon.gate
        both = time.monotonic() - began
        assert clients.handshake(local, "chat.localhost").names == {"chat.localhost"}
        print(f"\nfrom `daemun up` to HTTPS on both names: {both:.2f} s (wanted: 2)")
        assert "daemun" in first.issuer, "the local CA serves from the first second"
        await asyncio.to_thread(_see_page, local, "chat.localhost")
        await _chat(local, "chat.localhost")
        reloads = (await asyncio.to_thread(daemon.status))["nginx"]["reloads"]
        workers = daemon.worker_pids()

        await asyncio.to_thread(_check_plain_http, daemon)

        public = await asyncio.to_thread(daemon.wait, lambda: _another(daemon, first.issuer), "Pebble's", within_s=90)
        print(f"from `daemun up` to Pebble's certificate: {time.monotonic() - began:.2f} s")
        assert "Pebble" in public.issuer
        assert public.names == {"chatting.example.com"}
        root = daemon.root / "pebble-root.pem"
        root.write_bytes(ca.root_pem())
        trusting_pebble = dataclasses.replace(local, ca=root)
        await asyncio.to_thread(_see_page, trusting_pebble, "chatting.example.com")
        await _chat(trusting_pebble, "chatting.example.com")
        await asyncio.to_thread(_see_page, local, "chat.localhost")

        await asyncio.to_thread(
            daemon.wait_site,
            "chatting.example.com",
            lambda site: site["certificate"] is not None and site["certificate"]["state"] == "valid",
            "a valid certificate",
        )
        status = await asyncio.to_thread(daemon.status)
        certificates = {site["host"]: site["certificate"] for site in status["sites"]}
        assert "Pebble" in certificates["chatting.example.com"]["issuer"]
        assert certificates["chat.localhost"]["state"] == "local"
        assert daemon.worker_pids() == workers, "a certificate is no reason to reload"
        assert status["nginx"]["reloads"] == reloads == 0
        assert ca.orders == 1

        await asyncio.to_thread(daemon.cli_good, "certs", "renew", "chatting.example.com")
        await asyncio.to_thread(daemon.wait, lambda: _newer(daemon, public), "the renewed certificate", within_s=90)
        assert daemon.worker_pids() == workers


def test_a_name_that_fails_blocks_no_other(daemon: Daemon) -> None:
    with pebble.running_pebble(daemon.http) as ca:
        ca.break_dns("broken.example.com")
        daemon.preamble = f"acme: {{email: me@example.com, directory: '{ca.directory}', ca_file: {ca.ca_file}}}\n"
        hosts = ["broken.example.com", "good.example.com"]
        daemon.write("sites:\n" + "".join(signpost(host, "one") for host in hosts))
        daemon.start()
        daemon.wait(lambda: _states(daemon) == ["failing", "valid"], "one of the two to be valid", within_s=90)
        broken = daemon.wait_state("broken.example.com", "wrong certificate")  # it is served, with one of the local CA
        assert "broken.example.com" in broken["certificate"]["reason"]
        assert broken["certificate"]["next_attempt"] is not None
        assert daemon.sign("broken.example.com") == "one"
        assert daemon.cli("certs").returncode == 3
        ca.repair_dns("broken.example.com")
        daemon.cli_good("certs", "renew", "broken.example.com")
        daemon.wait(lambda: _states(daemon) == ["valid", "valid"], "both to be valid", within_s=90)
        assert daemon.cli("certs").returncode == 0


def _states(daemon: Daemon) -> list[str]:
    """The states of the certificates, by host; nothing before a daemon tells."""
    return [each["state"] for each in sorted(daemon.certificates(), key=lambda each: str(each["host"]))]


def _newer(daemon: Daemon, old: clients.Handshake) -> bool:
    """Whether visitors see another certificate of the same CA by now."""
    seen = clients.handshake(daemon.gate, "chatting.example.com")
    return seen.issuer == old.issuer and seen.certificate != old.certificate


def _another(daemon: Daemon, issuer: str) -> clients.Handshake | None:
    """The handshake, once every worker has a certificate of another issuer: each keeps what it loaded for a while."""
    for _ in range(20):
        seen = clients.handshake(daemon.gate, "chatting.example.com")
        if seen.issuer == issuer:
            return None
    return seen


def _check_plain_http(daemon: Daemon) -> None:
    moved = daemon.get("http://chatting.example.com/a%20b?c=d")
    assert moved.status_code == 301
    assert moved.headers["Location"] == f"https://chatting.example.com:{daemon.https}/a%20b?c=d"
    challenge = "http://chatting.example.com/.well-known/acme-challenge"
    answer = daemon.get(f"{challenge}/{TOKEN}")
    assert answer.status_code == 200
    token, _, thumbprint = answer.text.partition(".")
    assert token == TOKEN
    assert len(thumbprint) == 43, "a SHA-256 digest in base64url (RFC 7638)"
    assert daemon.get(f"{challenge}/{TOKEN[::-1]}").text == f"{TOKEN[::-1]}.{thumbprint}"
    assert daemon.get(f"{challenge}/not.a.token").status_code == 404
