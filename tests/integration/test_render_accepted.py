"""nginx accepts every golden configuration, without a warning."""

import collections.abc
import dataclasses

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.plan import change_plan, variable_definitions
from daemun.core.render import render_tree, variables
from daemun.nginx import machine_limits
from tests.support import clients, features, rendered
from tests.support.sites import site

pytestmark = pytest.mark.nginx

USED_WHERE_THERE = {
    render_environment.Feature.POST_QUANTUM,
    render_environment.Feature.BROTLI,
    render_environment.Feature.ZSTD,
    render_environment.Feature.ZSTD_STATIC,
    render_environment.Feature.GZIP_STATIC,
    render_environment.Feature.HTTP_V3,
}
"""Without one of these a configuration is rendered that does without it."""


@pytest.fixture(scope="module")
def prepared() -> collections.abc.Iterator[layout.Layout]:
    with rendered.prepared() as ready:
        yield ready


@pytest.mark.parametrize("name", features.FEATURES)
def test_feature(name: str, prepared: layout.Layout) -> None:
    feature = features.FEATURES[name]
    env = rendered.environment_of(prepared, ipv6=machine_limits.has_ipv6(), own_blocks=feature.own_blocks)
    if set(render_environment.Feature) - env.nginx.features - USED_WHERE_THERE:
        pytest.skip("this nginx lacks what some of the features need")
    desired = feature.desired
    files = render_tree.render_files(desired, env)
    assert rendered.find_refusal(files, prepared) is None
    pages = {
        path: render_tree.render_unavailable(one, env, settings=desired.globals)
        for path, one in _by_path(desired).items()
        if path in files
    }
    # As the quarantine does: what only replaced files used is not defined any more.
    left = variable_definitions.complete(files | pages, variables.define(desired, env))
    assert rendered.find_refusal(left, prepared) is None


def _by_path(desired: model.Desired) -> dict[str, model.Site]:
    return {change_plan.site_file(one.host): one for one in desired.enabled}


def test_the_page_of_a_site_that_is_not_available() -> None:
    """As the quarantine does: the file of a site is replaced, everything else stays."""
    broken = site("broken.test", "http://127.0.0.1:1", aliases=("www.broken.test",))
    with rendered.running(broken, replace=render_tree.render_unavailable) as nginx:
        for url in ("https://broken.test/", "https://www.broken.test/any/path", "http://broken.test/"):
            answer = clients.get(nginx.clients, url, Accept="text/html")
            assert answer.status_code == 503
            assert answer.headers["Content-Type"].startswith("text/html")
            assert "Temporarily not available" in answer.text
        token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
        answer = clients.get(nginx.clients, f"http://broken.test/.well-known/acme-challenge/{token}")
        assert answer.text == f"{token}.{rendered.THUMBPRINT}"


def test_many_long_names(prepared: layout.Layout) -> None:
    """Hash tables grow with the names."""
    label = "a" * 61
    sites = tuple(
        site(f"{number:02}{label}.{label}.{label}.test", "http://10.0.0.1", aliases=(f"x{number}.test",))
        for number in range(40)
    )
    desired = dataclasses.replace(features.FEATURES["http"].desired, sites=sites)
    assert rendered.find_refusal(render_tree.render_files(desired, rendered.environment_of(prepared)), prepared) is None
