"""daemun's own sign-in through the life of a daemon, with its commands, and in a real browser."""

import asyncio
import contextlib
import json
import os
import pathlib
import signal

import httpx
import psutil
import pyotp
import pytest

from daemun.core import layout
from daemun.judge import judge_process
from tests.e2e import servers
from tests.support import browser as chromium_browser
from tests.support import daemon as daemon_support
from tests.support import login_forms
from tests.support.login_browser import Browser, find_refresh
from tests.support.passwords import run_with

pytestmark = [pytest.mark.nginx, pytest.mark.browser]

Run = daemon_support.Daemon
SITE = "https://home.test/"


def add(daemon: Run, name: str, password: str, *arguments: str) -> None:
    done = run_with(daemon, password, "users", "add", name, *arguments)
    assert done.returncode == 0, done


def guard(daemon: Run, server: servers.Server, *, rule: str = "true") -> None:
    daemon.write(f"""
        login: {{host: auth.test}}
        sites:
          home.test:
            access: {{login: {rule}}}
            routes: {{/: {server.url}}}
          open.test: {server.url}
    """)


def status(visitor: Browser, url: str = SITE) -> int:
    with contextlib.suppress(httpx.TransportError, OSError):
        return visitor.send(url).status_code
    return 0


def wait(visitor: Browser, wanted: int) -> None:
    daemon_support.wait_for(lambda: status(visitor) == wanted, f"{wanted}")


def judge(daemon: Run) -> psutil.Process | None:
    return judge_process.find_left(layout.Layout(str(daemon.state)))


def test_who_is_taken_out_is_out_also_of_a_site_that_is_kept(daemon: Run) -> None:
    with servers.running("home") as server:
        add(daemon, "alice", "pw")
        add(daemon, "bob", "word")
        guard(daemon, server, rule="{users: [alice, bob]}")
        daemon.up(SITE, "https://auth.test/")
        alice, bob = Browser(daemon.gate), Browser(daemon.gate)
        assert alice.sign_in(SITE).status_code == 200
        assert bob.sign_in(SITE, "bob", "word").status_code == 200
        daemon.write(f"""
            login: {{host: auth.test}}
            sites:
              home.test:
                access: {{login: {{users: [alice]}}}}
                nginx: client_max_body_size nonsense;
                routes: {{/: {server.url}}}
              open.test: {server.url}
        """)
        wait(bob, 403)
        assert status(alice) == 200


def test_from_the_first_user_to_the_last_session(daemon: Run) -> None:
    with servers.running("home") as server:
        add(daemon, "alice", "pw", "--group", "family", "--email", "alice@example.com", "--name", "Alice A.")
        guard(daemon, server)
        daemon.cli_good("check")
        daemon.up(SITE, "https://auth.test/")
        alice = Browser(daemon.gate)
        assert alice.sign_in(SITE).status_code == 200
        # Who is added while it runs.
        add(daemon, "bob", "word")
        bob = Browser(daemon.gate)
        assert bob.sign_in(SITE, "bob", "word").status_code == 200
        listed = json.loads(daemon.cli_good("sessions", "--json"))["sessions"]
        assert [(one["user"], one["hosts"]) for one in listed] == [("alice", ["home.test"]), ("bob", ["home.test"])]
        assert "alice" in daemon.cli_good("sessions")
        assert "alice@example.com" in daemon.cli_good("users")
        daemon.cli_good("sessions", "end", listed[0]["id"])
        wait(alice, 302)
        assert status(bob) == 200
        assert daemon.cli("sessions", "end", "nothing").returncode == 1
        # While the daemon is away: who is in stays in, others come in, and who is removed goes.
        daemon.kill()
        assert status(bob) == 200
        assert alice.sign_in(SITE).status_code == 200
        daemon.cli_good("users", "rm", "bob")
        wait(bob, 302)
        before = judge(daemon)
        daemon.start()
        daemon.wait_ready()
        assert judge(daemon) == before
        assert status(alice) == 200
        # A judge that ends comes back with its sessions.
        assert before is not None
        os.kill(before.pid, signal.SIGKILL)
        daemon.wait(lambda: judge(daemon) not in {None, before}, "another judge")
        wait(alice, 200)
        # So does all of it.
        daemon.terminate()
        daemon.up(SITE)
        assert status(alice) == 200
        assert run_with(daemon, "other", "users", "passwd", "alice").returncode == 0
        wait(alice, 302)
        assert alice.sign_in(SITE, "alice", "other").status_code == 200
        kept = [path for path in pathlib.Path(daemon.state, "logs").iterdir() if path.is_file()]
        logged = daemon.log_text() + "".join(path.read_text() for path in kept)
        assert alice.value("home.test") not in logged
        assert alice.value("auth.test") not in logged
        users = pathlib.Path(daemon.state, "store", "login", "users.json")
        assert users.stat().st_mode & 0o777 == 0o600
        assert '"pw"' not in users.read_text()


def test_groups_codes_and_mistakes(daemon: Run) -> None:
    with servers.running("home") as server:
        add(daemon, "alice", "pw")
        assert run_with(daemon, "pw", "users", "add", "alice").returncode == 1
        assert run_with(daemon, "", "users", "add", "carol").returncode == 1
        assert run_with(daemon, "pw", "users", "add", "a:b").returncode == 1
        assert run_with(daemon, "pw", "users", "add", "carol", "--group", "a,b").returncode == 1
        assert "there is no user" in daemon.cli("users", "rm", "carol").stderr
        assert daemon.cli("sessions").returncode == 1
        guard(daemon, server, rule="{groups: [family]}")
        daemon.up("https://open.test/", "https://auth.test/")
        made = json.loads(daemon.cli_good("users", "totp", "alice", "--json"))
        visitor = Browser(daemon.gate)
        page = visitor.fill(visitor.open(SITE), user="alice", password="pw")
        done = visitor.fill(page, code=pyotp.TOTP(made["secret"]).now())
        assert visitor.open(find_refresh(done) or "").status_code == 403
        daemon.cli_good("users", "set", "alice", "--group", "family")
        wait(visitor, 200)
        daemon.cli_good("users", "set", "alice", "--no-groups")
        wait(visitor, 403)
        # What she changes herself is in the store soon, and no command puts the password of before back.
        page = visitor.open("https://auth.test/account")
        fields = {"present": "pw", "new": "another one", "again": "another one"}
        assert login_forms.send(visitor, page, "/account/password", **fields).status_code == 200
        daemon.cli_good("users", "totp", "alice", "--off")
        daemon.cli_good("users", "set", "alice", "--group", "family")
        assert Browser(daemon.gate).sign_in(SITE, "alice", "another one").status_code == 200
        page = visitor.fill(visitor.open(SITE), user="alice", password="another one")
        assert find_refresh(page)
        page = visitor.open("https://auth.test/account")
        fields = {"present": "another one", "new": "a third one", "again": "a third one"}
        assert login_forms.send(visitor, page, "/account/password", **fields).status_code == 200
        users = pathlib.Path(daemon.state, "store", "login", "users.json")
        daemon.wait(lambda: json.loads(users.read_text())[0]["revision"] == 2, "the change in the store")
        assert Browser(daemon.gate).sign_in(SITE, "alice", "a third one").status_code == 200


def logged(daemon: Run) -> str:
    kept = [path for path in pathlib.Path(daemon.state, "logs").iterdir() if path.is_file()]
    return daemon.log_text() + "".join(path.read_text() for path in kept)


def test_who_is_invited(daemon: Run) -> None:
    with servers.running("home") as server:
        daemon.write("sites: {}")
        assert "login: {host: auth.example.com}" in daemon.cli("users", "invite", "bob").stderr
        guard(daemon, server, rule="{groups: [family]}")
        daemon.up("https://open.test/", "https://auth.test/")
        made = json.loads(daemon.cli_good("users", "invite", "bob", "--group", "family", "--json"))
        assert made["link"].startswith(f"https://auth.test:{daemon.gate.https}/invitation?token=")
        assert "invited until" in daemon.cli_good("users")
        assert json.loads(daemon.cli_good("users", "--json"))["users"][0]["invited_until"] == made["ends"]
        assert daemon.cli("tokens", "add", "bob", "--all-sites").returncode == 1
        assert daemon.cli("users", "totp", "bob").returncode == 1
        for time in ("soon", "0d", "1s"):
            assert daemon.cli("users", "invite", "eve", "--expires", time).returncode == 1
        # Another link instead of the first.
        link = json.loads(daemon.cli_good("users", "invite", "bob", "--group", "family", "--json"))["link"]
        bob = Browser(daemon.gate)
        assert bob.send(made["link"]).status_code == 404
        page = bob.send(link)
        done = login_forms.send(bob, page, "/invitation", new="a password", again="a password")
        assert done.headers["Location"] == "/account"
        assert bob.open(SITE).status_code == 200
        assert "can sign in" in daemon.cli_good("users")
        assert "there is such a user" in daemon.cli("users", "invite", "bob").stderr
        # Withdrawn.
        carol = json.loads(daemon.cli_good("users", "invite", "carol", "--json"))["link"]
        assert Browser(daemon.gate).send(carol).status_code == 200
        daemon.cli_good("users", "rm", "carol")
        assert Browser(daemon.gate).send(carol).status_code == 404
        # With a password by the owner, none is to be chosen any more.
        dave = json.loads(daemon.cli_good("users", "invite", "dave", "--json"))["link"]
        assert run_with(daemon, "word", "users", "passwd", "dave").returncode == 0
        assert Browser(daemon.gate).send(dave).status_code == 404
        # Nothing of the links is kept.
        text = logged(daemon) + pathlib.Path(daemon.state, "store", "login", "users.json").read_text()
        assert not any(one.partition("=")[2] in text for one in (made["link"], link, carol, dave))


def test_without_a_page_nobody_comes_in(daemon: Run) -> None:
    with servers.running("home") as server:
        daemon.write(f"""
            sites:
              home.test:
                access: {{login: true}}
                routes: {{/: {server.url}}}
              open.test: {server.url}
        """)
        assert "login: {host: auth.example.com}" in daemon.cli("check").stdout
        daemon.up("https://open.test/")
        assert status(Browser(daemon.gate)) == 503


async def test_in_a_real_browser(daemon: Run, tmp_path: pathlib.Path) -> None:
    """Its rules for cookies, for forms that lead elsewhere, and for `Origin`."""
    with servers.running("home") as server:
        add(daemon, "alice", "pw")
        guard(daemon, server)
        daemon.up(SITE, "https://auth.test/")
        port = daemon.gate.https
        options = ("--ignore-certificate-errors", "--host-resolver-rules=MAP * 127.0.0.1")
        async with (
            chromium_browser.chromium(tmp_path, *options) as chromium,
            chromium.open(f"https://home.test:{port}/page?a=b") as page,
        ):
            await page.until("location.host.startsWith('auth.test') && document.querySelector('[name=user]') !== null")
            await page.fill("[name=user]", "alice")
            await page.fill("[name=password]", "no")
            await page.press_enter()
            await page.until("document.querySelector('.problem') !== null")
            await page.fill("[name=password]", "pw")
            await page.press_enter()
            await page.until("location.host.startsWith('home.test') && location.pathname === '/page'")
            assert await page.value("document.cookie") == ""
            await page.call("Page.navigate", url=f"https://auth.test:{port}/")
            await page.until("document.querySelector('form')?.action.endsWith('/sign-out') === true")
            await page.value("document.querySelector('a[href=\"/account\"]').click()")
            await page.until("document.querySelector('[name=present]') !== null")
            for name, text in (("present", "pw"), ("new", "another one"), ("again", "another one")):
                await page.fill(f"[name={name}]", text)
            await page.press_enter()
            await page.until("document.querySelector('.done')?.innerText.includes('is changed') === true")
            assert "Chrome" in await page.value("document.querySelector('li').innerText")
            await page.call("Page.navigate", url=f"https://auth.test:{port}/")
            await page.until("document.querySelector('form')?.action.endsWith('/sign-out') === true")
            await page.value("document.querySelector('button').click()")
            await page.until("document.body?.innerText.includes('You are signed out')")
            await page.call("Page.navigate", url=f"https://auth.test:{port}/")
            await page.until("document.querySelector('[name=user]') !== null")
            # Neither what follows an invitation names its secret.
            link = json.loads(await asyncio.to_thread(daemon.cli_good, "users", "invite", "bob", "--json"))["link"]
            await page.call("Page.navigate", url=link)
            await page.until("document.querySelector('[name=new]') !== null")
            for name in ("new", "again"):
                await page.fill(f"[name={name}]", "a password")
            await page.press_enter()
            await page.until("location.pathname === '/account' && document.body?.innerText.includes('as bob') === true")
            daemon.wait(lambda: "/account" in logged(daemon), "the access log")
            assert link.partition("=")[2] not in logged(daemon)
