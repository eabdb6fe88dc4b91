"""`respond` and `deny` as they are written, and what is wrong with them."""

import pathlib

import pytest

from daemun.core import model
from daemun.sources import yaml_file


def parse(route: str, base: pathlib.Path = pathlib.Path("/srv")) -> model.Snapshot:
    text = f"sites: {{a.test: {{routes: {{/: http://a, /x: {{{route}}}}}}}}}\n"
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir=base)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("respond: 204", model.Respond(status=204)),
        ("respond: {status: 404}", model.Respond(status=404)),
        ("respond: {body: ''}", model.Respond(body="")),
        (r'respond: {body: "a\nb"}', model.Respond(body="a\nb")),
        ("respond: {file: ./p.html, type: text/html}", model.Respond(file="/srv/p.html", media_type="text/html")),
        ("deny: true", model.Respond(status=403)),
    ],
)
def test_what_may_be_written(written: str, expected: model.Respond) -> None:
    snapshot = parse(written)
    assert not snapshot.problems
    assert snapshot.sites[0].routes[1].action == expected


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ("respond: 301", "respond.status: 301 is a redirect; write `redirect: URL` and `status: 301` in the route"),
        ("respond: 304", "respond.status: 304 is no status of an answer; expected 200 to 299, or 400 to 599"),
        ("respond: 600", "respond.status: 600 is no status of an answer"),
        ("respond: ok", "respond: expected a status such as 204, or a map"),
        ("respond: true", "respond: expected a status such as 204, or a map"),
        ("respond: {bdy: x}", 'did you mean "body"?'),
        ("respond: {status: 204, body: x}", "respond.body: cannot go with status 204, which has no content"),
        ("respond: {body: x, file: /y}", "respond.body: stands beside `file`; keep one of them"),
        ("respond: {type: text/html}", "respond.type: is of nothing: write a `body` or a `file`"),
        ("respond: {body: x, type: html}", "is not a media type, such as"),
        ("respond: {body: x, type: 'a/b; c=$d'}", "is not a media type"),
        (r'respond: {body: "a\0b"}', "respond.body: holds the control character U+0000; remove it"),
        (f"respond: {{body: '{'x' * 2001}'}}", "at most 2000; put it in a file, and name that with `file`"),
        (f"respond: {{body: '{'$' * 300}'}}", "at most 2000; put it in a file, and name that with `file`"),
        ("deny: false", "deny: expected true, found false; leave the route out to deny nothing"),
        ("deny: true, respond: 403", "found `respond` and `deny`"),
        ("deny: true, status: 308", "status: has a meaning only beside `redirect`"),
    ],
)
def test_what_is_wrong(written: str, cause: str) -> None:
    (problem,) = parse(written).problems
    assert cause in problem.message


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ("redirect: '/y$is_args$args', keep: all", 'expected path, query or uri, found the text "all"'),
        ('redirect: "/y?a=1", keep: query', 'keep: adds to "/y?a=1", which has "?" of its own; leave one of them out'),
        ("redirect: https://b.test$request_uri, keep: uri", 'which has "$request_uri" of its own'),
        ("to: http://a, keep: uri", "keep: has a meaning only beside `redirect`"),
    ],
)
def test_what_a_redirect_cannot_keep(written: str, cause: str) -> None:
    (problem,) = parse(written).problems
    assert cause in problem.message


def test_a_redirect_that_keeps_is_not_warned_of() -> None:
    assert not parse("redirect: https://b.test/, keep: query").problems


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{strip: /x, add: /v1}", None),
        ("{add: /v1}", "/v1/x"),
        ("{strip: /, add: /v1/}", "/v1/x"),
        ('{match: "^/x/(?<a>.)", to: "/${a}"}', None),
    ],
)
def test_what_rewrite_makes_of_a_target(written: str, path: str | None) -> None:
    snapshot = parse(f"to: http://a, rewrite: {written}")
    assert not snapshot.problems
    action = snapshot.sites[0].routes[1].action
    assert isinstance(action, model.Proxy)
    assert action.targets[0].path == (path if path is not None else action.targets[0].path)
    assert path is None or str(action.targets[0]) == f"http://a{path}"


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ("to: http://a, rewrite: /y", "expected a map with `strip` and `add`, or with `match` and `to`"),
        ("to: http://a, rewrite: {}", "is empty; expected a map with `strip` and `add`"),
        ("to: http://a, rewrite: {match: /y}", "needs `to`, too"),
        ("to: http://a, rewrite: {match: /y, to: /z, add: /a}", "found both"),
        ("to: http://a, rewrite: {strip: /y}", 'strip: "/y" does not begin the route\'s path, so nothing would'),
        ("to: http://a, rewrite: {strip: /x}", 'nothing is left of the path; write the route as "/x/"'),
        ("to: http://a/b, rewrite: {add: /y}", 'stands beside "http://a/b", which has a path of its own'),
        ('to: http://a, rewrite: {match: "/(y)", to: /z}', 'has a group without a name; write "/(?:y)"'),
        ('to: http://a, rewrite: {match: "/(?<y>.)", to: "/${z}"}', "which is no named group of it: expected ${y}"),
        ('to: http://a, rewrite: {match: /y, to: "/z?a=1"}', "a target cannot hold a query or a fragment"),
        ("to: http://a, rewrite: {match: /y, to: z}", 'must start with "/"'),
        ('to: http://a, rewrite: {match: /y, to: "/../z"}', 'its path holds ".."'),
        ("to: memcached://a, rewrite: {match: /y, to: /z}", "`match` is not for memcached"),
        ("redirect: https://b.test$request_uri, rewrite: {add: /y}", "has a meaning only beside `to`"),
    ],
)
def test_what_cannot_be_rewritten(written: str, cause: str) -> None:
    messages = [problem.message for problem in parse(written).problems]
    assert any(cause in message for message in messages), messages
