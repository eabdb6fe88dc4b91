"""`retries`: further servers that are tried after a failure, only where a retry is safe
(nginx.org/r/proxy_next_upstream)."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, RouteAction, between

OPTION = Option(
    name="retries",
    form=forms.Number,
    default=2,
    doc=Doc(
        kind="number",
        default="`2`",
        meaning="further servers tried after a failure, where that is safe; `0`: nothing is sent twice",
    ),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.VALUE,
    check=between(0, 100),
)
