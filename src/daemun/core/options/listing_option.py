"""`listing`: the content of folders is shown (nginx.org/en/docs/http/ngx_http_autoindex_module.html)."""

import collections.abc

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Doc, NginxContext, Option, Place, RouteAction
from daemun.core.texts import route_paths


def _lines(value: bool, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    if value:
        yield arguments.line("autoindex", "on")
        yield arguments.line("autoindex_exact_size", "off")


def _check(value: bool, place: Place) -> None:
    if value and place.route is not None and not route_paths.is_prefix(place.route.path):
        place.add("is for the folder of a prefix, and this route has none")


OPTION = Option(
    name="listing",
    form=forms.Flag,
    default=False,
    doc=Doc(kind="true, false", default="`false`", meaning="show the content of folders"),
    actions=frozenset({RouteAction.FILES}),
    check=_check,
    lines=_lines,
)
