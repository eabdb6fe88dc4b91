"""A file of the owner's that nginx shows visitors in place of a page of the gate."""

import collections.abc
import dataclasses

from daemun.core.options.option import NamedFile, Place
from daemun.core.texts import rules


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """path: absolute. trusted: the part of its folder's path in which links are nobody else's; None: all of it."""

    path: str
    trusted: str | None = None


Replace = collections.abc.Callable[[PageFile], PageFile]


def named(page: PageFile, *below: str) -> NamedFile:
    return NamedFile(path=page.path, below=below, is_watched=True, until="the gate's own page is shown")


def check(page: PageFile, place: Place, *below: str) -> None:
    place.add_value(page.path, rules.check_absolute(page.path), *below)
    if page.path.endswith("/"):
        place.add_value(page.path, "is a folder; name the file in it", *below)
