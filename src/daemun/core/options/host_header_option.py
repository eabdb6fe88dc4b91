"""`host_header`: what the servers see as Host."""

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, Place, RouteAction
from daemun.core.texts import rules


def _check(value: str | None, place: Place) -> None:
    if value is None:
        return
    place.add_value(value, rules.check_host_header(value))
    if any(target.scheme is model.Scheme.MEMCACHED for target in place.proxy.targets):
        place.add("cannot be sent to memcached")


OPTION = Option[str | None](
    name="host_header",
    form=forms.Text,
    default=None,
    doc=Doc(kind="host, host:port", default="the visitor's", meaning="what the server sees as `Host`"),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.TEXT,
    check=_check,
)
