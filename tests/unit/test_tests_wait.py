"""Tests wait for what another process does in its own time; forms that lose the race on a busy machine are refused."""

import ast
import collections.abc
import pathlib

import pytest

TESTS = pathlib.Path(__file__).parents[1]
FILES = [file for name in ("contract", "e2e", "integration", "support") for file in (TESTS / name).glob("*.py")]
HTTPX = {"AsyncClient", "Client", "delete", "get", "head", "patch", "post", "put", "request", "stream"}


def faults(text: str) -> collections.abc.Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assert) and any(map(_is_sight_of_the_log, ast.walk(node.test))):
            yield f"line {node.lineno}: the daemon may write it a moment later; use `daemon.wait_log(...)`"
        if isinstance(node, ast.Call) and _is_impatient(node):
            yield f"line {node.lineno}: httpx gives up after 5 s where no `timeout` is named"


def _is_sight_of_the_log(node: ast.AST) -> bool:
    """Whether it is true only if the log has something by now: `X in daemon.log_text()`. That something is not in the
    log, and how often it is there, may be looked at."""
    return isinstance(node, ast.Compare) and any(
        isinstance(operator, ast.In) and any(map(_reads_the_log, ast.walk(side)))
        for operator, side in zip(node.ops, node.comparators, strict=True)
    )


def _reads_the_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "log_text"


def _is_impatient(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return False
    if function.value.id != "httpx" or function.attr not in HTTPX:
        return False
    return not any(keyword.arg in {"timeout", None} for keyword in call.keywords)


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("assert 'x' in daemon.log_text()", True),
        ("assert 'x' in daemon.log_text()[before:]", True),
        ("assert all(word in daemon.log_text() for word in words)", True),
        ("assert 'x' not in daemon.log_text()", False),
        ("daemon.wait_log('x')", False),
        ("httpx.Client(trust_env=False)", True),
        ("httpx.get(url)", True),
        ("httpx.Client(timeout=60)", False),
        ("client.get(url)", False),
    ],
)
def test_what_is_refused(text: str, is_refused: bool) -> None:
    assert bool([*faults(text)]) is is_refused


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_no_test_takes_one_look_for_all_that_comes(file: pathlib.Path) -> None:
    assert [*faults(file.read_text())] == []
