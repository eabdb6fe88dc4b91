"""`max_body`: the largest body of a request (nginx.org/r/client_max_body_size)."""

import collections.abc

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, NginxContext, Option, between
from daemun.core.texts import quantity_rules, rules


def _lines(value: int, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    yield arguments.line("client_max_body_size", arguments.size(value))


OPTION = Option(
    name="max_body",
    form=forms.Size,
    # What is large is never held here, so it costs nothing but the time of its server.
    default=0,
    doc=Doc(kind="size, `off`", default="`off`", meaning="largest request body"),
    label=Label.VALUE,
    check=between(0, rules.MAX_BYTES_OF_A_FILE, rule=quantity_rules.check_size),
    lines=_lines,
)
