"""What the gate needs to know of clients of streams."""

import collections.abc
import typing

from daemun.core import model


class ServedStreams(typing.Protocol):
    """What clients of streams receive, looked at from outside (`daemun.probing`). Only `probe` waits for anything."""

    def publish(self, desired: model.Desired, streams: collections.abc.Iterable[model.StreamStatus]) -> None:
        """What a round came to. What is new in it is looked at soon."""
        ...

    def judge(
        self, streams: tuple[model.StreamStatus, ...], certificates: collections.abc.Iterable[model.CertificateStatus]
    ) -> tuple[model.StreamStatus, ...]:
        """The same with what was seen of each, and another state where clients of one that is live are not served."""
        ...

    async def probe(self, *, within_s: float) -> int:
        """Look at all of them now. Returns: how much was left when the time was over."""
        ...
