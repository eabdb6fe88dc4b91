"""`local_address`: the address of this machine from which servers are connected to (nginx.org/r/proxy_bind)."""

import collections.abc

from daemun.core import arguments, directive
from daemun.core.options import forms
from daemun.core.options.option import Doc, NginxContext, Option, Place, RouteAction
from daemun.core.texts import names, words


def _check(value: str | None, place: Place) -> None:
    if value is None:
        return
    found = names.address_of(value)
    if found is None or "%" in value or value.startswith("["):
        place.add(f"{words.quoted(value)} is no IP address; write one that this machine has, such as 192.0.2.7")
        return
    for target in place.proxy.targets:
        if target.socket is not None:
            place.add("has no meaning for a unix socket; leave it out")
        other = None if target.host is None else names.address_of(target.host)
        if other is not None and other.version != found.version:
            place.add(
                f"is IPv{found.version}, and the server {target.host} is IPv{other.version}; choose one of its kind"
            )


def _lines(value: str | None, context: NginxContext) -> collections.abc.Iterator[directive.Directive]:
    found = None if value is None else names.address_of(value)
    if found is not None and context.module is not None:
        yield arguments.line(f"{context.module}_bind", found.compressed)


OPTION = Option[str | None](
    name="local_address",
    form=forms.Text,
    default=None,
    doc=Doc(
        kind="IP address",
        default="the system's choice",
        meaning="the address of this machine from which the servers are connected to; health checks come from the "
        "usual one",
    ),
    actions=frozenset({RouteAction.TO}),
    check=_check,
    lines=_lines,
)
