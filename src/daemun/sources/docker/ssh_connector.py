"""Connections to an engine of another machine through the system's ssh, as Docker's own client makes them.

Each connection is an ssh of its own whose standard input and output are one end of a pair of sockets; the command
there, `docker system dial-stdio`, connects them to its engine. No shell of this machine is between, ssh may not
prompt, and whether the key of a host is the right one is ssh's to decide, by its own configuration.
Source: github.com/docker/cli, cli/connhelper; ssh_config(5)
"""

import asyncio
import contextlib
import os
import socket
import typing

import aiohttp
from aiohttp import client_proto

from daemun.core.texts import engine_urls, words

ANSWER_S = 20.0
"""So long an answer may take: it includes a login."""
_AT_ONCE = 3
"""Connections of one engine: its events, and two for queries."""
_KEPT_S = 300.0
"""How long one that is idle is kept. The list of containers is read every 15 s."""
_END_S = 2.0
_EXPLAIN_S = 0.5
"""One that fails has ended, or is about to."""
_LONGEST_OUTPUT = 65536
_LONGEST_LINE = 300
_OPTIONS = {
    "BatchMode": "yes",
    "ClearAllForwardings": "yes",
    "ConnectTimeout": "10",
    "ControlMaster": "no",
    "EscapeChar": "none",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "LogLevel": "ERROR",
    "PermitLocalCommand": "no",
    "ServerAliveCountMax": "3",
    "ServerAliveInterval": "5",
}


def make_command(url: engine_urls.SshUrl) -> tuple[str, ...]:
    """What `subprocess` starts. Pure."""
    options = (part for name, value in _OPTIONS.items() for part in ("-o", f"{name}={value}"))
    user = ("-l", url.user) if url.user is not None else ()
    port = ("-p", str(url.port)) if url.port is not None else ()
    engine = ("--host", f"unix://{url.socket}") if url.socket is not None else ()
    return ("ssh", "-T", *options, *user, *port, "--", url.host, "docker", *engine, "system", "dial-stdio")


class SshConnector(aiohttp.UnixConnector):
    """`close` ends every ssh."""

    def __init__(self, url: engine_urls.SshUrl) -> None:
        super().__init__(str(url), keepalive_timeout=_KEPT_S, limit=_AT_ONCE)
        self._url = url
        self._running: list[_Ssh] = []
        self._cause: str | None = None

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[typing.Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as aiohttp has it
    ) -> client_proto.ResponseHandler:
        """Raises: OSError."""
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            try:
                ssh = await _Ssh.start(self._url, theirs)
            finally:
                theirs.close()
            self._running.append(ssh)
            await self._forget_ended()
            _, protocol = await asyncio.get_running_loop().create_unix_connection(self._factory, sock=ours)
        except FileNotFoundError:
            ours.close()
            self._cause = (
                "the program ssh is not installed on this machine; install it (Debian: `apt install openssh-client`)"
            )
            raise
        except BaseException:
            ours.close()
            raise
        return protocol

    async def _forget_ended(self) -> None:
        """But for some, whose output may be of use. A connection that was idle for long ends."""
        ended = [one for one in self._running if not one.is_running]
        for one in ended[:-_AT_ONCE]:
            self._running.remove(one)
            await one.end()

    async def explain(self) -> str | None:
        """Why there is no connection, in ssh's last line, and what to do; None when ssh reported nothing."""
        if self._cause is not None:
            return self._cause
        for ssh in reversed(self._running):
            await ssh.wait(_EXPLAIN_S)
            if (output := ssh.read_output()).strip():
                return describe_failure(output, self._url)
        return None

    async def end(self) -> None:
        """Close all connections and end every ssh."""
        try:
            await self.close()
        finally:
            running, self._running = self._running, []
            for ssh in running:
                await ssh.end()


class _Ssh:
    """One that was started. output: the reading end of its standard error, which nobody reads until it is of use: what
    it writes is bounded by what the system keeps of a pipe."""

    def __init__(self, process: asyncio.subprocess.Process, output: int) -> None:
        self._process = process
        self._output: int | None = output

    @classmethod
    async def start(cls, url: engine_urls.SshUrl, theirs: socket.socket) -> "_Ssh":
        """Raises: OSError."""
        output, input_ = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(input_, True)
            process = await asyncio.create_subprocess_exec(
                *make_command(url), stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=input_, start_new_session=True
            )
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(input_)
        return cls(process, output)

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def wait(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._process.wait()

    def read_output(self) -> str:
        try:
            return "" if self._output is None else os.read(self._output, _LONGEST_OUTPUT).decode(errors="replace")
        except BlockingIOError:
            return ""

    async def end(self) -> None:
        if self._output is not None:
            os.close(self._output)
            self._output = None
        with contextlib.suppress(ProcessLookupError):
            if self.is_running:
                self._process.terminate()
                await self.wait(_END_S)
            if self.is_running:
                self._process.kill()
        await self._process.wait()


def describe_failure(output: str, url: engine_urls.SshUrl) -> str:
    """What ssh, or the command there, wrote last, and what to do. Pure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"ssh reports {words.quoted(lines[-1], at_most=_LONGEST_LINE)}; {_find_cure(output.lower(), url)}"


def _find_cure(output: str, url: engine_urls.SshUrl) -> str:
    machine, account = engine_urls.name_machine(url), "as the account that daemun runs as"
    if "remote host identification has changed" in output:
        return (
            "the machine shows another key than before: find out why, and only then remove the old one with "
            f"`ssh-keygen -R {url.host}` {account}"
        )
    if "host key verification failed" in output:
        return f"compare and accept its key once with `ssh {machine} true` {account}"
    if "permission denied (" in output:
        return f"let daemun's key in there with `ssh-copy-id {machine}` {account}: ssh may not ask for a password"
    if "not found" in output and "docker" in output:
        return (
            f"install Docker's client there (with podman: podman-docker) where `ssh {machine} docker version` finds it"
        )
    if "permission denied" in output:
        return f"let that account use the engine there: `usermod --append --groups docker {url.user or 'USER'}` as root"
    return f"`ssh {machine} docker version` {account} shows more, and must answer without a question"
