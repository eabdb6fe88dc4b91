"""The longest names that the rules accept fit nginx's hash tables, some of which have buckets of a fixed size."""

import collections.abc

import pytest

from daemun.core import layout, model
from daemun.core.options import catalogue, compress_option, proxy_headers_option
from daemun.core.render import render_tree
from daemun.core.texts import header_rules
from daemun.core.validation import validate
from tests.support import rendered
from tests.support.sites import proxy, route, site

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def prepared() -> collections.abc.Iterator[layout.Layout]:
    with rendered.prepared() as ready:
        yield ready


LONGEST = header_rules.MAX_BUCKET_CHARACTERS
SCHEMES = [scheme.value for scheme in model.Scheme if not scheme.is_http2]
LONG_TYPE = "application/x-" + (LONGEST - 14) * "y"


def _header(length: int) -> tuple[tuple[str, str], ...]:
    return (("X-" + (length - 2) * "a", "1"),)


def _longest(scheme: str, option: str) -> int:
    """Of the names of headers that the rules accept."""
    return next(
        length for length in range(200, 0, -1) if not validate.find_site_problems(_site(scheme, option, length))
    )


def _site(scheme: str, option: str, length: int) -> model.Site:
    is_encrypted = model.Scheme(scheme).is_encrypted
    action = proxy(f"{scheme}://{'inner.test' if is_encrypted else '10.0.0.1:80'}")
    return site("a.test", route("/", action, **{option: _header(length)}))


@pytest.mark.parametrize("option", ["request_headers", "response_headers"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_of_headers(prepared: layout.Layout, scheme: str, option: str) -> None:
    if (scheme, option) == ("memcached", "request_headers"):
        return
    longest = _longest(scheme, option)
    assert longest >= 40
    _accepted(prepared, _site(scheme, option, longest))


def test_of_types_of_answers(prepared: layout.Layout) -> None:
    compress = compress_option.Compress(types=(LONG_TYPE,))
    _accepted(prepared, site("a.test", route("/", "http://10.0.0.1", compress=compress), compress=compress))
    longer = compress_option.Compress(types=(LONG_TYPE + "y",))
    assert validate.find_site_problems(site("a.test", route("/", "http://10.0.0.1", compress=longer)))


@pytest.mark.parametrize("scheme", ["fastcgi", "grpc", "http"])
def test_of_headers_of_proxies(prepared: layout.Layout, scheme: str) -> None:
    name = "X-" + (LONGEST - 2) * "a"
    assert proxy_headers_option.check_header(name) is None
    assert proxy_headers_option.check_header(name + "a") is not None
    settings = model.Globals(options=catalogue.values(proxy_headers_option.OPTION.set((name,))))
    _accepted(prepared, site("a.test", route("/", f"{scheme}://10.0.0.1:80")), settings)


def _accepted(prepared: layout.Layout, made: model.Site, settings: model.Globals | None = None) -> None:
    desired = model.Desired(globals=settings or model.Globals(), sites=(made,))
    files = render_tree.render_files(desired, rendered.environment_of(prepared))
    assert rendered.find_refusal(files, prepared) is None
