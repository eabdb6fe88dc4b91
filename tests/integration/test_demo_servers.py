"""The demo's page and chat servers, each as the process it is, without a gate in front."""

import asyncio
import collections.abc
import contextlib
import json
import re
import typing

import httpx
import pytest
from websockets.asyncio import client

from daemun.demo import chat, part

Json = dict[str, typing.Any]


@contextlib.contextmanager
def server(module: str) -> collections.abc.Iterator[str]:
    """The URL of a demo server that runs while the block does."""
    process = part.DemoProcess(module, ["-m", module], announces=True)
    try:
        yield process.announced()
    finally:
        process.stop()


@pytest.fixture
def chat_url() -> collections.abc.Iterator[str]:
    with server("daemun.demo.chat") as url:
        yield url.replace("http://", "ws://")


def joined(url: str) -> client.connect:
    return client.connect(url, proxy=None, open_timeout=60)


async def receive(socket: client.ClientConnection, kind: str) -> Json:
    """The next event of that kind; those before it are dropped."""
    async with asyncio.timeout(60):
        while True:
            event: Json = json.loads(await socket.recv())
            if event["type"] == kind:
                return event


async def say(socket: client.ClientConnection, name: str, text: str) -> None:
    await socket.send(json.dumps({"name": name, "text": text}))


def test_page_and_all_it_names_are_served_by_the_page_server_alone() -> None:
    with server("daemun.demo.page") as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as visitor:
        page = visitor.get("/")
        assert page.headers["Content-Type"].startswith("text/html")
        named = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert set(named) == {"gate.svg", "chat.css", "chat.js"}
        for name in named:
            assert visitor.get(f"/{name}").status_code == 200
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert visitor.get("/../page.py").status_code == 404


async def test_messages_reach_everybody_and_who_comes_later(chat_url: str) -> None:
    async with (
        joined(chat_url) as mina,
        joined(chat_url) as jonas,
    ):
        mina_token = (await receive(mina, "welcome"))["you"]
        assert (await receive(jonas, "present"))["count"] == 2
        await say(mina, "Mina", "<i>hello</i>")
        heard = await receive(jonas, "said")
        assert (heard["name"], heard["text"], heard["from"]) == ("Mina", "<i>hello</i>", mina_token)
        assert await receive(mina, "said") == heard
        async with joined(chat_url) as late:
            assert (await receive(late, "welcome"))["history"] == [heard]


async def test_presence_follows_those_who_leave(chat_url: str) -> None:
    async with joined(chat_url) as stays:
        assert (await receive(stays, "present"))["count"] == 1
        async with joined(chat_url):
            assert (await receive(stays, "present"))["count"] == 2
        assert (await receive(stays, "present"))["count"] == 1


async def test_wrong_message_is_refused_and_the_connection_stays(chat_url: str) -> None:
    async with joined(chat_url) as socket:
        await socket.send("[]")
        assert "expected an object" in (await receive(socket, "refused"))["reason"]
        await say(socket, "Mina", "still here")
        assert (await receive(socket, "said"))["text"] == "still here"


async def test_message_over_the_limit_ends_the_connection(chat_url: str) -> None:
    async with joined(chat_url) as socket:
        await socket.send("x" * (chat.MAX_FRAME_BYTES + 1))
        await socket.wait_closed()
        assert socket.close_code == 1009  # RFC 6455 section 7.4.1: message too big
