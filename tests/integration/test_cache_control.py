"""`cache_control`: how long an answer may be kept, as a browser receives it."""

import collections.abc
import contextlib

import httpx
import pytest

from daemun.core import model
from daemun.core.options import cache_control_option, catalogue
from daemun.core.options.cache_control_option import CacheControl, Rule
from tests.support import header_server, rendered
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

A_MONTH = "max-age=2592000"
MIXED = CacheControl(
    rules=(
        Rule(what="*.{txt,min.css}", value="no-store"),
        Rule(what="assets", value=A_MONTH),
        Rule(what="pages", value="no-cache"),
    )
)


def _all(value: str) -> CacheControl:
    return CacheControl(rules=(Rule(what="*", value=value),))


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[rendered.Running]:
    folder = tmp_path_factory.mktemp("files")
    for path in (folder, *folder.parents[:-1]):
        with contextlib.suppress(PermissionError):
            path.chmod(path.stat().st_mode | 0o055)
    for name in ("app.js", "index.html", "notes.txt", "data.bin"):
        (folder / name).write_text(name)
    with header_server.running() as there:
        own = site(
            "own.test",
            route("/", there),
            route("/files/", model.Files(folder=str(folder))),
            route("/day/", there, cache_control=_all("max-age=86400, immutable")),
            route("/none/", there, cache_control=cache_control_option.OFF),
            route("/set/", there, response_headers=(("Cache-Control", "private"),)),
            route("/always/", there, cache_control=CacheControl(rules=MIXED.rules, override=True)),
            cache_control=MIXED,
        )
        further = site("further.test", there)
        settings = model.Globals(options=catalogue.values_of({"cache_control": _all("no-cache")}))
        with rendered.running(own, further, settings=settings) as running:
            yield running


def _kept(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("Cache-Control")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/?Content-Type=text/css", [A_MONTH]),
        ("/x?Content-Type=Text/CSS;charset%3Dutf-8", [A_MONTH]),
        ("/x?Content-Type=image/png", [A_MONTH]),
        ("/x?Content-Type=font/woff2", [A_MONTH]),
        ("/app.min.css?Content-Type=text/css", ["no-store"]),
        ("/notes.txt?Content-Type=text/plain", ["no-store"]),
        ("/x?Content-Type=text/html;charset%3Dutf-8", ["no-cache"]),
        ("/picture.png?Content-Type=application/json", []),
        ("/x?Content-Type=application/json", []),
        ("/x?Content-Type=text/css-like", []),
        ("/app.js", [A_MONTH]),
        ("/missing?Content-Type=text/css", []),
        ("/x?Content-Type=text/css&Cache-Control=private", ["private"]),
        ("/x?Content-Type=text/css&Expires=0", []),
        ("/x?Content-Type=text/css&Set-Cookie=a%3D1", []),
        ("/day/x", ["max-age=86400, immutable"]),
        ("/day/x?Cache-Control=no-store", ["no-store"]),
        ("/none/x?Content-Type=text/css", []),
        ("/set/x?Content-Type=text/css", ["private"]),
        ("/always/x?Content-Type=text/css&Cache-Control=no-store&Set-Cookie=a%3D1", [A_MONTH]),
        ("/always/x?Content-Type=application/json&Cache-Control=no-store", ["no-store"]),
        ("/always/missing?Content-Type=text/css&Cache-Control=no-store", ["no-store"]),
    ],
)
def test_what_a_server_sends(gate: rendered.Running, path: str, expected: list[str]) -> None:
    assert _kept(gate.get(f"https://own.test{path}")) == expected


def test_files(gate: rendered.Running) -> None:
    for name, expected in (("app.js", A_MONTH), ("index.html", "no-cache"), ("notes.txt", "no-store")):
        answer = gate.get(f"https://own.test/files/{name}")
        assert _kept(answer) == [expected]
        again = gate.get(f"https://own.test/files/{name}", If_None_Match=answer.headers["ETag"])
        assert (again.status_code, _kept(again)) == (304, [expected])
    assert _kept(gate.get("https://own.test/files/data.bin")) == ["no-cache"]
    assert _kept(gate.get("https://own.test/files/none.css")) == []


def test_for_the_whole_gate(gate: rendered.Running) -> None:
    assert _kept(gate.get("https://further.test/x")) == ["no-cache"]
    with header_server.running() as there:
        settings = model.Globals(options=catalogue.values_of({"cache_control": MIXED}))
        with rendered.running(site("shared.test", there), settings=settings, own_blocks=0) as running:
            assert _kept(running.get("https://shared.test/?Content-Type=text/css")) == [A_MONTH]


def test_every_set_is_written_as_nginx_takes_it() -> None:
    rules = tuple(Rule(what=name, value="no-cache") for name in (*cache_control_option.SETS, "*.a$b.{c}", "*.{a,b}"))
    settings = model.Globals(options=catalogue.values_of({"cache_control": CacheControl(rules=rules[:-2])}))
    with header_server.running() as there, rendered.running(site("a.test", there), settings=settings) as running:
        assert _kept(running.get("https://a.test/x?Content-Type=video/mp4")) == ["no-cache"]
