"""Which route a request finds, and that a route of any kind of path is a whole one."""

import collections.abc
import contextlib
import http.client
import os
import random

import pytest

from daemun.core import layout, model
from daemun.core.options import (
    access_option,
    keep_option,
    respond_form,
    rewrite_option,
    robots_option,
    spa_option,
    when_option,
)
from daemun.core.render import render_tree
from daemun.errors import RenderError
from daemun.sources import yaml_file
from tests.support import echo, rendered, route_rule
from tests.support.sites import route, site

pytestmark = pytest.mark.nginx

IS_DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
TREES, REQUESTS = (500, 20) if IS_DEEP else (40, 10)
PER_GATE = 100


def answered(gate: rendered.Running, requests: collections.abc.Iterable[tuple[str, str]]) -> list[tuple[int, str]]:
    """Status and body of requests over one connection, as they are written. requests: host and path of each."""
    found = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", gate.http, timeout=20)) as connection:
        for host, path in requests:
            connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            found.append((answer.status, answer.read().decode()))
    return found


def _routes(path: str, *, is_list: bool) -> list[model.Route]:
    """Of one path; as a list, the last of which is taken."""
    if not is_list:
        return [route(path, model.Respond(body=path))]
    other = when_option.When(method=("DELETE",))
    return [
        route(path, model.Respond(body="another"), entry=0, when=other),
        route(path, model.Respond(body=path), entry=1),
    ]


@pytest.mark.walk
@pytest.mark.parametrize("number", range(-(-TREES // PER_GATE)))
def test_every_request_finds_the_route_of_the_rule(number: int) -> None:
    chance = random.Random(f"{number} of route paths")
    # Every fourth has so many expressions that they stand in groups, and every third has lists of routes.
    trees = [route_rule.make_tree(chance, 30 if index % 4 == 0 else None) for index in range(min(TREES, PER_GATE))]
    sites = [
        site(
            f"tree{index}.test",
            *(one for path in tree.paths for one in _routes(path, is_list=index % 3 == 0 and chance.random() < 0.4)),
            http=model.HttpMode.SERVE,
        )
        for index, tree in enumerate(trees)
    ]
    requests = [
        (index, route_rule.make_request(chance, tree)) for index, tree in enumerate(trees) for _ in range(REQUESTS)
    ]
    with rendered.running(*sites) as gate:
        answers = answered(gate, ((f"tree{index}.test", path) for index, path in requests))
    for (index, path), (status, body) in zip(requests, answers, strict=True):
        expected = route_rule.find_route(trees[index], path)
        assert (status, body if status == 200 else None) == (200 if expected else 404, expected), (trees[index], path)


# --- each kind -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gate(
    one: echo.EchoServer, two: echo.EchoServer, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[rendered.Running]:
    folder = tmp_path_factory.mktemp("files")
    for name in ("logo.svg", "exact.txt", ".hidden.svg", "deep/x.pdf"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    for part in (folder, *folder.rglob("*"), *folder.parents):
        if part.owner() == folder.owner():
            part.chmod(part.stat().st_mode | 0o055)
    files = model.Files(folder=str(folder))
    here, nobody = access_option.Access(allow=("127.0.0.1",)), access_option.Access(allow=("192.0.2.1",))
    rewrite = rewrite_option.Rewrite(match="^/re/(?<what>.*)$", to="/${what}")
    routes = (
        route("/", one.url),
        route("/admin/", one.url, access=nobody),
        route("= /exact", f"{two.url}/replaced"),
        route("= /exact.txt", files),
        route("= /gone", model.Redirect(to="https://new.test/"), keep=keep_option.Keep.QUERY),
        route("= /shut", one.url, access=nobody),
        route("*.svg", files),
        route("*.{css,js}", two.url, access=here, response_headers=(("X-Own", "1"),)),
        route("*.key", respond_form.DENIAL),
        route("*.pem", one.url, access=nobody),
        route("~ ^/user/(?<id>[0-9]+)(?<rest>/.*)?$", f"{two.url}/by-id/${{id}}${{rest}}"),
        route("~* ^/old/(?<rest>.*)$", model.Redirect(to="/${rest}", options=()), keep=keep_option.Keep.QUERY),
        route("~ ^/d/(?:(?<lang>en|de)/)?(?<rest>.*)$", model.Redirect(to="/${lang}/${rest}")),
        route("~ ^/ee(?<a>x|.*)$", model.Redirect(to="/${a}")),
        route("~ ^/there/(?<a>[^/]+)/(?<b>.+)$", model.Redirect(to="https://new.test/${b}/$host/${a}")),
        route("~ ^/re/", two.url, rewrite=rewrite),
        route(r"~ \.pdf$", files),
        route("~ ^/shut/", one.url, access=nobody),
    )
    with rendered.running(
        site("kinds.test", *routes), site("slash.test", route("/a/", one.url), route("= /a", two.url))
    ) as nginx:
        yield nginx


@pytest.mark.parametrize(
    ("asked", "server", "received"),
    [
        ("/exact", "two", "/replaced"),
        ("/exact?x=%20", "two", "/replaced?x=%20"),
        ("/exact/", "one", "/exact/"),
        ("/exactly", "one", "/exactly"),
        ("/%65xact", "two", "/replaced"),
        ("/x.js", "two", "/x.js"),
        ("/a%2Fb/x.CSS?y", "two", "/a%2Fb/x.CSS?y"),
        ("/x.js.map", "one", "/x.js.map"),
        ("/js", "one", "/js"),
        ("/admin/x.js", "two", "/admin/x.js"),
        ("/user/7", "two", "/by-id/7"),
        ("/user/7/a%20b?c=%2F", "two", "/by-id/7/a%20b?c=%2F"),
        ("/user/x", "one", "/user/x"),
        ("/re/a%0db", "two", "/a%0Db"),
    ],
)
@pytest.mark.parametrize("kind", ["ordinary", "with a body", "a WebSocket"])
def test_where_a_request_goes(gate: rendered.Running, asked: str, server: str, received: str, kind: str) -> None:
    more = {"ordinary": "", "with a body": "Content-Length: 1\n", "a WebSocket": "Upgrade: websocket\n"}[kind]
    method, body = ("POST", "x") if kind == "with a body" else ("GET", "")
    request = f"{method} {asked} HTTP/1.1\nHost: kinds.test\nConnection: close\n{more}\n{body}"
    text = gate.raw(request, name="kinds.test", tls=True).partition(b"\r\n\r\n")[2]
    said = echo.Said.parse(text[text.index(b"{") : text.rindex(b"}") + 1])
    assert (said.server, said.path) == (server, received)


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("/logo.svg", 200, "logo.svg"),
        ("/exact.txt", 200, "exact.txt"),
        ("/deep/x.pdf", 200, "deep/x.pdf"),
        ("/none.svg", 404, None),
        ("/.hidden.svg", 404, None),
        ("/admin/", 403, None),
        ("/admin/x.key", 403, None),
        ("/x.key", 403, None),
        ("/x.key%0a", 400, None),
        ("/x.pem", 403, None),
        ("/shut", 403, None),
        ("/shut/x%0ay", 403, None),
        ("/shut/../shut/x", 403, None),
        ("/shut//x", 403, None),
    ],
)
def test_what_a_visitor_gets(gate: rendered.Running, asked: str, status: int, body: str | None) -> None:
    answer = gate.get(f"https://kinds.test{asked}")
    assert answer.status_code == status
    assert body is None or answer.text == body


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/gone?x=1", "https://new.test/?x=1"),
        ("/old/a%20b/c?d", "/a%20b/c?d"),
        ("/OLD/%EA%B0%80", "/%EA%B0%80"),
        ("/old/", "/"),
        ("/d/en/x", "/en/x"),
        ("/eex", "/x"),
        ("/there/x/y%3Fz", "https://new.test/y%3Fz/kinds.test/x"),
    ],
)
def test_where_a_redirect_leads(gate: rendered.Running, asked: str, location: str) -> None:
    answer = gate.get(f"https://kinds.test{asked}")
    assert (answer.status_code, answer.headers["Location"]) == (301, location)


@pytest.mark.parametrize(
    "rest", ["/evil.test", "\\evil.test", "%2fevil.test", "%5cevil.test", "//evil.test", "%0d%0aX:1"]
)
@pytest.mark.parametrize("before", ["/old/", "/d/", "/d/en/", "/ee", "/ee/"])
def test_no_group_leads_to_another_host(gate: rendered.Running, before: str, rest: str) -> None:
    answer = gate.raw(
        f"GET {before}{rest} HTTP/1.1\nHost: kinds.test\nConnection: close\n\n", name="kinds.test", tls=True
    )
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    places = [line.partition(": ")[2] for line in head if line.lower().startswith("location:")]
    assert not any(place.startswith(("//", "/\\")) for place in places)
    assert "X: 1" not in head
    assert "X:1" not in head


def test_search_engines_are_told_which_paths_are_theirs(one: echo.EchoServer) -> None:
    """RFC 9309 section 2.2.3 has words for a beginning and an end."""
    theirs = {"robots": robots_option.Robots.ALL}
    routes = (
        route("/", one.url),
        route("/open/", one.url, **theirs),
        route("= /a b", one.url, **theirs),
        route("*.{css,js}", one.url, **theirs),
        route("~ ^/x", one.url, **theirs),
    )
    own = site("own.test", route("/", one.url), route("*.txt", one.url), robots=robots_option.Robots.NONE)
    with rendered.running(site("theirs.test", *routes, robots=robots_option.Robots.NONE), own) as nginx:
        assert nginx.get("https://theirs.test/robots.txt").text.splitlines() == [
            "User-agent: *",
            "Disallow: /",
            "Allow: /open/",
            "Allow: /a%20b$",
            "Allow: /*.css$",
            "Allow: /*.js$",
        ]
        assert nginx.said("https://own.test/robots.txt").path == "/robots.txt"


def test_an_exact_path_beside_its_folder(gate: rendered.Running) -> None:
    assert gate.said("https://slash.test/a").server == "two"
    assert gate.said("https://slash.test/a/").server == "one"


# --- as they are written -----------------------------------------------------------------------------------------


def parse(routes: str) -> model.Snapshot:
    return yaml_file.parse(f"sites: {{a.test: {{{routes}}}}}\n", file_name="daemun.yaml", base_dir="/srv")


def test_the_order_of_the_file_is_kept_where_it_counts() -> None:
    snapshot = parse(
        "'*.js': 'http://a', /z: 'http://b', '~ ^/x': 'http://c', '*.{css, a}': 'http://d', '=/y': 'http://e', /b/*: 'http://f'"
    )
    assert not snapshot.problems
    paths = [one.path for one in snapshot.sites[0].routes]
    assert paths == ["/b/", "/z", "= /y", "*.js", "~ ^/x", "*.{css,a}"]


@pytest.mark.parametrize(
    ("routes", "cause"),
    [
        ("'*.js/': 'http://a'", 'is no suffix; expected a form such as "*.jpg" or "*.{css,js}"'),
        ("'*.{js,js}': 'http://a'", 'holds "js" twice'),
        ("'~ (a+)+': 'http://a'", "repeats a repetition"),
        ("'~ ^/(a)': 'http://a'", 'write "~ ^/(?:a)"'),
        ("'= /a?b': 'http://a'", 'holds "?" or "#"'),
        ("'= /a/../b': 'http://a'", 'holds "//", "." or ".."'),
        ("'*.js': 'http://a/b'", "a suffix has no prefix that a target's path could replace"),
        ("'~ ^/(?<x>.)': 'http://a/${y}'", 'uses "${y}", which is no named group of it: expected ${x}'),
        ("/a/: 'http://a/${x}'", "holds a $, and a target's path takes no variables"),
        ("'~ ^/(?<x>.)': {redirect: 'https://${x}.test/'}", "has a group in its host"),
        ("'~ ^/(?<x>.)': {redirect: '${x}'}", "begins with a group"),
        ("'*.js': {redirect: /x, keep: uri}", "this route has none; write `keep: query`"),
        ("'= /a/': {files: /srv, listing: true}", "is for the folder of a prefix"),
        ("'= /a': {to: 'http://a', rewrite: {strip: /a, add: /b}}", "this route has none; use `match` and `to`"),
        ("'*.js': 'http://a', '*.{js}': 'http://b'", 'is the same as "*.js"'),
    ],
)
def test_what_is_wrong(routes: str, cause: str) -> None:
    messages = [problem.message for problem in parse(routes).problems]
    assert any(cause in message for message in messages), messages


@pytest.mark.parametrize(
    ("routes", "cause"),
    [
        (
            "'*.{js,css}': 'http://a', '*.js': 'http://b'",
            'route "*.js": can never be reached: "*.{js,css}" comes before',
        ),
        ("'~ ^/': 'http://a', /x: 'http://b'", 'route "/x": can never be reached: "~ ^/" takes every request'),
        (
            "/a/: {to: 'http://a', access: {allow: [private]}}, '*.js': 'http://b'",
            'route "*.js": is taken before "/a/", whose `access` does not hold here: a request for "/a/x.js" comes in',
        ),
        (
            "/a/: {to: 'http://a', access: {allow: [private]}}, '~ ^/a/[0-9]+$': 'http://b'",
            'a request for "/a/1" comes in',
        ),
    ],
)
def test_what_is_warned_of(routes: str, cause: str) -> None:
    found = parse(routes).problems
    assert all(problem.severity is model.Severity.WARNING for problem in found)
    assert any(cause in problem.message for problem in found), found


@pytest.mark.parametrize(
    "routes",
    [
        "/a/: {to: 'http://a', access: {allow: [private]}}, '*.js': {to: 'http://b', access: public}",
        "/a/: {to: 'http://a', access: {allow: [private]}}, '~ ^/b/': 'http://b'",
        "/a/: {to: 'http://a', access: {allow: [private]}}, '*.php': {deny: true}",
        "/a/: 'http://a', '*.js': 'http://b', '*.css': 'http://c', '= /x': 'http://d'",
    ],
)
def test_what_is_not_warned_of(routes: str) -> None:
    assert not parse(routes).problems


def test_a_page_for_everything_else_is_for_a_prefix() -> None:
    files = model.Files(folder="/srv", options=((spa_option.OPTION.name, True),))
    with pytest.raises(RenderError, match="is for the folder of a prefix"):
        render_tree.render_site(site("a.test", route("*.js", files)), rendered.environment_of(layout.Layout("/s")))
