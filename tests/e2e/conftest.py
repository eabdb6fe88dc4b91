import collections.abc
import pathlib
import subprocess

import pytest

from tests.support import daemon as daemon_support


@pytest.fixture
def daemon() -> collections.abc.Iterator[daemon_support.Daemon]:
    """A daemun with an empty state directory, not started yet."""
    with daemon_support.new_daemon() as new:
        yield new


def pytest_itemcollected(item: pytest.Item) -> None:
    """A client whose gate goes away in the middle of a handshake leaves its socket to the garbage collector (httpcore
    1.0), which may find it in a later test. Here daemun runs in processes of its own, so no socket of daemun's can be
    among them."""
    for kind in ("<ssl.SSLSocket", "<socket.socket", "transport"):
        item.add_marker(pytest.mark.filterwarnings(f"ignore:unclosed {kind}:ResourceWarning"))


@pytest.fixture
def own_hosts(daemon: daemon_support.Daemon, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An /etc/hosts that only this daemon and its nginx see."""
    hosts = daemon.root / "hosts"
    hosts.write_bytes(pathlib.Path("/etc/hosts").read_bytes())
    apart = ("unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh")
    tried = subprocess.run([*apart, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no mount namespace here: {tried.stderr.strip()}")
    command = daemon.command
    monkeypatch.setattr(daemon, "command", lambda *arguments: [*apart, *command(*arguments)])
    return hosts
