"""`redirect_status`: status of the redirect to HTTPS for what is neither GET nor HEAD: a 301 makes a GET of it
(RFC 9110 section 15.4.2)."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Level, Option, Place
from daemun.core.texts import words

STATUSES = (301, 307, 308)


def _check(value: int, place: Place) -> None:
    if value not in STATUSES:
        place.add(f"expected {words.listed(str(status) for status in STATUSES)}, found {value}")


OPTION = Option(
    name="redirect_status",
    form=forms.Number,
    default=308,
    doc=Doc(
        kind="301, 307, 308",
        default="`308`",
        meaning="of the redirect to HTTPS, and of aliases, for requests that are neither GET nor HEAD (those "
        "get 301): after a 301 a POST comes as a GET",
    ),
    levels=frozenset({Level.SITE}),
    label=Label.VALUE,
    check=_check,
)
