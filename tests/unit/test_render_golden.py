"""What is rendered for each feature, kept in golden/. After a meant change: DAEMUN_UPDATE_GOLDEN=1 pytest ..."""

import dataclasses
import os
import pathlib

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.plan import variable_definitions
from daemun.core.render import render_tree
from tests.support import features

GOLDEN = pathlib.Path(__file__).parent / "golden"
ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout(state="/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
    ),
    thumbprint="LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ",
    user="www-data",
    group="www-data",
    resolver="127.0.0.1:5301",
    ca_bundle="/etc/ssl/certs/ca-certificates.crt",
    workers=2,
)


def _compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.conf"
    if os.environ.get("DAEMUN_UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


@pytest.mark.parametrize("name", features.FEATURES)
def test_feature(name: str) -> None:
    feature = features.FEATURES[name]
    files = render_tree.render_files(feature.desired, dataclasses.replace(ENVIRONMENT, own_blocks=feature.own_blocks))
    paths = {*feature.paths, *((variable_definitions.FILE,) if "nginx.conf" in feature.paths else ())}
    shown = [path for path in files if path.startswith("sites/") or path in paths]
    _compare(name, "\n".join(f"#### {path}\n\n{files[path].decode()}" for path in shown))


def test_unavailable() -> None:
    broken = model.Site(host="broken.example.com", aliases=("www.broken.example.com",))
    _compare("unavailable", render_tree.render_unavailable(broken, ENVIRONMENT).decode())


def test_equal_input_gives_equal_files_in_order() -> None:
    for feature in features.FEATURES.values():
        once, again = (list(render_tree.render_files(feature.desired, ENVIRONMENT).items()) for _ in range(2))
        assert once == again == sorted(once)
