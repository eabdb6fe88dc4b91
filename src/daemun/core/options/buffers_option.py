"""`buffers`: how much of an answer nginx takes at once (nginx.org/r/proxy_buffer_size, proxy_buffers)."""

import collections.abc
import dataclasses
import typing

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, NginxContext, Option, Place, RouteAction
from daemun.core.texts import quantity_rules

_LENGTH = 16 << 10
"""Of one of the buffers behind the first."""
_MOST_HEADER = 256 << 10
_LEAST_AHEAD, _MOST_AHEAD = 64 << 10, 64 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Buffers(forms.OptionMap):
    """In bytes; None: the usual size."""

    meanings: typing.ClassVar[dict[str, str]] = {
        "header": "the longest header of a server's answer: 64k; 21k or more",
        "ahead": "how much of an answer is read ahead, where answers are (buffering): 4m; 1m",
    }
    header: forms.Size | None = None
    ahead: forms.Size | None = None


def _check(value: Buffers, place: Place) -> None:
    if value.header is not None:
        place.add(quantity_rules.check_size(value.header, least=4 << 10, most=_MOST_HEADER), "header")
    if value.ahead is not None:
        place.add(quantity_rules.check_size(value.ahead, least=_LEAST_AHEAD, most=_MOST_AHEAD), "ahead")
        # nginx wants twice the first buffer to fit into all others but one (ngx_http_proxy_merge_loc_conf).
        if value.header is not None and 2 * value.header > value.ahead - _LENGTH:
            place.add(f"has to be more than twice the header, {quantity_rules.show_size(2 * value.header)}", "ahead")


def _lines(value: Buffers, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    if context.module is None or context.module == "memcached":
        return
    if value.header is not None:
        yield arguments.line(f"{context.module}_buffer_size", arguments.size(value.header))
    if context.module == "grpc" or value.ahead is None:
        return
    yield arguments.line(f"{context.module}_buffers", str(value.ahead // _LENGTH), arguments.size(_LENGTH))
    if value.header is None:
        # The usual first buffer may be too large for few of the others.
        yield arguments.line(f"{context.module}_buffer_size", arguments.size(_LENGTH))


OPTION = Option(
    name="buffers",
    form=Buffers,
    default=Buffers(),
    doc=Doc(
        kind="`{header, ahead}`",
        default="`64k` (`21k` with musl), `1m`",
        meaning="the longest header of a server's answer (4k to 256k), and how much of an answer is read ahead where "
        "`buffering` is on (64k to 64m)",
    ),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.VALUE,
    check=_check,
    lines=_lines,
)
