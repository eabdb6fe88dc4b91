"""What requests look like, in every way that may decide how a proxy's memory happens to lie: the lengths of the host's
name and of the path, the number of headers, and the size of the answer. Pure.

One fixed name and one small answer measure luck: an allocator may map and unmap memory for each request with one name,
and not with one that is a byte longer.
"""

import dataclasses
import itertools

SIZES = {"0.1 kB": 117, "2 kB": 2_000, "20 kB": 20_000, "200 kB": 200_000}
"""Of answers. The name is the first part of the path at which the server behind has it, without its space."""

_OWN_HEADERS = 2
"""Host, or :authority, and User-Agent: what who makes load sends anyway."""
_SHAPES = ((3, 8, 4), (9, 24, 30), (17, 400, 8), (24, 12, 15), (31, 150, 15), (33, 60, 4))
_FURTHER = ((39, 8, 30), (44, 250, 8), (48, 30, 8), (52, 100, 15), (57, 16, 4), (60, 200, 30))
"""Lengths of the host and of the path, and headers."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """size: a key of SIZES. headers: how many a request has."""

    host: str
    path: str
    headers: int
    size: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The headers beside those that every request has. As browsers' are: of some dozens of bytes."""
        return tuple(f"x-header-{number:02}: {'v' * (12 + number)}" for number in range(self.headers - _OWN_HEADERS))

    def __str__(self) -> str:
        return f"host of {len(self.host)}, path of {len(self.path)}, {self.headers} headers, {self.size}"


def make_path(size: str, length: int) -> str:
    """A path of this length, at least, whose answer has this size."""
    prefix = f"/{size.replace(' ', '')}/"
    return prefix + "p" * max(1, length - len(prefix))


def make_host(length: int) -> str:
    """A name of this length: a single label where it is short."""
    return "a" * (length - 5) + ".test" if length > 6 else "a" * length


def _make(shapes: tuple[tuple[int, int, int], ...]) -> tuple[Variation, ...]:
    """Each shape with one size, and the sizes in turn."""
    return tuple(
        Variation(host=make_host(host), path=make_path(size, path), headers=headers, size=size)
        for (host, path, headers), size in zip(shapes, itertools.cycle(SIZES), strict=False)
    )


EVERY = _make((*_SHAPES, *_FURTHER))
"""Twelve, three of each size."""
FEW = EVERY[:2]
"""To see whether it works."""
