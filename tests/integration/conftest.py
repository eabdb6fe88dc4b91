"""Servers that stand for containers, and nginx-proxy's folders."""

import collections.abc
import pathlib
import tempfile

import pytest

from tests.support import compat_gate, echo


@pytest.fixture(scope="module")
def one() -> collections.abc.Iterator[echo.EchoServer]:
    with echo.echo_server("one") as server:
        yield server


@pytest.fixture(scope="module")
def two() -> collections.abc.Iterator[echo.EchoServer]:
    with echo.echo_server("two") as server:
        yield server


@pytest.fixture
def mounted() -> collections.abc.Iterator[compat_gate.Mounted]:
    """Where nginx's workers, which run under another account, may read; they may not below pytest's own folder."""
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        root = pathlib.Path(folder)
        root.chmod(0o755)
        yield compat_gate.Mounted(root)
