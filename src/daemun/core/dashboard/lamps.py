"""Three lamps of a site or stream: settings, certificate, the servers behind it. Pure: the time is an argument.

Each is judged by itself, so that it is plain whose fault it is: a dead server is none of the settings, and a
certificate that cannot be renewed shows while visitors still see the former one.
"""

import collections.abc
import dataclasses
import datetime
import enum

from daemun.core import model
from daemun.core.certificates import certificate_faults
from daemun.core.issuance import renewal_time
from daemun.core.served import served_judgement


class Light(enum.Enum):
    """WARNING: visitors are served, and something deserves a look. UNKNOWN: not looked at yet, or there is none."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"


_WORST_FIRST = (Light.BAD, Light.WARNING, Light.UNKNOWN, Light.GOOD)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteLamp:
    """why: in words; "": there is nothing to add. is_needless: there is nothing to be judged, as of a site without
    TLS."""

    light: Light
    why: str = ""
    is_needless: bool = False


GOOD = SiteLamp(light=Light.GOOD)
_OFF = SiteLamp(light=Light.UNKNOWN, why="disabled")
_NOT_SEEN = SiteLamp(light=Light.UNKNOWN, why="not looked at yet")
_PLAIN = SiteLamp(light=Light.UNKNOWN, why="no TLS", is_needless=True)


def worst(lamps: collections.abc.Iterable[SiteLamp]) -> Light:
    found = [one.light for one in lamps if not one.is_needless]
    for light in _WORST_FIRST:
        if light in found:
            return light
    return Light.UNKNOWN


def of_settings(
    state: model.SiteState,
    reason: str | None,
    problems: collections.abc.Sequence[model.Problem] = (),
    *,
    is_closed: bool = False,
) -> SiteLamp:
    """Whether nginx runs what is written. problems: of the site. is_closed: it is in maintenance."""
    match state:
        case model.SiteState.DISABLED:
            return _OFF
        case model.SiteState.QUARANTINED:
            return SiteLamp(light=Light.BAD, why=reason or "nginx refuses it; its last good version is served")
        case model.SiteState.PENDING:
            return SiteLamp(light=Light.WARNING, why=reason or "it is not live yet")
        case model.SiteState.WAITING:
            return SiteLamp(light=Light.UNKNOWN, why=reason or "it waits for its container")
    for severity, light in (
        ((model.Severity.ERROR, Light.BAD), (model.Severity.WARNING, Light.WARNING)) if problems else ()
    ):
        found = next((one.message for one in problems if one.severity is severity), None)
        if found is not None:
            return SiteLamp(light=light, why=found)
    return SiteLamp(light=Light.WARNING, why="in maintenance: visitors get a page with 503") if is_closed else GOOD


def of_certificate(
    certificate: model.CertificateStatus | None,
    handshakes: collections.abc.Sequence[model.HandshakeLook],
    now: datetime.datetime,
    *,
    has_tls: bool,
    is_enabled: bool,
) -> SiteLamp:
    """Judged by the planned renewal and how tries end, never by days alone: a certificate of six days with three left
    is as it should be. handshakes: those that did not go as they should."""
    if not is_enabled:
        return _OFF
    if not has_tls:
        return _PLAIN
    if handshakes:
        return SiteLamp(light=Light.BAD, why=handshakes[0].cause)
    if certificate is None:
        return _NOT_SEEN
    light = _light_of(certificate, now)
    return SiteLamp(light=light, why=_why(certificate, now)) if light is not Light.GOOD else _of_life(certificate, now)


_STATES = {
    model.CertificateState.VALID: Light.GOOD,
    model.CertificateState.LOCAL: Light.GOOD,
    model.CertificateState.PENDING: Light.WARNING,
    model.CertificateState.FAILING: Light.WARNING,
    model.CertificateState.INVALID: Light.BAD,
    model.CertificateState.INCOMPLETE: Light.WARNING,
    model.CertificateState.NOT_SERVED: Light.BAD,
}


def _light_of(certificate: model.CertificateStatus, now: datetime.datetime) -> Light:
    """Bad where some visitors do not get what they should."""
    fault = certificate_faults.find_fault(certificate, now)
    is_over = certificate.not_after is not None and certificate.not_after <= now
    is_useless = is_over or (fault is not None and fault.is_useless)
    return Light.BAD if is_useless else _STATES[certificate.state]


def _why(certificate: model.CertificateStatus, now: datetime.datetime) -> str:
    fault = certificate_faults.find_fault(certificate, now)
    if fault is not None:
        return fault.reason
    if certificate.not_after is not None and certificate.not_after <= now:
        return f"it expired on {certificate.not_after:%Y-%m-%d}"
    if certificate.reason:
        return certificate.reason
    is_pending = certificate.state is model.CertificateState.PENDING
    return "one of the local CA is shown while it is ordered" if is_pending else "handshakes do not show it"


def _of_life(certificate: model.CertificateStatus, now: datetime.datetime) -> SiteLamp:
    if certificate.not_before is None or certificate.not_after is None:
        return GOOD
    if now < renewal_time.last_moment(certificate.not_before, certificate.not_after):
        return GOOD
    if certificate.kind is model.CertificateKind.OWN:
        why = f"it ends on {certificate.not_after:%Y-%m-%d}, and its owner renews it"
        return SiteLamp(light=Light.WARNING, why=why)
    return SiteLamp(light=Light.WARNING, why="its renewal is overdue")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerCount:
    """up: how many of them answer."""

    up: int
    total: int


NO_SERVERS = ServerCount(up=0, total=0)


def count_servers(routes: collections.abc.Iterable[model.RouteLook]) -> ServerCount:
    """Each server once, however many routes lead to it: it counts as up where it answers for all of them."""
    seen: dict[str, bool] = {}
    for route in routes:
        for one in route.servers:
            seen[one.server] = seen.get(one.server, True) and one.trouble is None
    return ServerCount(up=sum(seen.values()), total=len(seen))


def of_servers(look: model.SiteLook | None, now: datetime.datetime, *, has_servers: bool, is_enabled: bool) -> SiteLamp:
    """Bad where a route has no server that answers, or no judge that it needs. has_servers: the gate passes requests of
    the site on."""
    if not is_enabled:
        return _OFF
    if look is None:
        return _NOT_SEEN if has_servers else GOOD
    troubles = [one for route in look.routes for one in (*route.judges, *route.servers) if one.trouble is not None]
    for route in look.routes:
        down = served_judgement.is_down(route.judges) or served_judgement.is_down(route.servers)
        if down:
            first = next(one for one in (*route.judges, *route.servers) if one.trouble is not None)
            return SiteLamp(light=Light.BAD, why=_placed(look, route.path, first.cause or "it does not answer"))
    if troubles:
        return SiteLamp(light=Light.WARNING, why=troubles[0].cause or f"{troubles[0].server} does not answer")
    for route in look.routes:
        error = route.last_error
        if error is not None and error.is_lasting and now - error.at < served_judgement.FRESH:
            why = _placed(look, route.path, served_judgement.describe_error(error, now))
            return SiteLamp(light=Light.WARNING, why=why)
    is_seen = any(route.servers for route in look.routes)
    return GOOD if is_seen or not has_servers else _NOT_SEEN


def _placed(look: model.SiteLook, path: str, why: str) -> str:
    return why if len(look.routes) == 1 else f"route {path}: {why}"


def of_stream_servers(look: model.StreamLook | None, state: model.SiteState) -> SiteLamp:
    """The same of a stream."""
    if state is model.SiteState.DISABLED:
        return _OFF
    if look is None or not look.servers:
        return _NOT_SEEN
    bad = [one for one in look.servers if one.trouble is not None]
    if not bad:
        return GOOD
    why = bad[0].cause or f"{bad[0].server} does not answer"
    return SiteLamp(light=Light.BAD if len(bad) == len(look.servers) else Light.WARNING, why=why)
