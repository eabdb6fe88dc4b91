"""`buffering`: whether answers and requests wait here for their other end."""

from daemun.core.options import forms
from daemun.core.options.option import Doc, Label, Option, RouteAction

OPTION = Option[bool | None](
    name="buffering",
    form=forms.Flag,
    # Answers of HTTP servers leave as they come, those of FastCGI, uwsgi and SCGI are read ahead; small requests are
    # held until they are whole.
    default=None,
    doc=Doc(
        kind="true, false",
        default="`false`; with FastCGI, uwsgi, SCGI: `true`",
        meaning="`true`: read answers as fast as the server sends them, up to a megabyte ahead; `false` "
        "written out: no body of a request is held either",
    ),
    actions=frozenset({RouteAction.TO, RouteAction.PHP}),
    label=Label.VALUE,
)
