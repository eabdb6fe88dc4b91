"""Every variable, label and file that nginx-proxy's users rely on has a black-box test, as has each of its defects."""

import collections
import collections.abc
import importlib
import pathlib

import pytest

from daemun.sources.docker import nginx_proxy, nginx_proxy_gate
from tests.support import nginx_proxy as theirs

TESTS = pathlib.Path(__file__).parents[1]
KINDS = (*theirs.SUPPORTED, "defect")


@pytest.fixture(scope="module")
def shown() -> dict[str, set[str]]:
    """Kind -> the names that marked tests say they show."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for mark in _marks():
        for kind, names in mark.kwargs.items():
            found[kind].update(names.split())
    return found


def _marks() -> collections.abc.Iterator[pytest.Mark]:
    """Of tests with real programs only; what a unit test says shows nothing of what clients see."""
    for path in sorted((*TESTS.glob("integration/test_*.py"), *TESTS.glob("e2e/test_*.py"))):
        if "mark.shows(" not in path.read_text():
            continue
        module = importlib.import_module(f"tests.{path.parent.name}.{path.stem}")
        for name, found in vars(module).items():
            if name.startswith("test_"):
                yield from (mark for mark in getattr(found, "pytestmark", ()) if mark.name == "shows")


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_shown_and_no_other(shown: dict[str, set[str]], kind: str) -> None:
    assert sorted(theirs.names_of(kind) - shown[kind]) == [], "no black-box test shows them"
    assert sorted(shown[kind] - theirs.names_of(kind)) == [], "nobody knows them"


def test_there_are_no_other_kinds(shown: dict[str, set[str]]) -> None:
    assert set(shown) == set(KINDS)


def test_what_is_told_is_what_the_code_does_not_follow() -> None:
    known = {*nginx_proxy_gate.WITHOUT_EFFECT, "ENABLE_HTTP3", "DEBUG_ENDPOINT"}
    assert set(theirs.told("gate")) == known

    older = {name.replace("LETSENCRYPT_", "ACME_", 1) for name in theirs.told("container")}
    assert older == set(nginx_proxy.WITHOUT_EFFECT)
