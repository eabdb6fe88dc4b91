"""The pages of changes in a real browser: nothing is cut, everybody can use them, and what scripts add works."""

import asyncio
import collections.abc
import contextlib
import pathlib
import socket

import pytest
from starlette import types

from daemun.dashboard import visit
from daemun.web import asgi
from tests.integration import test_draft_pages
from tests.support import browser, page_looks

pytestmark = pytest.mark.browser


def _as_operator(pages: types.ASGIApp) -> types.ASGIApp:
    """The pages for a browser on loopback without TLS, as seen by one who owns the gate."""

    async def answer(scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        if scope["type"] == "http":
            language = b"ko" if b"language=ko" in scope["query_string"] else b"en"
            cookie = f"{visit.SESSION_COOKIE}=own; __Host-daemun-language=".encode() + language
            kept = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
            scope = {**scope, "headers": [*kept, (b"cookie", cookie), (b"x-forwarded-proto", b"http")]}
        await pages(scope, receive, send)

    return answer


@contextlib.asynccontextmanager
async def _serve(house: test_draft_pages.House) -> collections.abc.AsyncIterator[str]:
    listening, until = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    server = asgi.make_server(_as_operator(house.pages.pages), backlog=16, until=until)
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        until.set()
        await task
        listening.close()


async def test_pages_at_every_size(tmp_path: pathlib.Path) -> None:
    house = test_draft_pages.House(tmp_path)
    await house.start()
    await test_draft_pages.add(house)
    await house.pages.post(
        "/changes/form", {"host": "a.test", "path": "/", "key.max_body": "3m", "before.max_body": ""}
    )
    async with (
        _serve(house) as address,
        browser.chromium(tmp_path / "profile") as chromium,
        chromium.open("about:blank") as page,
    ):

        async def check(path: str, *, width: int, scheme: str, language: str) -> None:
            ready = "document.querySelector('yaml-editor .cm-line') !== null" if "file" in path else "true"
            mark = "&" if "?" in path else "?"
            await page_looks.visit(
                page, f"{address}{path}{mark}language={language}", width=width, scheme=scheme, ready=ready
            )
            await page.value(
                "document.querySelectorAll('main details:not(.confirm)').forEach((one) => (one.open = true))"
            )
            assert await page_looks.find_faults(page) == [], (path, width)

        for path in ("/changes", "/changes/add", "/changes/form?host=a.test", "/changes/file"):
            await check(path, width=360, scheme="dark", language="ko")
            await check(path, width=1280, scheme="light", language="en")
        await check("/changes", width=360, scheme="light", language="en")
        await page.value("document.querySelector('form[action=\"/changes/apply\"]').requestSubmit()")
        counting = "/\\d+ s/.test(document.querySelector('time-left')?.textContent)"
        await page.until(f"location.pathname === '/changes/trial' && {counting}")
        assert await page_looks.find_faults(page) == []
        await page.value("document.querySelector('form[action=\"/changes/confirm\"]').requestSubmit()")
        await page.until("location.pathname === '/changes' && document.querySelector('.message.done') !== null")
    assert "max_body: 3m" in house.main.read_text()
