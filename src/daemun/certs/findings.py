"""What is found out about names before a CA is asked, and who finds it."""

import collections.abc
import dataclasses
import enum
import typing

from daemun.core import model


class Weight(enum.Enum):
    """BLOCKS: an order would fail for sure, so none is made. WARNS: it may fail, and a person should look.
    GOOD: looked at and as it should be."""

    BLOCKS = "blocks"
    WARNS = "warns"
    GOOD = "good"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """topic: what was looked at, a word ("dns", "reach", "caa", "budget", "clock", "record").
    host: None: of no single name. message: what was found. cure: what to do; None with Weight.GOOD."""

    topic: str
    weight: Weight
    message: str
    host: str | None = None
    cure: str | None = None

    def __str__(self) -> str:
        text = f"{self.host}: {self.message}" if self.host is not None else self.message
        return f"{text}; {self.cure}" if self.cure is not None else text


class Examiner(typing.Protocol):
    """Looks at names before an order (`certs.preflight`)."""

    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[Finding, ...]:
        """Every finding about an order for these hosts at this CA; takes seconds at most. Never raises: what could not
        be found out is no finding that blocks."""
        ...
