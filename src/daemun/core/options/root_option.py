"""`root`: for FastCGI, uwsgi and SCGI, the folder of the scripts as the server sees it."""

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import rules


def _check(value: str, place: Place) -> None:
    place.add_value(value, rules.check_absolute(value))
    if value != OPTION.default and not any(target.scheme.is_cgi for target in place.proxy.targets):
        place.add("has no effect: no target is fastcgi, uwsgi or scgi", severity=model.Severity.WARNING)


OPTION = Option(
    name="root",
    form=forms.Text,
    default="/var/www/html",
    doc=Doc(kind="path", default="`/var/www/html`", meaning="FastCGI, uwsgi, SCGI: the scripts' folder on the server"),
    actions=frozenset({RouteAction.TO}),
    label=Label.TEXT,
    check=_check,
)
