"""`response_headers` and `request_headers` of the gate and of sites: what clients and servers receive."""

import collections.abc
import contextlib
import pathlib

import pytest

from daemun.core import model
from daemun.core.options import catalogue, hold_option, hsts_option
from daemun.core.options.security_headers_option import SecurityHeaders
from tests.support import echo, header_server, ports, rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

OF_GATE = {
    "response_headers": (("X-Gate", "gate"), ("X-Level", "gate"), ("Server-Timing", "")),
    "request_headers": (("X-Sent", "gate"), ("X-From-Gate", "$request_method"), ("Accept", "")),
}
OF_SITE = {
    "response_headers": (("x-level", "site"), ("X-Frame-Options", "DENY"), ("Cache-Control", "no-store")),
    "request_headers": (("X-Sent", "site"), ("X-From-Site", "1")),
}


def _both(response: tuple[model.Header, ...], request: tuple[model.Header, ...]) -> dict[str, object]:
    return {"response_headers": response, "request_headers": request}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[rendered.Running]:
    folder = tmp_path_factory.mktemp("files")
    for path in (folder, *folder.parents[:-1]):
        with contextlib.suppress(PermissionError):
            path.chmod(path.stat().st_mode | 0o055)
    (folder / "page.html").write_text("page")
    with echo.echo_server("one") as there, header_server.running() as sending:
        down = proxy(f"http://127.0.0.1:{ports.free_port()}", options=catalogue.values(hold_option.OPTION.set(0.0)))
        own = site(
            "own.test",
            route("/", there.url),
            route(
                "/mine/", there.url, response_headers=(("X-Level", "route"),), request_headers=(("x-sent", "route"),)
            ),
            route(
                "/none/",
                there.url,
                response_headers=(("X-Level", ""), ("X-Gate", "")),
                request_headers=(("X-Sent", ""),),
            ),
            route("/sends/", sending),
            route("/old/", model.Redirect(to="/new/")),
            route("/files/", model.Files(folder=str(folder))),
            route("/down/", down),
            security_headers=SecurityHeaders.ON,
            **OF_SITE,
        )
        further = site("further.test", there.url)
        promising = site(
            "promising.test",
            there.url,
            hsts=hsts_option.Hsts(max_age_s=9),
            response_headers=(("Strict-Transport-Security", "max-age=1"), ("X-Gate", "")),
        )
        settings = model.Globals(options=catalogue.values_of(OF_GATE))
        with rendered.running(own, further, promising, settings=settings) as running:
            yield running


def _levels(gate: rendered.Running, url: str) -> tuple[list[str], ...]:
    headers = gate.get(url).headers
    return tuple(headers.get_list(name) for name in ("X-Gate", "X-Level", "X-Frame-Options"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://own.test/", (["gate"], ["site"], ["DENY"])),
        ("https://own.test/mine/", (["gate"], ["route"], ["DENY"])),
        ("https://own.test/none/", ([], [], ["DENY"])),
        ("https://own.test/old/", (["gate"], ["site"], ["DENY"])),
        ("https://own.test/files/page.html", (["gate"], ["site"], ["DENY"])),
        ("https://own.test/files/none", (["gate"], ["site"], ["DENY"])),
        ("https://own.test/down/", (["gate"], ["site"], ["DENY"])),
        ("http://own.test/", (["gate"], ["site"], ["DENY"])),
        ("https://further.test/", (["gate"], ["gate"], [])),
        ("http://unknown.test/", (["gate"], ["gate"], [])),
    ],
)
def test_the_nearest_counts_for_each_answer_once(
    gate: rendered.Running, url: str, expected: tuple[list[str], ...]
) -> None:
    assert _levels(gate, url) == expected


def test_one_of_a_server_is_replaced_and_one_of_files_too(gate: rendered.Running) -> None:
    headers = gate.get("https://own.test/sends/?X-Level=server&Server-Timing=db&X-Other=server").headers
    assert headers.get_list("X-Level") == ["site"]
    assert headers.get_list("X-Other") == ["server"]
    assert "Server-Timing" not in headers
    assert gate.get("https://own.test/files/page.html").headers.get_list("Cache-Control") == ["no-store"]


def test_a_header_of_the_site_counts_before_its_hsts(gate: rendered.Running) -> None:
    headers = gate.get("https://promising.test/").headers
    assert headers.get_list("Strict-Transport-Security") == ["max-age=1"]
    assert headers.get_list("X-Gate") == []


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://own.test/", {"x-sent": "site", "x-from-gate": "GET", "x-from-site": "1"}),
        ("https://own.test/mine/", {"x-sent": "route", "x-from-gate": "GET", "x-from-site": "1"}),
        ("https://own.test/none/", {"x-from-gate": "GET", "x-from-site": "1"}),
        ("https://further.test/", {"x-sent": "gate", "x-from-gate": "GET"}),
    ],
)
def test_servers_are_sent_the_nearest(gate: rendered.Running, url: str, sent: dict[str, str]) -> None:
    seen = gate.said(url, **{"X-Sent": "visitor", "Accept": "text/html"}).headers
    assert {name: value for name, value in seen.items() if name.startswith(("x-sent", "x-from-"))} == sent
    assert "accept" not in seen
    assert seen["x-real-ip"] == "127.0.0.1"


def test_the_files_of_many_sites_have_them(one: echo.EchoServer, tmp_path: pathlib.Path) -> None:
    """Sites that share their blocks, and servers that take parameters."""
    plain = site("shared.test", one.url)
    with rendered.running(plain, settings=model.Globals(options=catalogue.values_of(OF_GATE)), own_blocks=0) as running:
        assert _levels(running, "https://shared.test/")[:2] == (["gate"], ["gate"])
        assert running.said("https://shared.test/").headers["x-sent"] == "gate"
