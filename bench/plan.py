"""How much is to be measured, as every measurement is told."""

import dataclasses
import pathlib
import sys


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """folder: empty, and gone afterwards; others may enter it. quick: a look whether all works, in a small part of the
    time; its figures say little. nginx: the path of one that is measured beside the bundled one; None: Debian's newest.
    """

    folder: pathlib.Path
    quick: bool
    nginx: str | None = None


def tell(what: str) -> None:
    """A line for the person who waits."""
    print(what, file=sys.stderr, flush=True)
