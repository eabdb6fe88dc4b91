"""Passkeys in a real browser, with its virtual authenticator (chromedevtools.github.io/devtools-protocol, WebAuthn)."""

import pathlib

import pytest

from tests.e2e import servers
from tests.support import browser as chromium_browser
from tests.support import daemon as daemon_support
from tests.support.passwords import run_with

pytestmark = [pytest.mark.nginx, pytest.mark.browser]


async def test_a_passkey_in_a_real_browser(daemon: daemon_support.Daemon, tmp_path: pathlib.Path) -> None:
    with servers.running("home") as server:
        assert run_with(daemon, "pw", "users", "add", "alice").returncode == 0
        daemon.write(f"""
            login: {{host: auth.test}}
            sites:
              home.test: {{access: {{login: true}}, routes: {{/: {server.url}}}}}
        """)
        daemon.up("https://home.test/", "https://auth.test/")
        port = daemon.gate.https
        auth, home = f"https://auth.test:{port}", f"https://home.test:{port}"
        options = ("--ignore-certificate-errors", "--host-resolver-rules=MAP * 127.0.0.1")
        async with chromium_browser.chromium(tmp_path, *options) as chromium, chromium.open(f"{auth}/") as page:
            await page.call("WebAuthn.enable")
            made = await page.call("WebAuthn.addVirtualAuthenticator", options=chromium_browser.AUTHENTICATOR)
            authenticator = {"authenticatorId": made["authenticatorId"]}

            async def sign_in() -> None:
                await page.until("document.querySelector('[name=user]') !== null")
                await page.fill("[name=user]", "alice")
                await page.fill("[name=password]", "pw")
                await page.press_enter()
                await page.until("document.querySelector('a[href=\"/account\"]') !== null")
                await page.call("Page.navigate", url=f"{auth}/account")

            async def click(action: str) -> None:
                await page.until(f"document.querySelector('form[action=\"{action}\"]')?.hidden === false")
                await page.value(f"document.querySelector('form[action=\"{action}\"] button').click()")

            # Nobody has one yet, so there is no button.
            await page.until("document.querySelector('[name=user]') !== null")
            assert await page.value("document.querySelector('form[data-passkey]')") is None
            await sign_in()
            await page.until("document.querySelector('[name=name]')?.form.hidden === false")
            await page.fill("[name=name]", "laptop")
            await click("/account/passkeys")
            await page.until("document.querySelector('.done')?.innerText.includes('is added') === true")
            assert await page.value("document.body.innerText.includes('laptop')")
            await click("/sign-out")
            await page.until("document.body?.innerText.includes('You are signed out') === true")
            # On the way to a site.
            await page.call("Page.navigate", url=f"{home}/page")
            await click("/passkey")
            await page.until("location.host.startsWith('home.test') && location.pathname === '/page'")
            # Whoever is not looked at by the authenticator is not signed in.
            await page.call("Page.navigate", url=f"{auth}/")
            await click("/sign-out")
            await page.until("document.body?.innerText.includes('You are signed out') === true")
            await page.call("WebAuthn.setUserVerified", **authenticator, isUserVerified=False)
            await page.call("Page.navigate", url=f"{auth}/")
            await click("/passkey")
            await page.until("document.querySelector('form[data-passkey] .problem')?.hidden === false")
            await page.call("WebAuthn.setUserVerified", **authenticator, isUserVerified=True)
            await click("/passkey")
            await page.until("document.querySelector('a[href=\"/account\"]') !== null")
            # One that was removed.
            assert "laptop" in daemon.cli_good("users", "passkeys", "alice")
            daemon.cli_good("users", "passkeys", "alice", "--off")
            assert "no passkeys" in daemon.cli_good("users", "passkeys", "alice")
            await page.call("Page.navigate", url=f"{auth}/account")
            await page.until("location.pathname === '/' && document.querySelector('[name=user]') !== null")
            assert await page.value("document.querySelector('form[data-passkey]')") is None
