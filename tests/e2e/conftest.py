import collections.abc

import pytest

from tests.support import daemon as daemon_support


@pytest.fixture
def daemon() -> collections.abc.Iterator[daemon_support.Daemon]:
    """A daemun with an empty state directory, not started yet."""
    with daemon_support.new_daemon() as new:
        yield new


def pytest_itemcollected(item: pytest.Item) -> None:
    """A client whose gate goes away in the middle of a handshake leaves its socket to the garbage collector (httpcore
    1.0). Here daemun runs in processes of its own, so no socket of daemun's can be among them."""
    item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"))
