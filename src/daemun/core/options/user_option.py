"""`user`: the account of nginx's workers, when daemun runs as root (nginx.org/r/user)."""

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place
from daemun.core.texts import rules

_OF_OTHERS = frozenset({"_www", "apache", "daemon", "http", "httpd", "nobody", "nogroup", "www", "www-data", "wwwrun"})
"""As which other programs run on some systems, which could then read the private keys."""


def _check(value: str | None, place: Place) -> None:
    if value is None:
        return
    place.add_value(value, rules.check_user(value))
    if value in _OF_OTHERS:
        place.add(
            "is an account that other programs run as, and they could read the private keys; leave `user` out, or name "
            "an account that nginx's workers have for themselves",
            severity=model.Severity.WARNING,
        )


OPTION = Option[str | None](
    name="user",
    form=forms.Text | None,
    default=None,
    doc=Doc(
        kind="account",
        default="chosen",
        meaning="whom nginx's workers run as, when daemun runs as root; a change waits for `daemun stop` and "
        "`daemun up`; where there is no such account, which is an error, daemun's own",
    ),
    levels=frozenset({Level.GATE}),
    check=_check,
)
"""None: chosen (`nginx.worker_account`)."""
