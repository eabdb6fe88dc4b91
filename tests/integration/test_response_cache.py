"""`cache`: what the gate answers itself, and what it never does, as visitors receive it."""

import collections.abc
import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import sys

import pytest
from typer import testing

from daemun import errors
from daemun.cli import app, clean_exit, json_answer
from daemun.core import layout as layout_
from daemun.core import model
from daemun.core.options import access_option, cache_option, catalogue, trusted_proxies_option
from daemun.core.options.cache_option import Cache
from daemun.nginx import answers_folder, cache_files, worker_account
from tests.support import counting_server, rendered, until
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx

TEN_MINUTES = Cache(for_s=600.0)
_OLD = {"STALE", "UPDATING"}
_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> collections.abc.Iterator[counting_server.CountingServer]:
    with counting_server.running() as one:
        yield one


@pytest.fixture(scope="module")
def gate(server: counting_server.CountingServer) -> collections.abc.Iterator[rendered.Running]:
    url = server.url
    kept = site(
        "kept.test",
        route("/", url),
        route("/off/", url, cache=cache_option.OFF),
        route("/true/", url, cache=Cache()),
        route("/short/", url, cache=Cache(for_s=1.0, stale_s=86400.0)),
        route("/strict/", url, cache=Cache(for_s=1.0, stale_s=0.0)),
        route("/moved/", f"{url}/there/", cache=TEN_MINUTES),
        route("/cookies/", url, cache=Cache(for_s=600.0, ignore_cookies=("_ga", "_pk_*"))),
        route("/languages/", url, cache=Cache(for_s=600.0, key=("Accept-Language", "X-Shape"))),
        route("~ ^/by/(?<id>[0-9]+)$", f"{url}/id/${{id}}", cache=TEN_MINUTES),
        route("/list/", proxy(url), entry=0, when=_when("a"), cache=TEN_MINUTES),
        route("/list/", proxy(url), entry=1, cache=TEN_MINUTES),
        aliases=("also.test",),
        http=model.HttpMode.SERVE,
        cache=TEN_MINUTES,
    )
    with rendered.running(kept) as running:
        answers_folder.note_room(running.layout, worker_account.choose(None))
        yield running


def _when(value: str) -> object:
    from daemun.core.options import when_option

    return when_option.When(header=(when_option.NamedValue(name="X-Which", patterns=(value,)),))


def _new(path: str = "/") -> str:
    """A URL that was not requested before."""
    return f"https://kept.test{path}{'&' if '?' in path else '?'}n={next(_NUMBERS)}"


def _states(gate: rendered.Running, url: str, times: int = 2, **headers: str) -> list[str]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return [gate.ask("GET", url, headers=sent).headers["X-Cache"] for _ in range(times)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/x?status=200", "HIT"),
        ("/x?status=301&Location=/y", "HIT"),
        ("/x?status=404", "HIT"),
        ("/x?chunked=1&Content-Type=text/html", "HIT"),
        ("/x?Cache-Control=public,%20max-age%3D60", "HIT"),
        ("/x?Cache-Control=s-maxage%3D60", "HIT"),
        ("/true/x?Cache-Control=max-age%3D60", "HIT"),
        ("/true/x?status=302&Location=/y&Cache-Control=max-age%3D60", "HIT"),
        ("/moved/x?a=1", "HIT"),
        ("/by/7", "HIT"),
        ("/true/x?status=200", "MISS"),
        ("/x?Cache-Control=private", "MISS"),
        ("/x?Cache-Control=PRIVATE,%20max-age%3D60", "MISS"),
        ("/x?Cache-Control=no-store", "MISS"),
        ("/x?Cache-Control=no-cache", "MISS"),
        ("/x?Cache-Control=max-age%3D0", "MISS"),
        ("/x?Cache-Control=max-age%3D60&Cache-Control=private", "MISS"),
        ("/x?Expires=Thu,%2001%20Jan%201970%2000:00:01%20GMT", "MISS"),
        ("/x?Set-Cookie=session%3D1", "MISS"),
        ("/x?Set-Cookie=session%3D1&Cache-Control=public,%20max-age%3D60", "MISS"),
        ("/x?Vary=*", "MISS"),
        ("/x?Vary=Accept,%20*", "MISS"),
        ("/x?Vary=*,Accept", "MISS"),
        ("/x?Vary=a|b%20,%20*", "MISS"),
        ("/x?Vary=Accept&Vary=*", "MISS"),
        ("/x?Vary=X-Real-IP", "MISS"),
        ("/x?Vary=Accept,x-forwarded-for", "MISS"),
        ("/x?Vary=CF-Connecting-IP", "MISS"),
        ("/x?Vary=Accept-Encoding,%20Cookie,%20X-Forwarded-Proto", "HIT"),
        ("/x?Cache-Control=max-age%20%3D%200", "MISS"),
        ("/x?Cache-Control=public,%20s-maxage%20%3D0", "MISS"),
        ("/x?Cache-Control=max-age%3D%220%22", "MISS"),
        ("/x?X-Accel-Expires=600&Cache-Control=private", "MISS"),
        ("/x?X-Accel-Expires=600&Cache-Control=no-store", "MISS"),
        ("/x?X-Accel-Buffering=no", "MISS"),
        ("/x?status=302&Location=/y", "MISS"),
        ("/x?status=403&Cache-Control=max-age%3D60", "MISS"),
        ("/x?status=500&Cache-Control=max-age%3D60", "MISS"),
        ("/x?chunked=1&Content-Type=text/event-stream", "MISS"),
        ("/x?chunked=1&Content-Type=video/mp4", "MISS"),
        ("/x?chunked=1", "MISS"),
    ],
)
def test_what_a_server_sends(gate: rendered.Running, path: str, expected: str) -> None:
    url = _new(path)
    assert _states(gate, url) == ["MISS", expected]


def test_what_is_kept_is_the_whole_answer(gate: rendered.Running, server: counting_server.CountingServer) -> None:
    url = _new("/whole?Content-Type=text/css&ETag=%22a%22&X-Own=1&X-Cache=theirs&Content-Encoding=")
    first, second = gate.get(url), gate.get(url)
    assert (second.status_code, second.content, second.headers["X-Own"]) == (200, first.content, "1")
    assert second.headers.get_list("X-Cache") == ["HIT"]
    again = gate.get(url, If_None_Match=second.headers["ETag"])
    assert (again.status_code, again.headers["X-Cache"]) == (304, "HIT")
    short = gate.ask("HEAD", url)
    assert (short.status_code, short.content, short.headers["X-Cache"]) == (200, b"", "HIT")
    assert gate.get(url, http2=True).headers["X-Cache"] == "HIT"
    assert len(server.find(url.removeprefix("https://kept.test"))) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic YTpi"},
        {"Cookie": "session=1"},
        {"Cookie": "_ga=1"},
        {"Range": "bytes=0-0"},
        {"Accept": "text/event-stream"},
        {"Upgrade": "websocket", "Connection": "upgrade"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Middleware-Prefetch": "1"},
        {"X-Api-Key": "owner-secret"},
        {"X-Auth-Token": "owner-secret"},
        {"Private-Token": "owner-secret"},
        {"X-Emby-Authorization": 'MediaBrowser Token="owner-secret"'},
        {"X-Gotify-Key": "owner-secret"},
        {"DPoP": "owner-secret"},
        {"Cookie2": "owner-secret"},
        {"Rsc": "1"},
        {"HX-Request": "true"},
        {"X-Requested-With": "XMLHttpRequest"},
    ],
)
def test_requests_with_answers_of_their_own(
    gate: rendered.Running, server: counting_server.CountingServer, headers: dict[str, str]
) -> None:
    """They are answered by the server, whatever is kept, and nothing of it is kept for others."""
    url = _new("/own")
    target = url.removeprefix("https://kept.test")
    assert gate.ask("GET", url, headers=headers).headers["X-Cache"] == "BYPASS"
    assert _states(gate, url) == ["MISS", "HIT"]
    assert gate.ask("GET", url, headers=headers).headers["X-Cache"] == "BYPASS"
    first, kept, last = server.find(target)
    for name, value in headers.items():
        assert (first.headers[name.lower()], last.headers[name.lower()]) == (value, value)
        if name != "Connection":
            assert kept.headers.get(name.lower()) in {None, "*/*"}


def test_a_server_gets_no_header_of_a_visitor_but_harmless_ones(
    gate: rendered.Running, server: counting_server.CountingServer
) -> None:
    """Whatever names a program has for its keys: what is kept is what a stranger could have got."""
    url = _new("/languages/unknown")
    own = {"X-Program-Pass": "owner-secret", "X-Forwarded-Something": "/evil", "Referer": "https://a.test/?key=1"}
    default = {"Accept": "text/html", "Accept-Language": "ko", "User-Agent": "Browser/1", "X-Shape": "a"}
    assert gate.ask("GET", url, headers=own | default).headers["X-Cache"] == "MISS"
    assert gate.ask("GET", url, headers=default).headers["X-Cache"] == "HIT"
    (received,) = server.find(url.removeprefix("https://kept.test"))
    assert not {name.lower() for name in own} & received.headers.keys()
    assert {name: received.headers.get(name.lower()) for name in default} == default
    # Outside the cache nothing is withheld.
    last = _new("/off/unknown")
    assert gate.ask("GET", last, headers=own).status_code == 200
    (received,) = server.find(last.removeprefix("https://kept.test"))
    assert received.headers["x-program-pass"] == "owner-secret"


def test_methods_and_bodies(gate: rendered.Running, server: counting_server.CountingServer) -> None:
    url = _new("/form")
    for method in ("POST", "OPTIONS"):
        assert gate.ask(method, url, body=b"a=1").headers["X-Cache"] == "BYPASS"
    # A GET with a body, of which the key knows nothing.
    assert gate.ask("GET", url, body=b"a=1").headers["X-Cache"] == "BYPASS"
    assert _states(gate, url) == ["MISS", "HIT"]
    assert [one.body for one in server.find(url.removeprefix("https://kept.test"))] == [b"a=1"] * 3 + [b""]
    chunked = (
        f"GET {_new('/c')[17:]} HTTP/1.1\nHost: kept.test\nTransfer-Encoding: chunked\nConnection: close\n\n1\na\n0\n\n"
    )
    assert b"X-Cache: BYPASS" in gate.raw(chunked, name="kept.test", tls=True)


def test_two_users_never_see_each_others_page(gate: rendered.Running, server: counting_server.CountingServer) -> None:
    for path in ("/page", "/page?Cache-Control=public,%20max-age%3D60", "/cookies/page", "/languages/page"):
        url = _new(path)
        for visitor, expected in (
            ("session=alice", "session=alice"),
            ("session=bob", "session=bob"),
            ("", "-"),
            ("session=alice", "session=alice"),
            ("_ga=1; session=bob", "_ga=1; session=bob"),
            ("", "-"),
        ):
            answer = gate.ask("GET", url, headers={"Cookie": visitor} if visitor else {})
            assert answer.text.partition(" ")[2] == expected
        assert gate.get(url).headers["X-Cache"] == "HIT"
    # The server got no cookie for what is kept, not even one that does not count.
    url = _new("/cookies/other")
    assert _states(gate, url, Cookie="_ga=GA1.2.3; _pk_id.1=a.b") == ["MISS", "HIT"]
    (received,) = server.find(url.removeprefix("https://kept.test"))
    assert "cookie" not in received.headers
    for cookie in ("_gax=1", "_ga=1; x", "_ga=1;x=2", "x=_ga=1", "_ga", "=_ga=1; y=2"):
        assert gate.get(url, Cookie=cookie).headers["X-Cache"] == "BYPASS", cookie


def test_what_the_key_has(gate: rendered.Running, server: counting_server.CountingServer) -> None:
    url = _new("/key")
    assert _states(gate, url) == ["MISS", "HIT"]
    others = (
        gate.get(url.replace("kept.test", "also.test")),
        gate.get(url.replace("https://", "http://")),
        gate.get(f"{url}&more=1"),
        gate.get(url.replace("/key", "/%6bey")),
        gate.get(url, Origin="https://other.test"),
        gate.get(url, Host="kept.test:8443"),
    )
    assert [one.headers["X-Cache"] for one in others] == ["MISS"] * 6
    # What strangers write of themselves changes neither the key nor what the server gets.
    forged = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http", "X-Original-URL": "/evil", "X-Host": "evil"}
    assert gate.ask("GET", url, headers=forged).headers["X-Cache"] == "HIT"
    first = _new("/first")
    assert gate.ask("GET", first, headers=forged).headers["X-Cache"] == "MISS"
    (received,) = server.find(first.removeprefix("https://kept.test"))
    assert not {"x-original-url", "x-host"} & received.headers.keys()
    assert (received.headers["x-forwarded-host"].partition(":")[0], received.headers["x-forwarded-proto"]) == (
        "kept.test",
        "https",
    )


def test_headers_in_the_key(gate: rendered.Running) -> None:
    url = _new("/languages/")
    assert _states(gate, url, Accept_Language="ko") == ["MISS", "HIT"]
    assert _states(gate, url, Accept_Language="en") == ["MISS", "HIT"]
    assert gate.get(url, Accept_Language="ko", X_Shape="a").headers["X-Cache"] == "MISS"
    # No two headers can be written as two others.
    assert gate.get(url, Accept_Language="ko|", X_Shape="").headers["X-Cache"] == "BYPASS"
    varied = _new("/v?Vary=Accept-Language")
    assert _states(gate, varied, Accept_Language="ko") == ["MISS", "HIT"]
    assert _states(gate, varied, Accept_Language="en") == ["MISS", "HIT"]
    assert gate.get(varied, Accept_Language="ko").headers["X-Cache"] == "HIT"


def test_routes_of_a_list_have_answers_of_their_own(gate: rendered.Running) -> None:
    url = _new("/list/")
    assert _states(gate, url, X_Which="a") == ["MISS", "HIT"]
    assert _states(gate, url) == ["MISS", "HIT"]


def test_a_route_without(gate: rendered.Running) -> None:
    assert "X-Cache" not in gate.get(_new("/off/")).headers


def test_one_request_fills(gate: rendered.Running, server: counting_server.CountingServer) -> None:
    url = _new("/slow?wait=1")
    target = url.removeprefix("https://kept.test")
    server.go_on.clear()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(gate.get, url) for _ in range(8)]
        until.true(lambda: bool(server.find(target)))
        server.go_on.set()
        found = {one.result().text for one in answers}
    assert (len(found), len(server.find(target))) == (1, 1)


def _is_over(gate: rendered.Running, url: str) -> None:
    """Until what is kept is not fresh any more."""
    until.true(lambda: gate.get(url).headers["X-Cache"] not in {"HIT", "MISS"})


def test_stale_while_the_server_is_down_or_fails(
    gate: rendered.Running, server: counting_server.CountingServer
) -> None:
    url, strict = _new("/short/page"), _new("/strict/page")
    kept = gate.get(url).text
    assert gate.get(strict).status_code == 200
    try:
        server.is_down = True
        _is_over(gate, url)
        answer = gate.get(url)
        assert (answer.status_code, answer.headers["X-Cache"] in _OLD, answer.text) == (200, True, kept)
        server.is_down, server.status = False, 503
        answer = gate.get(url)
        assert (answer.status_code, answer.headers["X-Cache"] in _OLD, answer.text) == (200, True, kept)
        until.true(lambda: gate.get(strict).status_code == 503)
        # A visitor with a cookie sees what the server says.
        assert gate.get(url, Cookie="a=1").status_code == 503
    finally:
        server.is_down, server.status = False, None
    until.true(lambda: gate.get(url).text != kept)


def test_an_old_answer_is_given_at_once_and_fetched_anew_behind(
    gate: rendered.Running, server: counting_server.CountingServer
) -> None:
    url = _new("/short/behind")
    kept = gate.get(url).text
    seen: list[tuple[str, str]] = []

    def look() -> bool:
        answer = gate.get(url)
        seen.append((answer.headers["X-Cache"], answer.text))
        return answer.text != kept

    until.true(look)
    assert _OLD & {state for state, _ in seen}
    assert {text for state, text in seen if state in _OLD | {"HIT"}} >= {kept}
    assert not {"EXPIRED", "REVALIDATED"} & {state for state, _ in seen}, "nobody waited for the server"


def test_a_servers_own_limit_for_old_answers_holds_where_stale_is_off(
    gate: rendered.Running, server: counting_server.CountingServer
) -> None:
    """RFC 5861 section 4: nginx has no limit of its own."""
    long = _new("/strict/x?Cache-Control=max-age%3D1,%20stale-if-error%3D86400")
    short = _new("/strict/x?Cache-Control=max-age%3D1,%20stale-if-error%3D1")
    kept = gate.get(long).text
    assert gate.get(short).status_code == 200
    try:
        server.is_down = True
        until.true(lambda: gate.get(short).status_code >= 500)
        answer = gate.get(long)
        assert (answer.status_code, answer.headers["X-Cache"], answer.text) == (200, "STALE", kept)
    finally:
        server.is_down = False


def test_files_are_for_the_workers_alone(gate: rendered.Running) -> None:
    assert _states(gate, _new("/file")) == ["MISS", "HIT"]
    folder = pathlib.Path(gate.layout.answers)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [one for one in folder.rglob("*") if one.is_file()]
    assert files
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}


def test_nothing_new_is_kept_on_a_full_disk(gate: rendered.Running) -> None:
    """What nginx cannot write it does not send either."""
    kept, new = _new("/room"), _new("/room")
    assert _states(gate, kept) == ["MISS", "HIT"]
    room = pathlib.Path(gate.layout.answers_room)
    room.unlink()
    try:
        assert _states(gate, new) == ["MISS", "MISS"]
        assert _states(gate, kept) == ["HIT", "HIT"]
    finally:
        answers_folder.note_room(gate.layout, worker_account.choose(None))
    assert _states(gate, new) == ["MISS", "HIT"]


def test_a_folder_that_is_gone_cuts_no_answer(gate: rendered.Running) -> None:
    account = worker_account.choose(None)
    current = pathlib.Path(gate.layout.current)
    current.symlink_to("gen/1")
    url, new = _new("/gone"), _new("/gone")
    try:
        assert _states(gate, url) == ["MISS", "HIT"]
        shutil.rmtree(gate.layout.answers)
        answers_folder.note_room(gate.layout, account)
        assert _states(gate, url) == _states(gate, new) == ["MISS", "MISS"]
    finally:
        answers_folder.prepare(gate.layout, account)
        current.unlink()
    assert _states(gate, url) == _states(gate, new) == ["MISS", "HIT"]


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another account")
def test_what_workers_of_another_account_kept_is_fetched_anew(gate: rendered.Running) -> None:
    url = _new("/another")
    assert _states(gate, url) == ["MISS", "HIT"]
    for folder in pathlib.Path(gate.layout.answers).iterdir():
        os.chown(folder, 0, 0)
    assert gate.get(url).status_code == 500
    answers_folder.prepare(gate.layout, worker_account.choose(None))
    assert _states(gate, url) == ["MISS", "HIT"]


def test_sites_are_served_where_the_folder_cannot_be(server: counting_server.CountingServer) -> None:
    kept = site("kept.test", route("/", server.url), cache=TEN_MINUTES)

    def link(layout: layout_.Layout, desired: model.Desired) -> bytes:
        pathlib.Path(layout.answers).symlink_to("missing")
        return rendered.certify_all(layout, desired)

    with rendered.running(kept, certify=link, keeps_answers=False) as gate:
        url = _new("/away")
        assert [gate.get(url).status_code for _ in range(2)] == [200, 200]
    assert len(server.find(url.removeprefix("https://kept.test"))) == 2


# --- purged ----------------------------------------------------------------------------------------------------


@pytest.fixture
def purge(
    gate: rendered.Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> collections.abc.Iterator[collections.abc.Callable[..., int]]:
    """The command line, on the files of this gate. Its value: how many were forgotten."""

    def run(*words: str) -> int:
        words = ("cache", "purge", *words, "--json")
        monkeypatch.setenv("DAEMUN_STATE", gate.layout.state)
        monkeypatch.setattr(sys, "argv", ["daemun", *words])
        monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
        with pytest.raises(SystemExit) as end:
            clean_exit.end_well(lambda: app.app(list(words), prog_name="daemun"))
        found = json.loads(capsys.readouterr().out)
        assert not end.value.code, found
        count: int = found["purged"]
        return count

    yield run
    json_answer.begin()


def test_purge_of_a_path_a_prefix_and_a_site(gate: rendered.Running, purge: collections.abc.Callable[..., int]) -> None:
    one, another, below, above = _new("/blog/one"), _new("/blog/one"), _new("/blog/x/y"), _new("/blogs")
    alias = one.replace("kept.test", "also.test")
    spelt = one.replace("/blog/one", "/blog/%6fne")
    every = (one, another, below, above, alias, spelt)

    def states() -> list[str]:
        return [gate.get(url).headers["X-Cache"] for url in every]

    assert states() == ["MISS"] * 6
    assert states() == ["HIT"] * 6
    assert purge("kept.test", "/blog/one") == 4
    assert states() == ["MISS", "MISS", "HIT", "HIT", "MISS", "MISS"]
    assert purge("also.test", "/blog/one") == 1
    assert states() == ["HIT", "HIT", "HIT", "HIT", "MISS", "HIT"]
    assert purge("kept.test", f"/blog/one?{one.partition('?')[2]}") == 3
    assert states() == ["MISS", "HIT", "HIT", "HIT", "MISS", "MISS"]
    assert purge("kept.test", "/blog/*") == 5
    assert states() == ["MISS", "MISS", "MISS", "HIT", "MISS", "MISS"]
    assert purge("other.test") == 0
    assert states() == ["HIT"] * 6
    assert purge("kept.test") >= 6
    assert states() == ["MISS"] * 6
    assert states() == ["HIT"] * 6


def test_purge_of_a_url(gate: rendered.Running, purge: collections.abc.Callable[..., int]) -> None:
    for words in (
        ("https://Kept.Test:23443/url",),
        ("KEPT.test/url",),
        ("kept.test.:8443", "/url"),
        ("http://kept.test/url#part",),
        ("kept.test/ur*",),
    ):
        url = _new("/url")
        assert _states(gate, url) == ["MISS", "HIT"]
        assert purge(*words) == 1, words
        assert gate.get(url).headers["X-Cache"] == "MISS"
        assert purge("kept.test/url") == 1


def test_purge_of_what_is_no_site(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "daemun.yaml"
    file.write_text("sites: {blog.test: {routes: {/: 'http://127.0.0.1:1'}}, '*.wide.test': 'http://127.0.0.1:1'}\n")
    state = tmp_path / "state"

    def run(*words: str) -> tuple[int, str]:
        given = ["-c", str(file), "--state", str(state), "cache", "purge", *words]
        result = testing.CliRunner().invoke(app.app, given)
        text = str(result.exception) if isinstance(result.exception, errors.DaemunError) else result.output
        return result.exit_code, text

    code, text = run("blog.test")
    assert code == 1
    assert f"there is no state directory {state}" in text
    state.mkdir(0o700)
    assert run("blog.test") == (0, "nothing is kept of blog.test\n")
    assert run("Blog.test/page?a=*") == (0, "nothing is kept of blog.test/page?a=*\n")
    assert run("any.wide.test")[0] == run("*.wide.test")[0] == 0
    for words, expected in (
        (("blgo.test",), 'there is no site "blgo.test"; did you mean "blog.test"?'),
        (("other.example",), '"other.example"; `daemun status` lists the sites'),
        (("*",), "expected a site"),
        (("/blog/*",), "expected a site"),
        (("https:///x",), "expected a site"),
        (("blog.test/a", "/b"), "both have a path"),
        (("blog.test", "blog"), "begins with a slash"),
        (("blog.test", "/*/../*"), "at the end alone"),
        (("blog.test", "/*/x"), "write %2A"),
        (("blog.test", "/blog/*?a"), "at the end alone"),
        (("blog.test", "/blog/..*"), "no segment . or .."),
        (("blog.test", "/blog/%2e%2E/*"), "no segment . or .."),
    ):
        code, text = run(*words)
        assert code == 1, words
        assert expected in text, words


def test_what_was_purged_is_not_given_while_the_server_is_down(
    gate: rendered.Running, server: counting_server.CountingServer, purge: collections.abc.Callable[..., int]
) -> None:
    url = _new("/short/purged")
    assert gate.get(url).status_code == 200
    assert purge("kept.test", "/short/purged") == 1
    try:
        server.status = 503
        assert gate.get(url).status_code == 503
    finally:
        server.status = None


def test_an_answer_on_its_way_is_not_cut_by_a_purge(
    gate: rendered.Running, purge: collections.abc.Callable[..., int]
) -> None:
    size = 8 << 20
    url = _new(f"/large?size={size}")
    assert _states(gate, url) == ["MISS", "HIT"]
    with socket.create_connection(("127.0.0.1", gate.http), timeout=60) as connection:
        target = url.removeprefix("https://kept.test")
        plain = f"http://kept.test{target}"
        assert [gate.get(plain).headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: kept.test\r\nConnection: close\r\n\r\n".encode())
        received = len(connection.recv(1024))
        assert purge("kept.test")
        while part := connection.recv(1 << 20):
            received += len(part)
    assert received > size
    assert gate.get(url).headers["X-Cache"] == "MISS"


def test_nothing_is_followed_out_of_the_folder(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "cache"
    (folder / "a").mkdir(parents=True)
    content = b"\x05".ljust(336, b"\0") + b"\nKEY: s r https kept.test 443 kept.test/x \nHTTP/1.1 200 OK\r\n"
    kept, outside, shared = folder / "a" / "kept", tmp_path / "outside", tmp_path / "shared"
    for path in (kept, outside, shared):
        path.write_bytes(content)
    (folder / "link").symlink_to(outside)
    (folder / "hard").hardlink_to(shared)
    (folder / "away").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (folder / "short").write_bytes(content[:100])
    (folder / "other").write_bytes(b"\x05".ljust(336, b"\0") + b"\nKEY: judge\n")
    for expected in (1, 0):
        assert cache_files.purge(str(folder), lambda one: one.host == "kept.test") == expected
    assert kept.read_bytes() == bytes(8) + content[8:]
    assert outside.read_bytes() == shared.read_bytes() == content


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("s r https a.test 443 a.test/x?y=1 ", ("a.test", "/x", "y=1")),
        ("s r https a.test 443 [::1]:8443/%2e%2e//x/ https://o.test", ("[::1]", "/x/", "")),
        ("s r http a.test 80 A.test:80/ |ko", ("a.test", "/", "")),
        ("s r http", None),
    ],
)
def test_keys(key: str, expected: tuple[str, str, str] | None) -> None:
    found = cache_files.parse_key(key)
    assert (None if found is None else (found.host, found.path, found.query)) == expected


# --- behind access ---------------------------------------------------------------------------------------------


def test_what_addresses_guard_is_looked_at_before_what_is_kept(server: counting_server.CountingServer) -> None:
    private = catalogue.values(access_option.OPTION.set(access_option.Access(allow=("private",))))
    guarded = site(
        "kept.test",
        route("/", server.url),
        route("/inner/", server.url, options=private),
        cache=TEN_MINUTES,
    )
    settings = model.Globals(options=catalogue.values(trusted_proxies_option.OPTION.set(("127.0.0.1",))))

    def fetch(gate: rendered.Running, path: str, address: str, **more: str) -> str:
        """The state of the cache in the answer, or its status."""
        headers = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in more.items())
        request = f"GET {path} HTTP/1.1\nHost: kept.test\nX-Forwarded-For: {address}\nConnection: close\n{headers}\n"
        answer = gate.raw(request, name="kept.test", tls=True).decode()
        state = re.search(r"^X-Cache: (\w+)", answer, re.MULTILINE)
        return state[1] if state is not None and answer.startswith("HTTP/1.1 200 ") else answer.split(" ", 2)[1]

    with rendered.running(guarded, settings=settings) as gate:
        answers_folder.note_room(gate.layout, worker_account.choose(None))
        for path in ("/inner/page", "/x/../inner/page", "/%69nner/page", "//inner/page", "/inner/page?a"):
            for address, expected in (("10.0.0.1", "MISS"), ("10.0.0.1", "HIT"), ("203.0.113.7", "403")):
                assert fetch(gate, path, address) == expected, path
        # What a trusted proxy says of where a request was sent is part of the key.
        assert fetch(gate, "/p", "203.0.113.7", X_Forwarded_Host="a.test") == "MISS"
        assert [fetch(gate, "/p", "203.0.113.7") for _ in range(2)] == ["MISS", "HIT"]
        # Servers may trust visitors from private networks.
        for address in ("10.0.0.1", "100.64.0.1", "fd00::1"):
            assert [fetch(gate, f"/{address}", address) for _ in range(2)] == ["MISS", "HIT"]
            assert fetch(gate, f"/{address}", "203.0.113.7, 203.0.113.8") == "MISS"
            assert fetch(gate, f"/{address}", "198.51.100.7") == "HIT"
        assert {one.headers["x-forwarded-for"] for one in server.find("/fd00::1")} == {"fd00::1", "203.0.113.8"}
        assert fetch(gate, "/named", "203.0.113.7", CF_Connecting_IP="10.0.0.1") == "MISS"
        (received,) = server.find("/named")
        assert "cf-connecting-ip" not in received.headers
        # Whom it names has answers of their own.
        assert fetch(gate, "/p", "203.0.113.7", Remote_User="alice") == "BYPASS"
        assert fetch(gate, "/p", "203.0.113.7", X_Forwarded_Prefix="/x") == "BYPASS"
        assert fetch(gate, "/p", "203.0.113.7", CF_Connecting_IP="203.0.113.7") == "HIT"
