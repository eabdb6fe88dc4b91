"""`redirect_status`: status of the redirect to HTTPS for what is neither GET nor HEAD: a 301 makes a GET of it
(RFC 9110 section 15.4.2)."""

from daemun.core import words
from daemun.core.options import forms
from daemun.core.options.option import Label, Level, Option, Place

STATUSES = (301, 307, 308)


def _check(value: int, place: Place) -> None:
    if value not in STATUSES:
        place.add(f"expected {words.listed(str(status) for status in STATUSES)}, found {value}")


OPTION = Option(
    name="redirect_status",
    form=forms.Number,
    default=308,
    meaning="status of the redirect to HTTPS for methods but GET and HEAD: 308 (default), 307 or 301",
    levels=frozenset({Level.SITE}),
    label=Label.VALUE,
    check=_check,
)
