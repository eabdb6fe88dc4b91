"""`max_header`: the longest line of a request's header (nginx.org/r/large_client_header_buffers).

For the whole gate: nginx reads it before it knows the site.
"""

import collections.abc

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, NginxContext, Option, between
from daemun.core.texts import quantity_rules

_NUMBER = "4"


def _lines(value: int, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    yield arguments.line("large_client_header_buffers", _NUMBER, arguments.size(value))


OPTION = Option(
    name="max_header",
    form=forms.Size,
    default=16 << 10,
    doc=Doc(
        kind="size, 1k to 1m",
        default="`16k`",
        meaning="the longest line of a request's header, a cookie for instance; four times as much is the longest "
        "header. Longer ones get 400, too long a URL 414",
    ),
    levels=frozenset({Level.GATE}),
    check=between(1 << 10, 1 << 20, rule=quantity_rules.check_size),
    lines=_lines,
)
