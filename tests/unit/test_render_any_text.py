"""No text of an owner is ever a directive: whatever is accepted leaves the structure of the file as it is."""

import functools
import re

import hypothesis
import hypothesis.strategies as st
import pytest

from daemun.core import layout, model, render_environment
from daemun.core.plan import shared_sites
from daemun.core.render import shared_blocks
from tests.support import nginx_text, slots

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout(state="/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
    ),
    resolver="127.0.0.1:5301",
    ca_bundle="/etc/ssl/certs/ca-certificates.crt",
)

ALL = slots.TEXTS | slots.NUMBERS
LIKE_A_NAME = st.from_regex(r"(\*\.)?[a-z0-9_]{1,5}([-.:%][a-z0-9]{1,70}){0,4}", fullmatch=True)


@functools.cache
def _harmless(name: str) -> list[list[object]]:
    """The structures the file may have."""
    slot = ALL[name]
    return [_structure(slots.render_slot(slot, value, ENVIRONMENT)) for value in slot.harmless]


def _structure(written: bytes | None) -> list[object]:
    assert written is not None, "the slot's own example is refused"
    return nginx_text.skeleton(nginx_text.parse(written))


def _check(name: str, value: slots.Value) -> None:
    slot = ALL[name]
    written = slots.render_slot(slot, value, ENVIRONMENT)
    if written is None:
        return
    tree = nginx_text.parse(written)
    assert nginx_text.skeleton(tree) in _harmless(name)
    if slot.verbatim and isinstance(value, str):
        given = [word.replace("${daemun_dollar}", "$") for word in nginx_text.words(tree)]
        assert any(value in word for word in given), "the text is one argument, or inside one"


def _check_shared(name: str, value: slots.Value) -> bool:
    """What is accepted is a few plain words among those of sites that share their blocks. Returns: whether it is."""
    entry = slots.find_entry(ALL[name], value)
    if entry is None:
        return False
    files = shared_blocks.files((entry,), ENVIRONMENT, model.Globals())
    names, hosts, servers = (
        nginx_text.parse(files[path]) for path in (shared_sites.NAMES, shared_sites.HOSTS, shared_sites.SERVERS)
    )
    assert names == [("server_name", list(entry.names), None)]
    assert hosts == [(one, [entry.host], None) for one in entry.names]
    assert servers == [(entry.host, [entry.server], None)]
    assert all(re.fullmatch(r"[a-z0-9_.-]+", one) for one in entry.names)
    assert re.fullmatch(r"([0-9.]+|\[[0-9a-f:.]+\]):[0-9]+", entry.server)
    return True


SHARED = ("host", "alias", "only target host", "origin of the plainest")


@pytest.mark.parametrize("name", SHARED)
def test_injections_among_those_that_share(name: str) -> None:
    slot = slots.TEXTS[name]
    assert any(_check_shared(name, value) for value in slot.harmless)
    for text in nginx_text.INJECTIONS:
        for start in {"", slot.start, str(slot.harmless[0])}:
            _check_shared(name, f"{start}{text}")


@hypothesis.given(st.sampled_from(SHARED), st.one_of(nginx_text.HOSTILE, LIKE_A_NAME), st.booleans())
def test_any_text_among_those_that_share(name: str, text: str, with_start: bool) -> None:
    _check_shared(name, f"{slots.TEXTS[name].harmless[0]}{text}" if with_start else text)


@hypothesis.given(st.integers(min_value=-2, max_value=70000))
def test_any_port_among_those_that_share(port: int) -> None:
    assert _check_shared("only port", port) == (1 <= port <= 65535)


@pytest.mark.parametrize("name", slots.TEXTS)
def test_injections(name: str) -> None:
    slot = slots.TEXTS[name]
    for text in nginx_text.INJECTIONS:
        for start in {"", slot.start, str(slot.harmless[0])}:
            _check(name, f"{start}{text}")


@hypothesis.given(st.sampled_from(sorted(slots.TEXTS)), nginx_text.HOSTILE, st.booleans())
def test_any_text(name: str, text: str, with_start: bool) -> None:
    _check(name, f"{slots.TEXTS[name].start}{text}" if with_start else text)


@hypothesis.given(
    st.sampled_from(sorted(slots.NUMBERS)),
    st.one_of(st.integers(), st.integers(min_value=-2, max_value=70000), st.floats(), st.sampled_from([0.0004, 1e12])),
)
def test_any_number(name: str, value: float) -> None:
    if isinstance(slots.NUMBERS[name].harmless[0], float) or isinstance(value, int):
        _check(name, value)
