import collections.abc

import pytest

from tests.support import daemon as daemon_support


@pytest.fixture
def daemon() -> collections.abc.Iterator[daemon_support.Daemon]:
    """A daemun with an empty state directory, not started yet."""
    with daemon_support.new_daemon() as new:
        yield new
