"""`http3`: HTTP/3 beside the other versions (nginx.org/en/docs/quic.html).

Off by default: a reload of nginx ends connections over QUIC without telling the client (nginx issues 425 and 1399, seen
with 1.30.6), which waits for seconds before it comes over TCP.
"""

import collections.abc

from daemun.core import model, render_environment
from daemun.core.options import forms
from daemun.core.options.option import Doc, Level, Option, Place, WantedFeature

_RELOADS = (
    "makes each change that reloads nginx end connections over HTTP/3 without a word, and visitors wait for seconds; "
    "without it they come over HTTP/2, which no reload interrupts"
)


def _check(value: bool, place: Place) -> None:
    if not value:
        return
    place.add(_RELOADS, severity=model.Severity.WARNING)
    if place.site is None:
        return
    if place.site.tls.mode is model.TlsMode.OFF:
        place.add("is encrypted always, but tls is off; remove one of them")
    elif place.site.https_port is not None:
        place.add("is for the ports of the gate, and the site has one of its own for HTTPS; remove one of them")


def _wants(value: bool) -> collections.abc.Iterator[WantedFeature]:
    if value:
        without = "visitors come over HTTP/2; `daemun nginx install` brings one that has it, or leave `http3` out"
        yield WantedFeature(feature=render_environment.Feature.HTTP_V3, without=without)


OPTION = Option(
    name="http3",
    form=forms.Flag,
    default=False,
    doc=Doc(
        kind="true, false",
        default="`false`",
        meaning="HTTP/3 for all sites, or for this one, on the UDP ports of the gate's `listen.https`; a reload ends "
        "its connections, see [nginx.md](nginx.md#http3)",
    ),
    levels=frozenset({Level.GATE, Level.SITE}),
    check=_check,
    wants=_wants,
)
