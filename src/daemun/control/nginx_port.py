"""What the loop needs of nginx (`daemun.nginx`): its configuration, its processes and the machine's addresses. As in
`ports`, each Protocol's docstring is its contract.
"""

import collections.abc
import dataclasses
import typing

from daemun.core import model, render_environment
from daemun.core.plan import listeners
from daemun.errors import EnvironmentProblemError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TestFailure:
    """nginx's refusal of a staged tree. file: relative to the tree, None when nginx named none. message: its words.
    cure: what to do about it, where that is known. may_pass: it is for something outside the configuration, which may
    be there later without a change of it."""

    __test__ = False  # not a pytest class

    message: str
    file: str | None = None
    line: int | None = None
    cure: str | None = None
    may_pass: bool = False


class ListenError(EnvironmentProblemError):
    """nginx cannot have one of the addresses that a tree listens on. denied: which, and why."""

    def __init__(self, denied: listeners.Denied, message: str | None = None) -> None:
        super().__init__(message or str(denied))
        self.denied = denied


class ReverseProxy(typing.Protocol):
    """nginx (`daemun.nginx`): generations of configuration and the processes that run them."""

    async def read_actual(self) -> model.Actual: ...

    async def stage(self, files: collections.abc.Mapping[str, bytes]) -> TestFailure | None:
        """Write the next generation and let nginx test it. None: accepted. Nothing that runs is touched.

        Raises: EnvironmentProblemError when the disk is full or nginx cannot be started; ListenError when the machine
        has no such address, or a port needs a right.
        """
        ...

    async def activate(self) -> int:
        """Switch to the staged generation, start or reload nginx, and wait until its workers answer with it.

        Returns: the generation's number. Raises: ApplyError after the previous generation was restored byte for byte;
        EnvironmentProblemError when the cause is the machine's, ListenError when an address is taken.
        """
        ...

    async def stop(self, *, grace_s: float) -> None:
        """Let open requests finish for at most grace_s, then end nginx. Does nothing when it does not run."""
        ...


class Succession(typing.Protocol):
    """Which nginx binary serves, and which one takes over from it (`daemun.nginx`)."""

    @property
    def binary(self) -> render_environment.Nginx:
        """The one that serves, or would be started; while another one is offered, that one."""
        ...

    async def find_successor(self) -> render_environment.Successor | None:
        """The binary that would be started now, where that is another file than the one that serves. None also when
        nothing serves. Takes milliseconds. Raises: EnvironmentProblemError when there is none that could be used."""
        ...

    def offer(self, successor: render_environment.Nginx | None) -> None:
        """Let this one judge what is staged, and take over with the next `ReverseProxy.activate`, from which on it is
        the one that serves. None: no other one is to."""
        ...


class OldWorkers(typing.Protocol):
    """Generations of nginx's workers that others replaced, and that finish their connections (`daemun.nginx`)."""

    async def list_old(self) -> tuple[model.OldGeneration, ...]:
        """Oldest first, with their memory; sockets are not counted. Takes milliseconds."""
        ...

    async def count_sockets(self, old: tuple[model.OldGeneration, ...]) -> tuple[model.OldGeneration, ...]:
        """The same with their sockets, where this account may know. Costs more the more connections are open."""
        ...

    async def close_sockets(self, one: model.OldGeneration, most: int) -> int:
        """End so many connections, each once: what is being sent is sent. A worker without connections
        ends by itself. Returns: how many were ended. Raises: EnvironmentProblemError when this account may
        not; nothing was closed then."""
        ...

    async def end_worker(self, worker: model.OldWorker) -> None:
        """End it with all its connections at once. Nothing happens when it is gone. Raises: EnvironmentProblemError."""
        ...


class Listening(typing.Protocol):
    """The machine's addresses, before nginx needs them (`daemun.nginx`)."""

    async def find_denied(self, addresses: collections.abc.Collection[str]) -> tuple[listeners.Denied, ...]:
        """Those of these addresses ("0.0.0.0:80", "[::]:80") that nginx surely could not listen on now: another program
        does, or the machine has no such address. They are tried for an instant, and nothing is sent."""
        ...
