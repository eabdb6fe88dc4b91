"""`index`: what answers a path that is a folder: pages (nginx.org/r/index), or FastCGI's script."""

import collections.abc
import typing

from daemun.core import arguments, directive, model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, NginxContext, Option, Place, RouteAction
from daemun.core.texts import rules

_PAGE, _SCRIPT = "index.html", "index.php"


def find_pages(files: model.Files) -> tuple[str, ...]:
    """The pages of a folder; the first stands for every path with `spa`."""
    return OPTION.of(files) or (_PAGE,)


def find_script(proxy: model.Proxy) -> str:
    return (OPTION.of(proxy) or (_SCRIPT,))[0]


def _check(value: tuple[str, ...], place: Place) -> None:
    if value and place.route is not None and isinstance(place.route.action, model.Proxy):
        if not any(target.scheme is model.Scheme.FASTCGI for target in place.route.action.targets):
            place.add("has no effect: no target is fastcgi", severity=model.Severity.WARNING)
        elif len(value) > 1:
            place.add("expected one name: FastCGI servers have one script for folders")
    for index, name in enumerate(value):
        cause = rules.check_text(name)
        if cause is None and (name in {"", ".", ".."} or "/" in name or "$" in name):
            cause = "must be the name of a file, without a folder or a variable"
        place.add_value(name, cause, index)


def _lines(value: tuple[str, ...], context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    if value and context.module is None:
        yield arguments.line("index", *value)


OPTION = Option[tuple[str, ...]](
    name="index",
    form=typing.Annotated[forms.Texts, forms.ONE_OR_MORE],
    default=(),
    doc=Doc(
        kind="file name; with `files` also a list of them",
        default="`index.php`, `index.html`",
        meaning="the script of a folder for FastCGI; with `files` the pages of a folder, of which the first that is "
        "there is shown",
    ),
    actions=frozenset({RouteAction.TO, RouteAction.FILES}),
    label=Label.TEXT,
    check=_check,
    lines=_lines,
)
"""Empty: index.php for FastCGI, index.html for files."""
