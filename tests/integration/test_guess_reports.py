"""Guesses of passwords that servers behind the gate refuse: what nginx reports, and what is counted of it."""

import asyncio
import base64
import collections.abc
import pathlib

import pytest
from passlib import hash as passlib_hash

from daemun.banning import guess_reports
from daemun.core import model
from daemun.core.options import bans_option, basic_auth_form, catalogue, logs_option, trusted_proxies_option
from tests.integration import test_access
from tests.support import judges, rendered, upstreams
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

TRUSTED = trusted_proxies_option.OPTION.set(("127.0.0.1",))
SETTINGS = model.Globals(options=catalogue.values(TRUSTED))


def refusing(query: judges.Query) -> judges.Judgement:
    """An application that knows no password, or one."""
    is_right = query.headers.get("authorization") == basic("right")
    return judges.Judgement(status=200 if is_right else 403 if query.path.startswith("/403") else 401)


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"alice:{password}".encode()).decode()


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[rendered.Running]:
    with judges.running(refusing) as server:
        own = basic_auth_form.BasicAuth(users=(("alice", passlib_hash.bcrypt.using(rounds=4).hash("pw")),))
        sites = (
            site("app.test", server.url),
            site("own.test", route("/", server.url, options=test_access.guarded(basic_auth=own))),
        )
        with rendered.running(*sites, settings=SETTINGS) as running:
            yield running


async def counted(
    gate: rendered.Running, requests: collections.abc.Iterable[tuple[str, str, dict[str, str]]], address: str
) -> int | None:
    """The wrong guesses of an address that sends these and has to wait then; None: it has not."""
    reports = guess_reports.GuessReports(gate.layout)
    group = pathlib.Path(gate.layout.run).stat().st_gid

    async def all_read() -> None:
        """One that counts in any case, from elsewhere, comes last. nginx loses one when the socket is another one."""

        async def is_read() -> bool:
            last = {"X-Forwarded-For": "192.0.2.99", "Authorization": basic("last")}
            await asyncio.to_thread(gate.ask, "GET", "https://app.test/", headers=last)
            return "192.0.2.99" in reports._guesses._networks

        await reports.forget("192.0.2.99")
        await upstreams.eventually(is_read)

    listening = asyncio.create_task(reports.listen(group))
    try:
        await upstreams.eventually(lambda: is_there(gate))
        await all_read()
        for method, url, headers in requests:
            answer = await asyncio.to_thread(gate.ask, method, url, headers={"X-Forwarded-For": address, **headers})
            assert answer.status_code in {200, 401, 403, 503}
        await all_read()
        waits = await reports.fetch_waits()
        return waits[address][0] if address in waits else None
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def is_there(gate: rendered.Running) -> bool:
    return pathlib.Path(gate.layout.guesses_socket).exists()


def tries(
    *passwords: str, url: str = "https://app.test/", method: str = "GET"
) -> list[tuple[str, str, dict[str, str]]]:
    return [(method, url, {"Authorization": basic(password)}) for password in passwords]


MANY = [f"password {number}" for number in range(120)]


async def test_many_passwords_are_guesses(gate: rendered.Running) -> None:
    assert await counted(gate, tries(*MANY), "203.0.113.7") is not None


async def test_one_wrong_password_again_and_again_is_an_old_program(gate: rendered.Running) -> None:
    assert await counted(gate, tries(*["old"] * 120), "203.0.113.7") is None


async def test_a_form_that_is_posted_to_a_sign_in(gate: rendered.Running) -> None:
    form: list[tuple[str, str, dict[str, str]]] = [("POST", "https://app.test/api/login", {})] * 30
    assert await counted(gate, form, "203.0.113.7") is not None


@pytest.mark.parametrize("path", ["/login", "/users/sign_in", "/Login.php", "/api/auth/signin/", "/user/log-in"])
async def test_paths_of_sign_ins(gate: rendered.Running, path: str) -> None:
    form = [("POST", f"https://app.test{path}?next=/", {"Sec-Fetch-Site": "same-origin"})] * 30
    assert await counted(gate, form, "203.0.113.7") is not None


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param([("GET", "https://app.test/", {})] * 60, id="without credentials"),
        pytest.param([("POST", "https://app.test/api/token/refresh", {})] * 60, id="a session that has ended"),
        pytest.param([("POST", "https://app.test/Sessions/Playing", {})] * 60, id="a player whose session has ended"),
        pytest.param(
            [("POST", "https://app.test/login", {"Sec-Fetch-Site": "cross-site"})] * 60, id="a page of another site"
        ),
        pytest.param(
            [("GET", "https://app.test/", {"Authorization": f'Digest cnonce="{number}"'}) for number in range(60)],
            id="Digest",
        ),
        pytest.param([("POST", "https://app.test/poll", {})] * 60, id="a form elsewhere"),
        pytest.param(tries(*["right"] * 60), id="the right password"),
        pytest.param(tries(*MANY[:60], url="https://app.test/403"), id="refused otherwise"),
        pytest.param(tries(*MANY[:60], url="https://own.test/"), id="refused by the gate, which counts itself"),
    ],
)
async def test_what_is_no_guess(gate: rendered.Running, requests: list[tuple[str, str, dict[str, str]]]) -> None:
    assert await counted(gate, requests, "203.0.113.7") is None


async def test_also_without_an_access_log_and_not_without_bans() -> None:
    logs = logs_option.OPTION.set(logs_option.Logs(access=False))
    for bans, expected in ((True, True), (False, False)):
        settings = model.Globals(options=catalogue.values(TRUSTED, logs, bans_option.OPTION.set(bans)))
        with (
            judges.running(refusing) as server,
            rendered.running(site("app.test", server.url), settings=settings) as gate,
        ):
            assert (b"guesses.sock" in gate.files["nginx.conf"]) is expected
            if expected:
                assert await counted(gate, tries(*MANY), "203.0.113.7") is not None


async def test_nothing_of_a_password_is_reported(gate: rendered.Running) -> None:
    """And whatever else is sent to the socket counts for nothing."""
    reports = guess_reports.GuessReports(gate.layout)
    for line in (
        b"",
        b"guess 1 203.0.113.7",
        b"<1> daemun: guess 1 not-an-address",
        b"<1> daemun: guess 12345 192.0.2.1",
    ):
        assert guess_reports._REPORT.search(line) is None
    assert await reports.fetch_waits() == {}
