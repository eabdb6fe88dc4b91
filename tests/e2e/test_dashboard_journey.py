"""An owner's way through the dashboard in a browser, in front of a real gate: in by a link and by a passkey, a site is
added, seen, broken, understood and brought back, at a desktop in English and on a phone in Korean.

At each station axe-core finds nothing, nothing is cut or covered, and the page's policy refused nothing."""

import asyncio
import collections.abc
import dataclasses
import json
import os
import pathlib

import httpx
import pytest

from tests.support import axe, bad_servers, browser, passwords, ports, seen_page
from tests.support import daemon as daemon_support

pytestmark = [pytest.mark.nginx, pytest.mark.browser, pytest.mark.timeout(600)]

HOST, LOGIN = "gate.home.test", "auth.home.test"
"""Of one domain with the sites: browsers send cookies with what pages of these request of the dashboard."""
DESKTOP, PHONE = 1280, 360

_OPTIONS = ("--ignore-certificate-errors", "--host-resolver-rules=MAP * 127.0.0.1")

_ATTACKS = """(async (gate) => {
  const body = new URLSearchParams({ version: "0", confirm: "true" });
  for (const path of ["/api/v1/apply", "/api/v1/draft/apply", "/changes/apply", "/changes/discard", "/sign-out"]) {
    for (const sent of [body, "{}", new Blob(["{}"], { type: "text/plain" })]) {
      await fetch(gate + path, { method: "POST", mode: "no-cors", credentials: "include", body: sent })
        .catch(() => {}); // the answer is kept from it
    }
  }
  const read = [];
  for (const path of ["/", "/api/v1/me", "/api/v1/openapi.json", "/changes/file"]) {
    await fetch(gate + path, { credentials: "include" }).then(() => read.push(path), () => {});
  }
  return read;
})"""
"""What a page elsewhere tries with the cookies of who opened it. Returns: what it could read."""
_LEADING_AWAY = """(async () => {
  const hosts = [];
  // What the policy refuses fails each time; a network that changes beside the test does not.
  const open = (there, left = 5) => fetch("/enter?next=" + encodeURIComponent(there))
    .catch((error) => left ? open(there, left - 1) : Promise.reject(error));
  for (const there of ["//evil.test", "/..//evil.test", "/.//evil.test", "/%2e%2e//evil.test", "/\\\\evil.test",
                       "https://evil.test", "/\\t/evil.test", "/%5cevil.test", "/%2fevil.test"]) {
    hosts.push(new URL((await open(there)).url).host);
  }
  return hosts;
})()"""
"""Where a link to the sign-in leads who is signed in."""


def _greet(_: str, __: collections.abc.Mapping[str, str]) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


@dataclasses.dataclass(slots=True)
class Owner:
    """Somebody at a screen. faults: what was wrong at the stations so far."""

    page: browser.Page
    daemon: daemon_support.Daemon
    width: int
    faults: list[str] = dataclasses.field(default_factory=list)

    @property
    def base(self) -> str:
        return f"https://{HOST}:{self.daemon.https}"

    async def begin(self, language: str) -> None:
        await self.page.call("Page.enable")
        await self.page.call("Page.addScriptToEvaluateOnNewDocument", source=seen_page.NOTE_REFUSED)
        await self.page.call("Network.enable")
        await self.page.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        await seen_page.resize(self.page, self.width, "dark" if self.width == PHONE else "light")
        await self.page.call("WebAuthn.enable")

    async def visit(self, path: str, shown: str = "true") -> None:
        await self._leave(f"location.href = {json.dumps(path if '://' in path else self.base + path)}", shown)

    async def press(self, selector: str, shown: str = "true") -> None:
        """A button or link that leads to another page. shown: what is true of that page."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.page.until(f"{found} !== null")
        await self._leave(f"{found}.click()", shown)

    async def _leave(self, step: str, shown: str) -> None:
        await self.page.value(f"window.isFormer = true, setTimeout(() => {{ {step} }}), 1")
        await self.page.until(f"window.isFormer === undefined && document.readyState === 'complete' && {shown}")

    async def fill(self, **fields: str) -> None:
        for name, text in fields.items():
            await self.page.fill(f'[name="{name}"]', text)

    async def station(self, name: str) -> None:
        """DAEMUN_PICTURES: a folder for pictures of the stations."""
        if folder := os.environ.get("DAEMUN_PICTURES"):
            path = pathlib.Path(folder, f"journey-{self.width}-{name}.png")
            path.write_bytes(await self.page.screenshot())
        found = [*await seen_page.find_faults(self.page), *await axe.find_faults(self.page)]
        found += [f"refused: {one}" for one in await self.page.value("window.refused")]
        self.faults += [f"{self.width}, {name}: {one}" for one in found]
        await self.page.value("scrollTo(0, 0)")

    async def text(self) -> str:
        found: str = await self.page.value("document.querySelector('main').innerText")
        return found

    # --- the ways in and out --------------------------------------------------------------------------------------

    async def enter_by_link(self) -> None:
        link = json.loads(self.daemon.cli_good("dashboard", "--json"))["url"].partition("#")[2]
        await self.visit(f"/enter#{link}", "document.querySelector('#came')?.hidden === false")
        await self.station("enter")
        await self.press("#enter button", "location.pathname === '/'")

    async def enter_by_passkey(self) -> None:
        await self.visit("/enter")
        passkey = "form[action='/passkey']"
        await self.press("a[href='/sign-in/account']", f"document.querySelector({json.dumps(passkey)}) !== null")
        await self.page.until(f"document.querySelector({json.dumps(passkey)}).hidden === false")
        await self.station("passkey")
        await self.press(f"{passkey} button", f"location.host.startsWith('{HOST}') && location.pathname === '/'")

    async def leave(self) -> None:
        await self.press("form[action='/sign-out'] button", "location.pathname === '/enter'")

    # --- what others try ------------------------------------------------------------------------------------------

    async def withstand_pages_elsewhere(self) -> None:
        """Caddy took a whole configuration from any page that its owner's browser opened (CVE-2026-27589), and
        BunkerWeb led elsewhere after the sign-in (1.6.12, CWE-601)."""
        before = self.daemon.config.read_bytes(), self.read_audit()
        await self.visit(f"https://www.home.test:{self.daemon.https}/")
        assert await self.page.value(f"{_ATTACKS}({json.dumps(self.base)})") == []
        log = self.daemon.state / "logs" / "access.log"
        await asyncio.to_thread(self.daemon.wait, lambda: log.read_text().count("/sign-out") >= 3, "all were sent")
        assert (self.daemon.config.read_bytes(), self.read_audit()) == before
        await self.visit("/")
        assert await self.page.value(_LEADING_AWAY) == [f"{HOST}:{self.daemon.https}"] * 9

    def read_audit(self) -> list[object]:
        found: list[object] = json.loads(self.daemon.cli_good("audit", "--json"))["entries"]
        return found

    # --- changes --------------------------------------------------------------------------------------------------

    async def add(self, host: str, target: str) -> None:
        await self.visit("/changes/add")
        await self.fill(host=host, target=target)
        await self.press("button[value=try]", "document.querySelector('section[role=status] .lamp.good') !== null")
        await self.station("tried")
        await self.press("button[value=add]", "location.pathname === '/changes'")
        assert host in await self.text()
        await self.station("draft")

    async def apply(self, *, is_good: bool = True) -> None:
        """What is drafted, on trial, and keep it. is_good: whether the server behind answers."""
        await self.fill(message="as we said")
        await self.press("form[action='/changes/apply'] button", "location.pathname === '/changes/trial'")
        # What is known of its server is of the one that it leads to now.
        lamp = await self.page.value("document.querySelector('main li .lamp:last-of-type').className")
        assert ("good" in lamp) <= is_good
        await self.station("trial")
        await self.press("form[action='/changes/confirm'] button", "document.querySelector('.message.done') !== null")

    async def roll_back(self, host: str) -> None:
        """To what was before the newest."""
        await self.visit("/changes/history")
        await self.station("history")
        confirm = "tbody tr:nth-child(2) details.confirm"
        await self.page.value(f"document.querySelector('{confirm}').open = true, 1")
        assert host in await self.page.value("document.querySelector('tbody tr').innerText")
        await self.press(f"{confirm} button", "location.pathname === '/changes/trial'")
        await self.press("form[action='/changes/confirm'] button", "document.querySelector('.message.done') !== null")

    # --- a site ---------------------------------------------------------------------------------------------------

    async def receives(self, host: str, status: int, text: str = "") -> None:
        """What a visitor of the site gets, from all workers of nginx."""

        def is_right(answer: httpx.Response) -> bool:
            return answer.status_code == status and text in answer.text

        await asyncio.to_thread(self.daemon.wait_answer, f"https://{host}/", is_right)

    async def see_live(self, host: str) -> None:
        await self.visit(f"/sites/{host}")
        await self.page.until("document.querySelectorAll('.site-lamps .lamp.good').length === 3")
        await self.page.until("document.querySelector('#site-now > .trouble') === null")
        await self.station("live")

    async def see_broken(self, host: str) -> None:
        """Cause and cure on the page of the site, after a try, and on the first page."""
        await self.visit(f"/sites/{host}")
        await self.try_now()
        trouble = "#site-now > .trouble dl.why dd"
        await self.page.until(f"document.querySelectorAll('{trouble}').length === 2")
        cause, cure = await self.page.value(f"[...document.querySelectorAll('{trouble}')].map((one) => one.innerText)")
        # The desktop is in English, the phone in Korean.
        words = ("듣고 있는 것이 없습니다", "시작") if self.width == PHONE else ("nothing listens there", "start")
        assert words[0] in cause
        assert words[1] in cure
        assert await self.page.value("document.querySelector('#overall').dataset.state") == "bad"
        await self.station("broken")
        await self.visit("/")
        await self.page.until(f"document.querySelector('#needs-you').innerText.includes({json.dumps(host)})")
        await self.station("needs")

    async def try_now(self) -> None:
        await self.press("form[action$='/probe'] button", "document.querySelector('.message.done') !== null")

    async def follow(self, host: str) -> None:
        """The live log while a visitor comes."""
        await self.visit(f"/sites/{host}/log", "document.querySelector('live-log:defined') !== null")
        async with asyncio.timeout(60):
            while not await self.page.value("document.querySelector('.lines').innerText.includes('/looked-at')"):
                await asyncio.to_thread(self.daemon.get, f"https://{host}/looked-at")
        await self.station("log")

    async def see_graphs(self, host: str) -> None:
        await self.visit(f"/sites/{host}/traffic", "document.querySelector('traffic-graph canvas') !== null")
        # Requests are stored seldom where storing takes long, as on a busy machine.
        async with asyncio.timeout(180):
            while await self.page.value("document.querySelector('.figures-row a').textContent") == "0":
                await asyncio.sleep(1)
                await self.visit(f"/sites/{host}/traffic", "document.querySelector('traffic-graph canvas') !== null")
        await self.station("graphs")


@pytest.fixture
def daemon() -> collections.abc.Iterator[daemon_support.Daemon]:
    with daemon_support.new_daemon() as new:
        passwords.run_with(new, "pw", "users", "add", "ann").check_returncode()
        new.write(f"""
            login: {{host: {LOGIN}}}
            dashboard: {{host: {HOST}, own: [ann]}}
            defaults: {{hold: off}}
            sites:
              # the first of all
              www.home.test: {{routes: {{/: {{respond: {{body: home}}}}}}}}
        """)
        new.up("https://www.home.test/", f"https://{LOGIN}/", f"https://{HOST}/enter")
        yield new


async def test_an_owner_at_a_desktop_and_on_a_phone(daemon: daemon_support.Daemon, tmp_path: pathlib.Path) -> None:
    async with (
        browser.chromium(tmp_path, *_OPTIONS) as chromium,
        chromium.open("about:blank") as first,
        chromium.open("about:blank") as second,
    ):
        desktop, phone = Owner(first, daemon, DESKTOP), Owner(second, daemon, PHONE)
        await desktop.begin("en")
        await phone.begin("ko")
        with bad_servers.running(_greet) as server:
            await _break_and_roll_back(desktop, f"http://127.0.0.1:{server.port}")
            passkey = await _make_passkey(desktop)
            await _enter_with(phone, passkey)
            await phone.follow("wiki.home.test")
        await _mend(phone)
        for owner in (desktop, phone):
            await owner.see_graphs("wiki.home.test")
        for one in (desktop, phone):
            assert one.faults == []


async def _break_and_roll_back(owner: Owner, target: str) -> None:
    """By a wrong target, at a desktop."""
    await owner.enter_by_link()
    await owner.station("home")
    await owner.withstand_pages_elsewhere()
    await owner.add("wiki.home.test", target)
    await owner.apply()
    await owner.see_live("wiki.home.test")
    await owner.receives("wiki.home.test", 200, "hello")
    wrong = f"http://127.0.0.1:{ports.free_port()}"
    await owner.visit("/changes/form?host=wiki.home.test&path=/")
    await owner.fill(**{"key.to": wrong})
    await owner.press(
        "main form[action='/changes/form'] button.main", "document.querySelector('.message.done') !== null"
    )
    await owner.press(".message.done a", "location.pathname === '/changes'")
    await owner.apply(is_good=False)
    await owner.receives("wiki.home.test", 502)
    await owner.see_broken("wiki.home.test")
    await owner.roll_back("wiki.home.test")
    await owner.see_live("wiki.home.test")
    await owner.receives("wiki.home.test", 200, "hello")
    assert "# the first of all" in owner.daemon.config.read_text()


async def _make_passkey(owner: Owner) -> dict[str, object]:
    """As the user that the owner is, too. Returns: the passkey, for another authenticator that it is copied to."""
    made = await owner.page.call("WebAuthn.addVirtualAuthenticator", options=browser.AUTHENTICATOR)
    await owner.leave()
    await owner.press("a[href='/sign-in/account']", "document.querySelector('[name=password]') !== null")
    await owner.fill(user="ann", password="pw")
    await owner.press("form:has([name=password]) button", f"location.host.startsWith('{HOST}')")
    await owner.visit(f"https://{LOGIN}:{owner.daemon.https}/account")
    await owner.page.until("document.querySelector('[name=name]')?.form.hidden === false")
    await owner.fill(name="keys of both")
    await owner.press("form[action='/account/passkeys'] button", "document.querySelector('.done') !== null")
    found = await owner.page.call("WebAuthn.getCredentials", authenticatorId=made["authenticatorId"])
    (passkey,) = found["credentials"]
    return dict(passkey)


async def _enter_with(owner: Owner, passkey: dict[str, object]) -> None:
    made = await owner.page.call("WebAuthn.addVirtualAuthenticator", options=browser.AUTHENTICATOR)
    await owner.page.call("WebAuthn.addCredential", authenticatorId=made["authenticatorId"], credential=passkey)
    await owner.enter_by_passkey()
    assert await owner.page.value("document.documentElement.lang") == "ko"
    await owner.station("home")


async def _mend(owner: Owner) -> None:
    """A site is added on a phone; its server ends, and begins again."""
    with bad_servers.running(_greet) as server:
        await owner.add("blog.home.test", f"http://127.0.0.1:{server.port}")
        await owner.apply()
        await owner.see_live("blog.home.test")
        await owner.receives("blog.home.test", 200, "hello")
    await owner.receives("blog.home.test", 502)
    await owner.see_broken("blog.home.test")
    with bad_servers.running(_greet, port=server.port):
        await owner.visit("/sites/blog.home.test")
        await owner.try_now()
        await owner.see_live("blog.home.test")
    await owner.roll_back("blog.home.test")
    await owner.visit("/sites?q=blog.home.test")
    await owner.page.until("document.querySelector('a[href=\"/sites/blog.home.test\"]') === null")
