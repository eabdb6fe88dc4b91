"""One child process of the demo: started in a session of its own, watched, and ended."""

import signal
import subprocess
import sys
import typing

from daemun import errors

STOP_TIMEOUT_S = 30.0


class DemoProcess:
    """A Python program of ours. name: for messages ("chat server")."""

    def __init__(self, name: str, arguments: typing.Sequence[str], *, announces: bool = False) -> None:
        """Start `python ARGUMENTS`. announces: it prints a line when it is ready (see `daemun.demo.child`)."""
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if announces else None,
            text=True,
            # Ctrl-C on a terminal reaches its whole process group: only the demo is to act on it, in its own order.
            start_new_session=True,
        )

    def announced(self) -> str:
        """Wait for the line it prints when it is ready. Raises: EnvironmentProblemError when it ended instead."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            line = output.readline().strip()
        if not line:
            self._process.wait()
            self.check()
        return line

    def check(self) -> None:
        """Raises: EnvironmentProblemError when it has ended."""
        status = self._process.poll()
        if status is None:
            return
        how = f"exit code {status}" if status >= 0 else signal.Signals(-status).name
        raise errors.EnvironmentProblemError(
            f"cannot go on with the demo: the {self.name} ended ({how}); what it said is above"
        )

    def stop(self) -> None:
        """Request its end, and wait; end it by force when it takes longer than STOP_TIMEOUT_S."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
