"""Where redirects lead that take along the rest of a path and the query, byte for byte, and to no other host."""

import collections.abc

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.core.options import access_option, catalogue, keep_option, status_option
from tests.support import rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

PATH, QUERY, URI = keep_option.Keep.PATH, keep_option.Keep.QUERY, keep_option.Keep.URI


@pytest.fixture(scope="module")
def gate() -> collections.abc.Iterator[rendered.Running]:
    routes = (
        route("/uri/", model.Redirect(to="https://new.test/"), keep=URI, status=308),
        route("/path/", model.Redirect(to="https://new.test/base"), keep=PATH),
        route("/query/", model.Redirect(to="https://new.test/base"), keep=QUERY),
        route("/bare", model.Redirect(to="/there"), keep=URI),
        route("/host", model.Redirect(to="https://new.test"), keep=URI),
        route("/local/", model.Redirect(to="/"), keep=PATH),
        route("/가 나/", model.Redirect(to="/b$-/"), keep=PATH),
    )
    whole = site("whole.test", route("/", model.Redirect(to="https://new.test"), keep=URI))
    guarded = site(
        "guarded.test",
        *routes,
        options=catalogue.values(access_option.OPTION.set(access_option.Access(allow=("127.0.0.1",)))),
    )
    shut = site(
        "shut.test",
        *routes,
        options=catalogue.values(access_option.OPTION.set(access_option.Access(allow=("192.0.2.1",)))),
    )
    with rendered.running(site("open.test", *routes), whole, guarded, shut) as nginx:
        yield nginx


def location(gate: rendered.Running, path: str, host: str = "open.test") -> str:
    answer = gate.raw(f"GET {path} HTTP/1.1\nHost: {host}\nConnection: close\n\n", name=host, tls=True)
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    found = [line for line in head.split("\r\n") if line.lower().startswith("location: ")]
    assert len(found) == 1, head
    return found[0].partition(": ")[2]


@pytest.mark.parametrize("host", ["open.test", "guarded.test"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("/uri/", "https://new.test/"),
        ("/uri/a%20b/c%2Fd?x=1&y=%20", "https://new.test/a%20b/c%2Fd?x=1&y=%20"),
        ("/uri/%EA%B0%80", "https://new.test/%EA%B0%80"),
        ("/%75ri/x?y", "https://new.test/x?y"),
        ("/uri//evil.test/x", "https://new.test/evil.test/x"),
        ("/uri/a/../b?q", "https://new.test/b?q"),
        ("/path/x?y=1", "https://new.test/base/x"),
        ("/query/x?y=1", "https://new.test/base?y=1"),
        ("/query/", "https://new.test/base"),
        ("/bare", "/there"),
        ("/bare?x", "/there?x"),
        ("/bare/x?y", "/there/x?y"),
        ("/barely", "/therely"),
        ("/host", "https://new.test"),
        ("/host/x", "https://new.test/x"),
        ("/host.evil.test/", "https://new.test/.evil.test/"),
        ("/host@evil.test/", "https://new.test/@evil.test/"),
        ("/local//evil.test", "/evil.test"),
        ("/local/\\evil.test", "/evil.test"),
        ("/local///%2fevil.test", "/%2fevil.test"),
        ("/%EA%B0%80%20%EB%82%98/x%3F", "/b$-/x%3F"),
    ],
)
def test_what_is_kept(gate: rendered.Running, asked: str, expected: str, host: str) -> None:
    if host == "guarded.test" and "\\" in asked:
        return  # refused before
    assert location(gate, asked, host) == expected


def test_a_whole_site_and_its_status(gate: rendered.Running) -> None:
    assert location(gate, "/a%2fb//c?x", "whole.test") == "https://new.test/a%2fb//c?x"
    assert gate.ask("POST", "https://open.test/uri/x").status_code == 308
    assert status_option.OPTION.default == gate.get("https://open.test/path/x").status_code


def test_nobody_is_led_anywhere_who_is_not_let_in(gate: rendered.Running) -> None:
    answer = gate.get("https://shut.test/uri/x")
    assert answer.status_code == 403
    assert "Location" not in answer.headers


PIECES = strategies.sampled_from(
    ["/", "//", "\\", "evil.test", "@", ":", ".", "..", "%2f", "%5c", "%0d%0a", "%00", ";", "x", "%20", "%25", "?", "&"]
)


@hypothesis.given(
    strategies.sampled_from(["/local", "/local/", "/host", "/uri/"]), strategies.lists(PIECES, max_size=6)
)
@hypothesis.settings(max_examples=150, deadline=None)
def test_no_request_leads_to_another_host(gate: rendered.Running, prefix: str, pieces: list[str]) -> None:
    asked = prefix + "".join(pieces)
    answer = gate.raw(f"GET {asked} HTTP/1.1\nHost: open.test\nConnection: close\n\n", name="open.test", tls=True)
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    for line in head:
        name, _, value = line.partition(": ")
        if name.lower() == "location":
            here = value.startswith("/") and not value.startswith(("//", "/\\"))
            assert here or value == "https://new.test" or value.startswith(("https://new.test/", "https://new.test?"))
