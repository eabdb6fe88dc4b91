"""`user`: the account of nginx's workers, when daemun runs as root (nginx.org/r/user)."""

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Level, Option, Place


def _check(value: str | None, place: Place) -> None:
    if value is not None:
        place.add_value(value, rules.check_user(value))


OPTION = Option[str | None](
    name="user",
    form=forms.Text | None,
    default=None,
    meaning="the account of nginx's workers, when daemun runs as root; default: daemun or nginx, else daemun is made",
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""None: chosen (`nginx.worker_account`)."""
