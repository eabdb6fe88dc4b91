"""Programs that run while a test goes on, with what they say in a file."""

import collections.abc
import contextlib
import pathlib
import subprocess

_GONE_WITHIN_S = 30.0


@contextlib.contextmanager
def running(
    command: collections.abc.Sequence[str],
    log: pathlib.Path,
    *,
    environment: collections.abc.Mapping[str, str] | None = None,
) -> collections.abc.Iterator[subprocess.Popen[bytes]]:
    """Until the block ends: politely, if it goes in time."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=_GONE_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
