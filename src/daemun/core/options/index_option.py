"""`index`: for FastCGI, the script for paths that name none."""

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Beside, Doc, Label, Option, Place


def _check(value: str, place: Place) -> None:
    cause = rules.check_text(value)
    if cause is None and (not value or "/" in value or "$" in value):
        cause = "must be the name of a file, without a folder or a variable"
    place.add_value(value, cause)


OPTION = Option(
    name="index",
    form=forms.Text,
    default="index.php",
    doc=Doc(
        kind="file name",
        usual="`index.php`",
        meaning="FastCGI: the script of a folder",
    ),
    beside=frozenset({Beside.TO}),
    label=Label.TEXT,
    check=_check,
)
