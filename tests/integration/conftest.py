"""Servers that stand for containers, nginx-proxy's folders, and what tests of certificates begin with."""

import collections.abc
import pathlib
import tempfile

import pytest

from tests.support import compat_gate, echo, http01, issuing, pebble


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


@pytest.fixture
def gate(tmp_path: pathlib.Path) -> issuing.StateDirectory:
    return issuing.StateDirectory(tmp_path / "state")


@pytest.fixture
def ca(gate: issuing.StateDirectory) -> collections.abc.Iterator[pebble.Pebble]:
    """It validates at a server that answers for this state directory's account, as nginx would."""
    with http01.answering(gate.thumbprint) as port, pebble.running_pebble(port) as running:
        yield running
