"""Whatever text is accepted, nginx accepts it too. One run of nginx tests a value in each place of the model."""

import collections.abc

import hypothesis
import hypothesis.strategies as st
import pytest

from daemun.core import layout, model
from daemun.core.plan import variable_definitions
from daemun.core.render import render_tree, variables
from tests.support import features, nginx_text, rendered, slots

pytestmark = pytest.mark.nginx

RUNS = max(20, hypothesis.settings().max_examples // 3)
"""Of nginx, for each test here: 33 in the fast profile, more in the deep one."""

NAMES = frozenset({"host", "wildcard", "alias", "redirected alias"})
"""Places of names: two sites with one name are another matter, so each value of these is tried alone."""


LIKE_A_HOST = st.from_regex(r"(\*\.)?[a-z0-9_]{1,5}(-[a-z]{1,3})?(\.[a-z]{1,70})?", fullmatch=True)


@pytest.fixture(scope="module")
def prepared() -> collections.abc.Iterator[layout.Layout]:
    with rendered.prepared() as ready:
        yield ready


def _check(values: dict[str, slots.Value], prepared: layout.Layout) -> None:
    env = rendered.environment_of(prepared)
    files = render_tree.render_files(model.Desired(globals=features.SETTINGS), env)
    for number, (name, value) in enumerate(values.items()):
        written = slots.render_slot((slots.TEXTS | slots.NUMBERS)[name], value, env, host=f"slot{number}.test")
        if written is not None:
            files[f"sites/{number}.conf"] = written
    files = variable_definitions.complete(files, variables.define(model.Desired(globals=features.SETTINGS), env))
    refusal = rendered.find_refusal(files, prepared)
    assert refusal is None, refusal


@hypothesis.settings(
    max_examples=RUNS,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(data=st.data())
def test_any_text(prepared: layout.Layout, data: st.DataObject) -> None:
    values: dict[str, slots.Value] = {}
    for name, slot in slots.TEXTS.items():
        if name not in NAMES:
            values[name] = slot.start + data.draw(nginx_text.HOSTILE, label=name)
    for name in (data.draw(st.sampled_from(sorted(NAMES))), "target host", "server name", "host header"):
        values[name] = data.draw(LIKE_A_HOST, label=name)
    _check(values, prepared)


@hypothesis.settings(max_examples=RUNS)
@hypothesis.given(data=st.data())
def test_any_number(prepared: layout.Layout, data: st.DataObject) -> None:
    values: dict[str, slots.Value] = {}
    for name, slot in slots.NUMBERS.items():
        whole = st.one_of(st.integers(), st.integers(min_value=0, max_value=70000))
        values[name] = data.draw(
            whole if isinstance(slot.harmless[0], int) else st.one_of(whole, st.floats()), label=name
        )
    _check(values, prepared)


@pytest.mark.parametrize("text", nginx_text.INJECTIONS, ids=range(len(nginx_text.INJECTIONS)))
def test_injections(prepared: layout.Layout, text: str) -> None:
    _check({name: f"{slot.start}{text}" for name, slot in slots.TEXTS.items() if name not in NAMES}, prepared)


def test_longest(prepared: layout.Layout) -> None:
    """What is just short enough for the rules is short enough for nginx, whatever quoting makes of it."""
    for text in ("a" * 2000, "$" * 390, '"' * 1780, "\\" * 1780, "가" * 1190, "\\t" * 990):
        _check({name: f"{slot.start}{text}" for name, slot in slots.TEXTS.items() if name not in NAMES}, prepared)
