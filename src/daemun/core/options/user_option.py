"""`user`: the account of nginx's workers, when daemun runs as root (nginx.org/r/user)."""

from daemun.core import rules
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place


def _check(value: str | None, place: Place) -> None:
    if value is not None:
        place.add_value(value, rules.check_user(value))


OPTION = Option[str | None](
    name="user",
    form=forms.Text | None,
    default=None,
    doc=Doc(
        kind="account",
        usual="chosen",
        meaning="whom nginx's workers run as, when daemun runs as root; a change waits for `daemun stop` and "
        "`daemun up`; where there is no such account, which is an error, daemun's own",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""None: chosen (`nginx.worker_account`)."""
