"""`underscores_in_headers`: whether headers with an underscore in their name reach the servers
(nginx.org/r/underscores_in_headers)."""

import collections.abc

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, NginxContext, Option


def _lines(value: bool, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    if value:
        yield arguments.line("underscores_in_headers", "on")


OPTION = Option(
    name="underscores_in_headers",
    form=forms.Flag,
    default=False,
    doc=Doc(
        kind="true, false",
        default="`false`",
        meaning="pass headers with an underscore in their name to the servers. Many take `X_Real_IP` for "
        "`X-Real-IP`, so such spellings of headers that are set or removed here stay removed",
    ),
    levels=frozenset({Level.SITE}),
    label=Label.VALUE,
    lines=_lines,
)
