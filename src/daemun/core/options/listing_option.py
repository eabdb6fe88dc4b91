"""`listing`: the content of folders is shown (nginx.org/en/docs/http/ngx_http_autoindex_module.html)."""

import collections.abc

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Beside, Doc, Option, Spot


def _lines(value: bool, spot: Spot) -> collections.abc.Iterator[directive.Directive]:
    if value:
        yield arguments.line("autoindex", "on")
        yield arguments.line("autoindex_exact_size", "off")


OPTION = Option(
    name="listing",
    form=forms.Flag,
    default=False,
    doc=Doc(kind="true, false", usual="`false`", meaning="show the content of folders"),
    beside=frozenset({Beside.FILES}),
    lines=_lines,
)
