"""`spa`: a path that is no file is answered with the folder's first page, for applications that route by themselves."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Option, Place, RouteAction
from daemun.core.texts import route_paths


def _check(value: bool, place: Place) -> None:
    if value and place.route is not None and "$" in place.route.path:
        # nginx cuts the prefix off the last argument too when that holds a variable (ngx_http_try_files_handler).
        place.add("cannot be under a path with a $ (nginx would take it for a variable)")
    elif value and place.route is not None and not route_paths.is_prefix(place.route.path):
        place.add("is for the folder of a prefix, and this route has none")


OPTION = Option(
    name="spa",
    form=forms.Flag,
    default=False,
    doc=Doc(
        kind="true, false", default="`false`", meaning="what is no file is answered with the first page of `index`"
    ),
    actions=frozenset({RouteAction.FILES}),
    check=_check,
)
