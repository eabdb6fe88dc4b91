"""The replayed engine, run by whoever measures."""

import collections.abc
import contextlib
import pathlib
import subprocess
import sys
import time

_READY_WITHIN_S = 20.0


class Replayed:
    """url: as `docker:` in daemun.yaml takes it."""

    def __init__(self, process: subprocess.Popen[str], socket: pathlib.Path) -> None:
        self._process = process
        self.url = f"unix://{socket}"

    def do(self, command: str) -> int:
        """See `bench.engine.server`. Returns: how many events were sent."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(command, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


@contextlib.contextmanager
def running(folder: pathlib.Path, port: int) -> collections.abc.Iterator[Replayed]:
    """folder: a short path, of which its socket becomes a part. port: of the server behind all containers."""
    socket = folder / "engine.sock"
    command = [sys.executable, "-m", "bench.engine.server", str(socket), str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        deadline_s = time.monotonic() + _READY_WITHIN_S
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"cannot start the replayed engine: it was not ready in {_READY_WITHIN_S:g} s")
            time.sleep(0.02)
        yield Replayed(process, socket)
    finally:
        process.terminate()
        process.communicate()
