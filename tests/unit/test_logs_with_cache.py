"""Which servers' lines of counted requests hold what a cache did."""

import dataclasses

import pytest

from daemun.core import directive, model
from daemun.core.options import cache_option, catalogue
from daemun.core.render import render_tree
from tests.support import sites
from tests.unit.test_render_golden import ENVIRONMENT

SHORT, LONG = b"traffic.log daemun_traffic buffer", b"traffic.log daemun_cache_traffic buffer"
URL = "http://127.0.0.1:8080"


def _render(*, settings: model.Globals | None = None, snippet: model.Snippet = ()) -> dict[str, bytes]:
    both = tuple(
        sites.site(host, sites.route("/", URL, snippet=snippet)) for host in ("a.example.com", "b.example.com")
    )
    env = dataclasses.replace(ENVIRONMENT, own_blocks=0)
    return render_tree.render_files(model.Desired(globals=settings or model.Globals(), sites=both), env)


def _line(name: str, value: str) -> directive.Directive:
    return directive.Directive(name, (directive.Text(value),))


def test_without_a_cache_no_request_pays_for_its_variable() -> None:
    assert not [path for path, content in _render().items() if LONG in content]


def test_sites_that_share_their_blocks_have_the_cache_of_the_gate() -> None:
    kept = catalogue.values(cache_option.OPTION.set(cache_option.Cache(for_s=60.0)))
    files = _render(settings=model.Globals(options=kept))
    assert LONG in files["shared.conf"]
    assert SHORT not in files["shared.conf"]


@pytest.mark.parametrize(
    ("line", "is_counted"),
    [
        (_line("proxy_cache", "mine"), True),
        (_line("include", "/etc/nginx/unreadable.conf"), True),
        (_line("proxy_cache", "off"), False),
        (_line("proxy_cache_valid", "1m"), False),
    ],
)
def test_hand_written_caches(line: directive.Directive, *, is_counted: bool) -> None:
    content = _render(snippet=(line,))["sites/a.example.com.conf"]
    assert (LONG in content) is is_counted
    assert not (is_counted and SHORT in content)


def test_a_cache_that_is_hand_written_for_all_sites_may_be_anywhere() -> None:
    files = _render(settings=model.Globals(snippet=(_line("proxy_cache", "mine"),)))
    assert not [path for path, content in files.items() if SHORT in content]
    assert LONG in files["nginx.conf"]
