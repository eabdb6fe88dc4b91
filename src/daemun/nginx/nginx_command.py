"""Run the nginx binary once, off the event loop's thread, without a shell."""

import asyncio
import dataclasses
import os

from daemun import errors

TIMEOUT_S = 120.0
"""Longest time nginx may need to read a configuration: names in hand-written directives are looked up meanwhile."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """status: the exit status, negative when a signal ended it. output: all it wrote to standard error."""

    status: int
    output: str


async def run(binary: str, *arguments: str, cwd: str, timeout_s: float = TIMEOUT_S) -> Finished:
    """Run nginx with its words on standard error, in a session of its own, and wait for this process alone.

    When the call is cancelled the process is killed; a master that it already started lives on.

    Raises: EnvironmentProblemError when the binary cannot be started or does not end within timeout_s seconds.
    """
    # A file, not a pipe: a master that keeps standard error open must not keep us waiting for its end. In memory: nginx
    # is started on a full disk, too.
    with os.fdopen(os.memfd_create("nginx"), "w+b") as output:
        process = await _start([binary, *arguments, "-e", "stderr"], cwd, output.fileno())
        try:
            async with asyncio.timeout(timeout_s):
                status = await process.wait()
        except TimeoutError:
            message = f"cannot run {binary}: it did not finish within {timeout_s:g} s; does name resolution work?"
            raise errors.EnvironmentProblemError(message) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        output.seek(0)
        return Finished(status=status, output=output.read().decode(errors="replace"))


async def _start(command: list[str], cwd: str, stderr: int) -> asyncio.subprocess.Process:
    # $NGINX would make nginx take over listening sockets that do not exist (its way of upgrading a running binary).
    environment = {name: value for name, value in os.environ.items() if name != "NGINX"}
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
            cwd=cwd,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        message = f"cannot run {command[0]}: {error.strerror}; name another nginx with --nginx PATH"
        raise errors.EnvironmentProblemError(message) from error
