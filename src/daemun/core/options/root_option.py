"""`root`: for FastCGI, the folder of the scripts as the server sees it."""

from daemun.core import model, rules
from daemun.core.options import forms
from daemun.core.options.option import Beside, Doc, Label, Option, Place


def is_fastcgi(proxy: model.Proxy) -> bool:
    return any(target.scheme is model.Scheme.FASTCGI for target in proxy.targets)


def _check(value: str, place: Place) -> None:
    place.add_value(value, rules.check_absolute(value))
    if value != OPTION.default and not is_fastcgi(place.proxy):
        place.add("has no effect: no target is fastcgi", severity=model.Severity.WARNING)


OPTION = Option(
    name="root",
    form=forms.Text,
    default="/var/www/html",
    doc=Doc(
        kind="path",
        usual="`/var/www/html`",
        meaning="FastCGI: the scripts' folder on the server",
    ),
    beside=frozenset({Beside.TO}),
    label=Label.TEXT,
    check=_check,
)
