"""What was found out about a name, a CA or the gate, with what to do about it."""

import dataclasses
import enum


class Weight(enum.Enum):
    """BLOCKS: an order would fail for sure, so none is made. WARNS: it may fail, and a person should look.
    GOOD: looked at and as it should be."""

    BLOCKS = "blocks"
    WARNS = "warns"
    GOOD = "good"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """topic: what was looked at, a word ("dns", "reach", "caa", "budget", "clock", "record").
    host: None: of no single name. message: what was found. cure: what to do; None with
    Weight.GOOD, and where the message has it."""

    topic: str
    weight: Weight
    message: str
    host: str | None = None
    cure: str | None = None

    def __str__(self) -> str:
        text = f"{self.host}: {self.message}" if self.host is not None else self.message
        return f"{text}; {self.cure}" if self.cure is not None else text
