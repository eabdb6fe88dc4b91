"""`node`: what is this machine's own in the file that all machines of a fleet share."""

import dataclasses
import typing

from daemun.core import model
from daemun.core.options import forms, listen_option
from daemun.core.options.option import Doc, Level, Option


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node(forms.OptionMap):
    """listen: goes before the file's own `listen`; None: that one holds."""

    shape: typing.ClassVar[str] = "a map such as {listen: {http: 80, https: 443}}"
    meanings: typing.ClassVar[dict[str, str]] = {
        "listen": "where visitors come in on this machine, in place of `listen` beside it"
    }
    listen: listen_option.FORM | None = None

    @property
    def own_listen(self) -> model.Listen | None:
        """`listen` as its form reads it."""
        return typing.cast(model.Listen | None, self.listen)


OPTION = Option[Node | None](
    name="node",
    form=Node | None,
    default=None,
    doc=Doc(
        kind="`{listen}`, as `listen`",
        default="none",
        meaning="what is this machine's own where a fleet shares the rest of the file: what stands in `node` goes"
        " before the same key beside it, and stays on this machine",
    ),
    levels=frozenset({Level.GATE}),
)
