"""Makes and removes records by running a program of the owner's, for DNS that nothing else here can change.

It is run without a shell, as `PROGRAM [its arguments] present|cleanup NAME VALUE`, and gets the same in its
environment: DAEMUN_ACTION, DAEMUN_NAME, DAEMUN_VALUE, the zone as DAEMUN_ZONE, and the kind of the
record (TXT; A and AAAA of a fleet) as DAEMUN_TYPE. It succeeds by exit code 0.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import typing

from daemun import causes, errors
from daemun.certs.dns01 import txt_records

TIMEOUT_S = 300.0
_LAST_BYTES = 4096
_LONGEST_LINE = 300


class Hook:
    """command: the program, with an absolute path, and its first arguments."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command

    def create(self, record: txt_records.Record) -> None:
        self._run("present", record)

    def remove(self, record: txt_records.Record) -> None:
        self._run("cleanup", record)

    def _run(self, action: str, record: txt_records.Record) -> None:
        """Raises: RetryableError with the exit code and the last line of standard error."""
        variables = {
            "ACTION": action,
            "NAME": record.name,
            "VALUE": record.value,
            "ZONE": record.zone,
            "TYPE": record.kind,
        }
        failed = f"cannot {'make' if action == 'present' else 'remove'} the record {record.name}"
        program = self._command[0]
        # A file, not a pipe: what the program leaves running may keep its end of a pipe open.
        with tempfile.TemporaryFile() as file:
            try:
                process = subprocess.Popen(
                    [*self._command, action, record.name, record.value],
                    env={**os.environ, **{f"DAEMUN_{name}": value for name, value in variables.items()}},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=file,
                    start_new_session=True,
                )
            except OSError as error:
                cause = causes.describe(error)
                raise errors.RetryableError(
                    f"{failed}: {program} cannot be run: {cause}; correct `acme.dns.command`, or the program's rights"
                ) from None
            try:
                code = process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise errors.RetryableError(
                    f"{failed}: {program} {action} has not ended after {TIMEOUT_S:.0f} s and was killed{_last(file)}; "
                    "make it end as soon as the record is made: daemun waits by itself until it is seen"
                ) from None
            if code != 0:
                how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
                cure = f"run it by hand to see why: {program} {action} {record.name} VALUE"
                raise errors.RetryableError(f"{failed}: {program} {how}{_last(file)}; {cure}")


def _last(file: typing.IO[bytes]) -> str:
    """The last line that it printed, for the end of a message; without control characters, and not too long."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LAST_BYTES))
    lines = file.read().decode(errors="replace").strip().splitlines()
    if not lines:
        return " and said nothing"
    line = "".join(char if char.isprintable() else " " for char in lines[-1]).strip()
    return f", saying: {line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + '…'}"
