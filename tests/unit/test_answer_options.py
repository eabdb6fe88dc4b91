"""`cors` and `cache_control`: what may be written, and what is refused with which words."""

import pytest

from daemun.core.options import cache_control_option, cors_option
from daemun.core.options.cache_control_option import CacheControl, Rule
from daemun.core.options.cors_option import Cors
from daemun.sources import yaml_file
from daemun.sources.docker import container_labels
from tests.support import docker_values

APP = "https://app.test"


def read(option: str) -> tuple[object, list[str]]:
    """The value of a site, and what is wrong."""
    text = f"sites:\n  a.test:\n    {option}\n    routes: {{/: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    values = dict(snapshot.sites[0].options) if snapshot.sites else {}
    return values.get(option.partition(":")[0]), [problem.message for problem in snapshot.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", Cors()),
        ("false", cors_option.OFF),
        ("", None),
        ("{}", Cors()),
        (f"{{origins: {APP}}}", Cors(origins=(APP,))),
        ("{origins: 'https://a.test, https://b.test'}", Cors(origins=("https://a.test", "https://b.test"))),
        (
            "{origins: ['HTTPS://App.Test:443/', 'https://*.Bücher.test']}",
            Cors(origins=(APP, "https://*.xn--bcher-kva.test")),
        ),
        (
            f"{{origins: [{APP}], methods: [GET], headers: [X-A], expose: X-B, credentials: true, max_age: 1h}}",
            Cors(origins=(APP,), methods=("GET",), headers=("X-A",), expose=("X-B",), credentials=True, max_age_s=3600),
        ),
        (
            "{origins: ['capacitor://localhost', 'http://[::1]:3000']}",
            Cors(origins=("capacitor://localhost", "http://[::1]:3000")),
        ),
    ],
)
def test_cors(written: str, meant: Cors | None) -> None:
    assert read(f"cors: {written}") == (meant, [])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("yes", "write true"),
        ("{origins: app.test}", 'write "https://app.test"'),
        ("{origins: https://app.test/path}", "is not a scheme and a host"),
        ("{origins: 'null'}", "every page without a site of its own"),
        ("{origins: https://app.test:99999}", "not between 1 and 65535"),
        ("{origins: ['*', https://a.test]}", "all of them already"),
        ("{origins: '*', credentials: true}", "name the sites"),
        ("{credentials: true}", "name the sites"),
        ("{origins: []}", "is empty"),
        ("{methods: [get]}", "write GET"),
        ("{methods: []}", "is empty"),
        ("{headers: ['*']}", "is not a header name"),
        ("{expose: ['a b']}", "is not a header name"),
        ("{max_age: 2d}", "is not between 0s and 1d"),
        ("{origin: https://a.test}", 'did you mean "origins"'),
        ('{methods: [GET, "A\\nB"]}', "is not a method"),
    ],
)
def test_cors_that_is_refused(written: str, words: str) -> None:
    _, found = read(f"cors: {written}")
    assert len(found) == 1
    assert words in found[0]


def _rules(*pairs: tuple[str, str], override: bool = False) -> CacheControl:
    return CacheControl(rules=tuple(Rule(what=what, value=value) for what, value in pairs), override=override)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30d", _rules(("*", "max-age=2592000"))),
        ("60", _rules(("*", "max-age=60"))),
        ("no-cache", _rules(("*", "no-cache"))),
        ("'public,max-age=600 , immutable'", _rules(("*", "public, max-age=600, immutable"))),
        ("false", cache_control_option.OFF),
        ("", None),
        (
            '{assets: 30d, "*.html": no-cache, "*.{css,js}": 1h, pages: false, override: true}',
            _rules(
                ("assets", "max-age=2592000"),
                ("*.html", "no-cache"),
                ("*.{css,js}", "max-age=3600"),
                ("pages", ""),
                override=True,
            ),
        ),
    ],
)
def test_cache_control(written: str, meant: CacheControl | None) -> None:
    assert read(f"cache_control: {written}") == (meant, [])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{asets: 30d}", 'did you mean "assets"?'),
        ("{.css: 30d}", 'write "*.css"'),
        ("{css: 30d}", 'write "*.css"'),
        ("{/assets/: 30d}", "is none of assets"),
        ("{}", "names nothing"),
        ("nocache", 'did you mean "no-cache"?'),
        ("max-age=soon", 'found "max-age=soon"'),
        ("max-age=9999999999", "is not between"),
        ("[30d]", "expected a duration"),
        ("{assets: [1]}", "assets: expected a duration"),
        ("{override: 1}", "override: expected true or false"),
        ('"no-cache\\r\\nX-A: b"', "expected a duration"),
    ],
)
def test_cache_control_that_is_refused(written: str, words: str) -> None:
    _, found = read(f"cache_control: {written}")
    assert len(found) == 1
    assert words in found[0]


def test_labels() -> None:
    labels = {
        "daemun.host": "a.test",
        "daemun.cors.origins": "https://a.test https://b.test",
        "daemun.cors.credentials": "true",
        "daemun.cache_control.assets": "30d",
        "daemun.cache_control.*.html": "no-cache",
        "daemun.cache_control.override": "true",
        "daemun.cache_control.*": "no-store",
        "daemun.all.path": "/all/",
        "daemun.all.cors": "true",
        "daemun.all.cache_control": "60",
    }
    found = container_labels.read_requests(docker_values.container(labels=labels))
    assert found.faults == ()
    first, second = (one.route for one in found.requests)
    assert cors_option.OPTION.of(first) == Cors(origins=("https://a.test", "https://b.test"), credentials=True)
    assert cache_control_option.OPTION.of(first) == _rules(
        ("*.html", "no-cache"), ("assets", "max-age=2592000"), ("*", "no-store"), override=True
    )
    assert cors_option.OPTION.of(second) == Cors()
    assert cache_control_option.OPTION.of(second) == _rules(("*", "max-age=60"))
    refused = container_labels.read_requests(
        docker_values.container(labels={"daemun.host": "a.test", "daemun.cors.x": "1"})
    )
    assert "expected cors.origins" in refused.faults[0]
