"""The defects of nginx-proxy that daemun must not have, each as a client of the gate would notice it.

The fifth is in test_nginx_proxy_https.py, the sixth and the seventh are in tests/e2e/test_nginx_proxy.py: they need an
engine that stops containers.
"""

import asyncio
import collections.abc
import contextlib
import socket

import httpx
import pytest

from tests.support import clients, echo
from tests.support.compat_gate import CompatGate, aged, container, gate
from tests.support.nginx_proxy import LABEL

pytestmark = pytest.mark.nginx


def _told(found: CompatGate) -> str:
    return "\n".join(str(problem) for problem in found.desired.problems)


@pytest.mark.shows(defect="1")
def test_defect_1_where_containers_disagree_the_oldest_always_wins(one: echo.EchoServer, two: echo.EchoServer) -> None:
    """There it is one or the other at random."""
    shared = {"VIRTUAL_HOST": "a.test", "VIRTUAL_PATH": "/api/"}
    old = container(one, "old", **shared, VIRTUAL_DEST="/", HTTPS_METHOD="noredirect", ACME_HOST="a.test")
    new = container(two, "new", **shared, VIRTUAL_DEST="/v2/")
    root = container(two, "root", VIRTUAL_HOST="a.test", HTTPS_METHOD="nohttp")
    old, new, root = aged(old, 9), aged(new, 5), aged(root, 4)

    for order in ((old, new, root), (root, new, old)):
        with gate(*order, may_fail=True) as found:
            answers = {(said.server, said.path) for said in (found.said("http://a.test/api/x") for _ in range(4))}
            assert answers == {("one", "/x")}
            assert found.said("http://a.test/").server == found.said("https://a.test/").server == "two"
            assert 'container "new" at "a.test/api/": the older container "old" serves it' in _told(found)
            assert 'container "root" sets HTTPS_METHOD for "a.test" otherwise than the older container' in _told(found)


@pytest.mark.shows(defect="2")
@pytest.mark.parametrize("host", ["}bad{", "a b", "~^(never", "a.test;", "$host", "good.test,a/b", "x" * 300])
def test_defect_2_an_invalid_host_refuses_its_container_alone(one: echo.EchoServer, host: str) -> None:
    """There it stops every update, and a restart takes everything down."""
    bad = aged(container(one, "bad", VIRTUAL_HOST=host), 9)
    with gate(bad, container(one, VIRTUAL_HOST="fine.test"), may_fail=True) as found:
        assert found.said("http://fine.test/").server == "one"
        assert found.ask("http://good.test/").status_code == 503
        assert 'cannot serve container "bad": ' in _told(found)


@pytest.mark.shows(defect="3")
@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("keepalive", "many"),
        ("http2.enable", "maybe"),
        ("non-get-redirect", "200"),
        ("ssl_verify_client", "sometimes"),
        ("trust-default-cert", "{{ .Env }}"),
        ("loadbalance", "hash $a; } server { listen 81"),
    ],
)
def test_defect_3_an_unexpected_label_hurts_its_container_alone(one: echo.EchoServer, label: str, value: str) -> None:
    """There it crashes the generator."""
    bad = container(one, "bad", {f"{LABEL}{label}": value}, VIRTUAL_HOST="bad.test")
    with gate(bad, container(one, VIRTUAL_HOST="fine.test"), may_fail=True) as found:
        assert found.said("http://fine.test/").server == "one"
        assert f'label "{LABEL}{label}": ' in _told(found)


@pytest.mark.shows(defect="4")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIRTUAL_DEST", "/; add_header X-Injected yes"),
        ("VIRTUAL_PATH", "/ { add_header X-Injected yes; } location /x"),
        ("VIRTUAL_ROOT", "/x; add_header X-Injected yes"),
        ("HSTS", 'max-age=1"; add_header X-Injected "yes'),
        ("SERVER_TOKENS", "off; add_header X-Injected yes"),
        ("CERT_NAME", "../../x; add_header X-Injected yes"),
        ("ACME_EMAIL", "$(id)@x"),
        ("ACME_HOST", "$(id).test"),
        ("VIRTUAL_HOST_MULTIPORTS", '{"bad.test": {"/": {"dest": "/; add_header X-Injected yes"}}}'),
    ],
)
def test_defect_4_no_word_reaches_nginx_or_a_shell(one: echo.EchoServer, name: str, value: str) -> None:
    bad = container(one, "bad", **{"VIRTUAL_HOST": "bad.test", name: value})
    with gate(bad, container(one, VIRTUAL_HOST="fine.test"), may_fail=True) as found:
        answers = [found.ask(f"http://{host}.test/") for host in ("fine", "bad")]

    assert answers[0].status_code == 200
    assert all("x-injected" not in answer.headers for answer in answers)


@contextlib.contextmanager
def _silent() -> collections.abc.Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


@pytest.mark.shows(defect="8")
async def test_defect_8_a_websocket_may_be_idle_for_longer_than_a_minute(one: echo.EchoServer) -> None:
    """There nginx ends it after 60 s. A request that waits as long for its answer goes on here, too (D2)."""
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(_silent())
        socket_port = stack.enter_context(echo.websocket_server())
        found = await asyncio.to_thread(
            stack.enter_context,
            gate(
                container(socket_port, "chat", VIRTUAL_HOST="chat.test", ACME_HOST="chat.test"),
                container(silent, "silent", VIRTUAL_HOST="silent.test"),
            ),
        )
        async with clients.websocket(found.nginx.clients, "chat.test", "/") as chat:
            await chat.recv()
            await clients.echo(chat, "before")
            async with httpx.AsyncClient(trust_env=False, timeout=65) as client:
                url = f"http://127.0.0.1:{found.nginx.http}/"
                with pytest.raises(httpx.ReadTimeout):
                    await client.get(url, headers={"Host": "silent.test"})
            await clients.echo(chat, "after")
        await asyncio.to_thread(stack.close)
