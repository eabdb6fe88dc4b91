"""How much is to be measured, as every measurement is told."""

import dataclasses
import pathlib
import sys


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """folder: empty, and gone afterwards; others may enter it. quick: a look whether all works, in a small part of the
    time; its figures say little. rounds: how often each contestant is measured at least. nginx: the path of the binary;
    None: the one that daemun would choose.
    """

    folder: pathlib.Path
    quick: bool
    nginx: str | None = None

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 5


def tell(what: str) -> None:
    """A line for the person who waits."""
    print(what, file=sys.stderr, flush=True)
