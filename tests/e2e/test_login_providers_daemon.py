"""Accounts elsewhere through the life of a daemon, with its commands, and in a real browser."""

import json
import pathlib
import urllib.parse

import httpx
import pytest

from tests.e2e import servers
from tests.e2e.test_login_daemon import Run, add, guard
from tests.support import browser as chromium_browser
from tests.support import identity_providers, ports
from tests.support.identity_providers import CLIENT, SECRET
from tests.support.login_browser import Browser, find_hidden, find_refresh

pytestmark = [pytest.mark.nginx, pytest.mark.browser]

SITE = "https://home.test/"
ACCOUNTS: dict[str, identity_providers.Claims] = {"ann": {"email": "ann@example.com", "email_verified": True}}


def guard_with(daemon: Run, server: servers.Server, issuer: str, *, rule: str = "{emails: ['*@example.com']}") -> None:
    daemon.write(f"""
        login:
          host: auth.test
          providers: [{{oidc: "{issuer}", client_id: {CLIENT}, client_secret: file:id.secret, name: Id}}]
        sites:
          home.test:
            access: {{login: {rule}}}
            routes: {{/: {server.url}}}
    """)


def sign_in(daemon: Run, key: str) -> tuple[Browser, httpx.Response]:
    visitor = Browser(daemon.gate)
    page = visitor.open(SITE)
    form = {**find_hidden(page), "provider": key}
    begun = visitor.send("https://auth.test/begin", "POST", data=form)
    led = find_refresh(begun)
    if led is None:
        return visitor, begun
    return visitor, visitor.open(identity_providers.sign_in_there(led, "ann"))


async def test_from_the_file_to_a_browser(daemon: Run, tmp_path: pathlib.Path) -> None:
    port = ports.free_port()
    key = f"127.0.0.1-{port}"
    callbacks = [f"https://auth.test{at}/callback/{key}" for at in ("", f":{daemon.gate.https}")]
    with (
        servers.running("home") as server,
        identity_providers.oidc_provider(port, callbacks, ACCOUNTS) as issuer,
    ):
        add(daemon, "alice", "pw", "--email", "alice@example.com")
        guard(daemon, server)
        daemon.up(SITE, "https://auth.test/")
        alice = Browser(daemon.gate)
        assert alice.sign_in(SITE).status_code == 200

        # A secret that is missing, and where the provider leads back to.
        secret = daemon.root / "id.secret"
        guard_with(daemon, server, issuer)
        refused = daemon.cli("check")
        assert refused.returncode == 1
        assert "no such file" in refused.stdout + refused.stderr
        secret.write_text("wrong\n")
        secret.chmod(0o600)
        assert f"redirect URI is {callbacks[1]}" in daemon.cli_good("check")
        found = json.loads(daemon.cli("doctor", "--json").stdout)["findings"]
        (one,) = (one for one in found if one["topic"] == "sign-in")
        assert (one["weight"], callbacks[1] in one["message"]) == ("good", True)

        # A judge that knew no providers is replaced, and nobody is signed out.
        daemon.wait(lambda: "with Id" in Browser(daemon.gate).open(SITE).text, "the button")
        assert alice.open(SITE).status_code == 200
        daemon.wait(lambda: "invalid_client" in sign_in(daemon, key)[1].text, "the refusal of the provider")
        secret.write_text(f"{SECRET}\n")
        daemon.wait(lambda: sign_in(daemon, key)[1].status_code == 200, "the new secret")
        ann, answer = sign_in(daemon, key)
        assert answer.status_code == 200

        options = ("--ignore-certificate-errors", "--host-resolver-rules=MAP *.test 127.0.0.1")
        async with (
            chromium_browser.chromium(tmp_path, *options) as chromium,
            chromium.open(f"https://home.test:{daemon.gate.https}/page?a=b") as page,
        ):
            await page.until("document.querySelector('form[action=\"/begin\"]') !== null")
            await page.value("document.querySelector('form[action=\"/begin\"] button').click()")
            await page.until("document.querySelector('[name=login]') !== null")
            await page.fill("[name=login]", "ann")
            await page.fill("[name=password]", "any")
            await page.press_enter()
            await page.until("location.host.startsWith('home.test') && location.pathname === '/page'")
            assert await page.value("document.cookie") == ""

        listed = json.loads(daemon.cli_good("sessions", "--json"))["sessions"]
        assert {(one["user"], one["provider"]) for one in listed} == {("alice", None), (f"{key}:ann", key)}
        assert f"{key}:ann" in daemon.cli_good("sessions")

        # Without the daemon, too; and the provider is taken out of the file.
        daemon.kill()
        assert sign_in(daemon, key)[1].status_code == 200
        guard(daemon, server)
        daemon.up(SITE)
        daemon.wait(lambda: ann.send(SITE).status_code == 302, "the end of sessions of the provider")
        assert alice.send(SITE).status_code == 200
        kept = b"".join(one.read_bytes() for one in pathlib.Path(daemon.state).rglob("*") if one.is_file())
        assert SECRET.encode() not in kept


def test_an_account_that_no_site_lets_in(daemon: Run) -> None:
    with servers.running("home") as server, identity_providers.pretender() as provider:
        (daemon.root / "id.secret").write_text(f"{SECRET}\n")
        guard_with(daemon, server, provider.issuer, rule="{emails: [somebody@example.com]}")
        daemon.up(SITE, "https://auth.test/")
        visitor = Browser(daemon.gate)
        page = visitor.open(SITE)
        # There are no users with a password, so nothing is to be typed.
        assert "Password" not in page.text
        key = provider.issuer.removeprefix("http://").replace(":", "-")
        data = {**find_hidden(page), "provider": key}
        led = find_refresh(visitor.send("https://auth.test/begin", "POST", data=data)) or ""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(led).query))
        provider.nonce = query["nonce"]
        back = urllib.parse.urlencode({"code": "c", "state": query["state"]})
        answer = visitor.send(f"https://auth.test/callback/{key}?{back}")
        assert (answer.status_code, "eve@example.com" in answer.text) == (403, True)
        assert json.loads(daemon.cli_good("sessions", "--json"))["sessions"] == []
        # A provider that is gone.
        assert not [one for one in daemon.status()["problems"] if "sign in" in one["message"]]
        guard_with(daemon, server, f"http://127.0.0.1:{ports.free_port()}", rule="{emails: [somebody@example.com]}")
        found = json.loads(daemon.cli("doctor", "--json").stdout)["findings"]
        (one,) = (one for one in found if one["topic"] == "sign-in")
        assert (one["weight"], "connection refused" in one["message"]) == ("warns", True)
        assert "login.providers" in one["cure"]
        daemon.wait(
            lambda: any("connection refused" in one["message"] for one in daemon.status()["problems"]), "the warning"
        )
