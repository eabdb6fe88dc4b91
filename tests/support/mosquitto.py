"""Mosquitto, a broker of MQTT, and its clients. Debian packages: mosquitto, mosquitto-clients."""

import collections.abc
import contextlib
import pathlib
import subprocess

from tests.support import binaries, programs, stream_servers, until

_TOPIC = "house"
_ANSWER_S = 60


@contextlib.contextmanager
def running(port: int, folder: pathlib.Path) -> collections.abc.Iterator[None]:
    """On a port of loopback, for everybody, until the block ends. Skips the test without it."""
    program = binaries.program("mosquitto", "mosquitto")
    configuration = folder / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with programs.running([program, "-c", str(configuration)], folder / "mosquitto.log"):
        until.true(lambda: _listens(port))
        yield


def _listens(port: int) -> bool:
    try:
        stream_servers.connect(port).close()
    except ConnectionRefusedError:
        return False
    return True


def publish(message: str, *options: str) -> None:
    """options: of mosquitto_pub(1), where to."""
    program = binaries.program("mosquitto_pub", "mosquitto-clients")
    command = [program, "-t", _TOPIC, "-q", "1", "-m", message, *options]
    subprocess.run(command, check=True, timeout=_ANSWER_S)


@contextlib.contextmanager
def subscribed(*options: str) -> collections.abc.Iterator[collections.abc.Callable[[], str]]:
    """Yields a function that waits for the next message."""
    program = binaries.program("mosquitto_sub", "mosquitto-clients")
    command = [program, "-t", _TOPIC, "-q", "1", "-W", str(_ANSWER_S), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None
            lines = client.stdout
            yield lambda: lines.readline().strip()
        finally:
            client.terminate()
