"""`status`: of a redirect (RFC 9110 section 15.4)."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import url_rules, words


def find_cause(value: int) -> str | None:
    if value in url_rules.REDIRECT_STATUSES:
        return None
    return f"{value} is not a redirect; expected {words.listed(str(one) for one in url_rules.REDIRECT_STATUSES)}"


def _check(value: int, place: Place) -> None:
    place.add(find_cause(value))


OPTION = Option(
    name="status",
    form=forms.Number,
    default=301,
    doc=Doc(
        kind="301, 302, 303, 307, 308",
        default="`301`",
        meaning="301 and 308 are remembered by browsers; 307 and 308 keep the method",
    ),
    actions=frozenset({RouteAction.REDIRECT}),
    label=Label.VALUE,
    check=_check,
)
