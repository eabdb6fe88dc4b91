"""`cache`: what may be written, what is refused, and where nothing is kept without a word of its own."""

import re

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.options import cache_option
from daemun.core.options.cache_option import Cache
from daemun.core.render import render_tree
from daemun.core.validation import validate, validate_cache
from daemun.sources import yaml_file

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout(state="/var/lib/daemun"),
    nginx=render_environment.Nginx(path="/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)),
    resolver="127.0.0.1:5301",
)


def read(site: str = "", route: str = "", top: str = "", to: str = "http://127.0.0.1:1") -> tuple[model.Snapshot, str]:
    text = f"{top}\nsites:\n  a.test:\n    {site}\n    routes: {{/: {{to: '{to}', {route}}}}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    assert snapshot.globals is not None
    problems = [*snapshot.problems, *validate.find_global_problems(snapshot.globals, snapshot.sites)]
    for one in snapshot.sites:
        problems += validate.find_site_problems(one)
        problems += validate_cache.find_cache_problems(one, snapshot.globals)
    return snapshot, "\n".join(problem.message for problem in problems)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", Cache()),
        ("false", cache_option.OFF),
        ("10m", Cache(for_s=600.0)),
        ("60", Cache(for_s=60.0)),
        ("{for: 10m, stale: 1d}", Cache(for_s=600.0, stale_s=86400.0)),
        ("{for: 1m, stale: off}", Cache(for_s=60.0, stale_s=0.0)),
        (
            "{key: [Accept-Language], ignore_cookies: [_ga, _pk_*]}",
            Cache(key=("Accept-Language",), ignore_cookies=("_ga", "_pk_*")),
        ),
        ("{ignore_cookies: '*'}", Cache(ignore_cookies=("*",))),
    ],
)
def test_forms(written: str, meant: Cache) -> None:
    snapshot, problems = read(site=f"cache: {written}")
    assert (cache_option.OPTION.of(snapshot.sites[0]), problems) == (meant, "")
    snapshot, problems = read(route=f"cache: {written}")
    assert (cache_option.OPTION.of(snapshot.sites[0].routes[0]), problems) == (meant, "")


def test_the_size_is_for_all_sites() -> None:
    snapshot, problems = read(top="cache: {max_size: 5g, on: false}")
    assert snapshot.globals is not None
    assert (cache_option.OPTION.of(snapshot.globals), problems) == (Cache(is_on=False, max_bytes=5 << 30), "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"site": "cache: on"},
            'expected true, false, a duration such as 10m, or a map, found the text "on"; write true',
        ),
        ({"site": "cache: soon"}, "expected a duration"),
        ({"site": "cache: 0s"}, "cache.for: 0s is not between 1s and"),
        ({"site": "cache: {max_size: 5g}"}, "write `cache: {max_size: 5g, on: false}` at the top"),
        ({"top": "cache: {max_size: 1k}"}, "cache.max_size: 1k is not between 1m and"),
        ({"site": "cache: {key: [Cookie]}"}, '"Cookie" is of one visitor'),
        ({"site": "cache: {key: [a b]}"}, "is not a header name"),
        ({"site": "cache: {ignore_cookies: ['a b']}"}, "is no name of a cookie"),
        ({"site": "cache: {ttl: 1m}"}, "ttl"),
        (
            {"route": "cache: 1m", "to": "grpc://127.0.0.1:1"},
            "is for http, https, h2 and h2c servers, not for grpc: leave it out",
        ),
        ({"route": "cache: 1m, buffering: false"}, "which `buffering: false` rules out"),
        (
            {"route": "cache: 1m, access: {basic_auth: {users: {a: b}}}"},
            "keeps nothing behind `access: {basic_auth: ...}`",
        ),
        ({"route": "cache: 1m", "site": "access: {forward_auth: authelia}"}, "behind `access: {forward_auth: ...}`"),
        ({"route": "cache: 1m", "top": "access: {login: true}"}, "keeps nothing behind `access: {login: ...}`"),
        ({"site": "cache: 1m", "top": "access: {login: true}"}, "a route with `access: public`"),
        ({"route": "cache: 1m, access: {client_certificates: local}"}, "behind `access: {client_certificates: ...}`"),
    ],
)
def test_what_is_refused(given: dict[str, str], words: str) -> None:
    assert words in read(**given)[1]


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ({"route": "cache: 1m"}, True),
        ({"top": "cache: true"}, True),
        ({"top": "cache: 1m", "site": "cache: false"}, False),
        ({"top": "cache: 1m", "route": "cache: false"}, False),
        ({"top": "cache: 1m", "site": "access: {basic_auth: {file: ./a}}"}, False),
        ({"top": "cache: 1m", "site": "access: {any: true, allow: [private], basic_auth: {file: ./a}}"}, False),
        ({"top": "cache: 1m", "route": "access: {client_certificates: {ca: ./a, require: false}}"}, False),
        ({"top": "cache: 1m", "site": "access: {basic_auth: {file: ./a}}", "route": "access: public"}, True),
        ({"top": "cache: 1m", "site": "access: {allow: [private]}"}, True),
        ({"top": "cache: 1m", "to": "fastcgi://127.0.0.1:1"}, False),
        ({"top": "cache: 1m", "route": "buffering: false"}, False),
        ({"route": "cache: 1m, nginx: 'proxy_cache off;'"}, False),
        ({}, False),
    ],
)
def test_where_answers_are_kept(given: dict[str, str], is_kept: bool) -> None:
    """What nobody may share is not kept by what is inherited, and a gate without `cache` has nothing of it."""
    snapshot, _ = read(**given)
    assert snapshot.globals is not None
    files = render_tree.render_files(model.Desired(globals=snapshot.globals, sites=snapshot.sites), ENVIRONMENT)
    text = b"\n".join(files.values())
    assert (b"proxy_cache_key" in files["sites/a.test.conf"] and b"_cached" in text) is is_kept
    assert (b" keys_zone=daemun_answers" in text) is is_kept
    assert (b"X-Cache" in text) is is_kept


def test_files_stay_for_the_longest_stale() -> None:
    snapshot, _ = read(top="cache: {max_size: 2g, on: false}", site="cache: {for: 1m, stale: 2d}", route="cache: 1m")
    assert snapshot.globals is not None
    files = render_tree.render_files(model.Desired(globals=snapshot.globals, sites=snapshot.sites), ENVIRONMENT)
    (line,) = (one for one in files["variables.conf"].splitlines() if one.startswith(b"proxy_cache_path"))
    assert line.endswith(b"max_size=2g min_free=256m inactive=172800s;")


def test_another_server_behind_a_route_has_answers_of_its_own() -> None:
    def key(**given: str) -> str:
        snapshot, _ = read(site="cache: 10m", **given)
        assert snapshot.globals is not None
        files = render_tree.render_files(model.Desired(globals=snapshot.globals, sites=snapshot.sites), ENVIRONMENT)
        (found,) = re.findall(rb"proxy_cache_key ([^;]+);", files["sites/a.test.conf"])
        return str(found)

    others = (
        key(to="http://127.0.0.1:3001"),
        key(to="http://127.0.0.1:3000/there/"),
        key(to="http://127.0.0.1:3000", route="host_header: other.test"),
    )
    first = key(to="http://127.0.0.1:3000")
    assert len({first, *others}) == 4
    assert first == key(to="http://127.0.0.1:3000", route="retries: 1")
