"""Whether visitors of a site are served, judged from what was seen as a visitor sees it. Pure: the time is an argument.

A site is live only if a visitor gets its certificate and its servers answer.
"""

import collections
import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.certificates import certificate_faults
from daemun.core.options import access_option
from daemun.core.served import server_answers, upstream_errors
from daemun.core.texts import durations, words

FRESH = datetime.timedelta(minutes=5)
"""How long an error that nginx logged counts against a site, when connecting to its server shows nothing of it."""

BAD_CERTIFICATES = frozenset(
    {model.CertificateState.INVALID, model.CertificateState.INCOMPLETE, model.CertificateState.FAILING}
)
STATES = frozenset({model.SiteState.UNREACHABLE, model.SiteState.DEGRADED, model.SiteState.WRONG_CERTIFICATE})
"""What only a look from outside shows."""


def count_all(
    sites: collections.abc.Iterable[model.SiteStatus], streams: collections.abc.Iterable[model.StreamStatus]
) -> str:
    """As `count_states`."""
    return count_states([one.state.value for one in sites], [one.state.value for one in streams])


def count_states(sites: collections.abc.Sequence[str], streams: collections.abc.Sequence[str] = ()) -> str:
    """ "18 of 18 sites live, 1 disabled; 1 of 2 streams live, 1 unreachable". The arguments: states as in
    `status --json`."""
    parts = [_count(states, noun) for states, noun in ((sites, "site"), (streams, "stream")) if states]
    return "; ".join(parts) or _count((), "site")


def _count(states: collections.abc.Iterable[str], noun: str) -> str:
    counts = collections.Counter(states)
    disabled, waiting = (counts.pop(one.value, 0) for one in (model.SiteState.DISABLED, model.SiteState.WAITING))
    enabled, live = sum(counts.values()), counts.pop(model.SiteState.LIVE.value, 0)
    parts = [f"{live} of {enabled} {noun if enabled == 1 else f'{noun}s'} live"]
    parts += (f"{count} {model.SiteState(state).words}" for state, count in sorted(counts.items()))
    parts += [f"{waiting} {model.SiteState.WAITING.words}"] if waiting else []
    return ", ".join([*parts, *([f"{disabled} disabled"] if disabled else [])])


def judge(
    status: model.SiteStatus,
    look: model.SiteLook | None,
    certificate: model.CertificateStatus | None,
    now: datetime.datetime,
) -> model.SiteStatus:
    """The status with what visitors meet. What nginx does not run as wanted, or was not looked at, stays as it is.

    certificate: None: it is as it should be, or there is none.
    """
    if status.state is not model.SiteState.LIVE:
        return status
    of_certificate = _of_certificate(certificate, now)
    is_useless = of_certificate is not None and of_certificate.state is model.SiteState.WRONG_CERTIFICATE
    found = [of_certificate] if is_useless else []
    if look is not None:
        found += [_of_handshakes(look), _of_servers(look), of_certificate, _of_errors(look, now)]
    verdict = next((one for one in (*found, of_certificate) if one is not None), None)
    if verdict is None:
        return status
    return dataclasses.replace(
        status, state=verdict.state, reason=verdict.reason, cure=verdict.cure, since=verdict.since
    )


def with_containers(
    status: model.SiteStatus, containers: collections.abc.Iterable[model.ContainerStatus]
) -> model.SiteStatus:
    """The status with what keeps a container that requests the site from serving it."""
    if status.reason is None or server_answers.NO_CONTAINER not in status.reason:
        return status
    for one in containers:
        if status.site.host in one.hosts and not one.is_served and one.why:
            named = f"{server_answers.NO_CONTAINER}: {words.quoted(one.full_name)} {one.why}"
            reason = status.reason.replace(server_answers.NO_CONTAINER, named, 1)
            return dataclasses.replace(status, reason=reason, cure=one.cure)
    return status


def look_with_containers(
    host: str, look: model.SiteLook, containers: collections.abc.Iterable[model.ContainerStatus]
) -> model.SiteLook:
    """As `with_containers`, for each server that was looked at."""
    found = next((one for one in containers if host in one.hosts and not one.is_served and one.why), None)
    if found is None:
        return look
    cause = f"{server_answers.NO_CONTAINER}: {words.quoted(found.full_name)} {found.why}"
    routes = tuple(
        dataclasses.replace(
            route,
            servers=tuple(
                dataclasses.replace(one, cause=cause, cure=found.cure)
                if one.cause == server_answers.NO_CONTAINER
                else one
                for one in route.servers
            ),
        )
        for route in look.routes
    )
    return dataclasses.replace(look, routes=routes)


def with_missing_files(
    sites: tuple[model.SiteStatus, ...], problems: collections.abc.Iterable[model.Problem]
) -> tuple[model.SiteStatus, ...]:
    """The statuses with what files that `access` names and that cannot be used keep out: such a site runs as wanted,
    and some of its visitors do not come in."""
    found = [one for one in problems if _is_of_access(one)]
    if not found:
        return sites
    of_host = {one.host: one for one in reversed(found)}
    return tuple(_with_missing_file(status, of_host) for status in sites)


def _is_of_access(problem: model.Problem) -> bool:
    is_error = problem.severity is model.Severity.ERROR
    return is_error and problem.file is not None and access_option.OPTION.name in problem.field


def _with_missing_file(
    status: model.SiteStatus, of_host: collections.abc.Mapping[str | None, model.Problem]
) -> model.SiteStatus:
    outer = of_host.get(None) if access_option.OPTION.of(status.site) is None else None
    problem = of_host.get(status.site.host, outer)
    if problem is None or status.state is not model.SiteState.LIVE:
        return status
    return dataclasses.replace(status, state=model.SiteState.DEGRADED, reason=problem.reason, cure=problem.cure or None)


def judge_certificate(status: model.CertificateStatus, look: model.SiteLook | None) -> model.CertificateStatus:
    """The status with what handshakes showed; what is not as it should be without them stays."""
    bad = [one for one in look.handshakes if _shows(one, status)] if look is not None else []
    if not bad or status.state not in {model.CertificateState.VALID, model.CertificateState.LOCAL}:
        return status
    reason = f"{bad[0].cause}; {bad[0].cure}"
    return dataclasses.replace(status, state=model.CertificateState.NOT_SERVED, reason=reason)


def _shows(handshake: model.HandshakeLook, status: model.CertificateStatus) -> bool:
    """Whether a handshake is about this certificate, of two with keys of different types."""
    return status.key_type is None or handshake.only_rsa == (status.key_type.algorithm == "rsa")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    state: model.SiteState
    reason: str
    cure: str
    since: datetime.datetime | None = None


def _of_handshakes(look: model.SiteLook) -> _Verdict | None:
    if not look.handshakes:
        return None
    first = look.handshakes[0]
    state = model.SiteState.WRONG_CERTIFICATE if first.is_wrong else model.SiteState.UNREACHABLE
    return _Verdict(state=state, reason=first.cause, cure=first.cure, since=first.at)


def _of_certificate(certificate: model.CertificateStatus | None, now: datetime.datetime) -> _Verdict | None:
    fault = certificate_faults.find_fault(certificate, now) if certificate is not None else None
    if certificate is None or fault is None:
        return None
    return _Verdict(
        state=model.SiteState.WRONG_CERTIFICATE if fault.is_useless else model.SiteState.DEGRADED,
        reason=fault.reason,
        cure=fault.cure,
        since=certificate.failing_since,
    )


def _of_servers(look: model.SiteLook) -> _Verdict | None:
    """Unreachable when no route has a server that answers, and a judge where it needs one; degraded when some server
    does not."""
    routes = [(route, is_route_down(route)) for route in look.routes if route.servers or route.judges]
    bad = [(route, one) for route, _ in routes for one in (*route.judges, *route.servers) if one.trouble is not None]
    if not bad:
        return None
    all_down = all(down for _, down in routes)
    route, worst = next(((route, one) for route, one in bad if is_route_down(route)), bad[0])
    where = "" if len(look.routes) == 1 and route.path == "/" else f"route {route.path}: "
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return _Verdict(
        state=model.SiteState.UNREACHABLE if all_down else model.SiteState.DEGRADED,
        reason=f"{where}{worst.cause}{more}",
        cure=worst.cure or "",
        since=worst.since,
    )


def _of_errors(look: model.SiteLook, now: datetime.datetime) -> _Verdict | None:
    for route in look.routes:
        error = route.last_error
        if error is not None and error.is_lasting and now - error.at < FRESH:
            where = "" if len(look.routes) == 1 and route.path == "/" else f"route {route.path}: "
            return _Verdict(
                state=model.SiteState.DEGRADED,
                reason=f"{where}{describe_error(error, now)}",
                cure=error.cure,
                since=error.since,
            )
    return None


def is_route_down(route: model.RouteLook) -> bool:
    return is_down(route.judges) or is_down(route.servers)


def is_down(servers: collections.abc.Collection[model.ServerLook]) -> bool:
    """Whether none of them serves."""
    return bool(servers) and all(one.trouble is not None for one in servers)


def find_fault(servers: collections.abc.Collection[model.ServerLook]) -> model.ServerFault | None:
    """Why a route has no server; None: it has one, or that is not known."""
    if not is_down(servers):
        return None
    return model.ServerFault(
        is_permanent=all(one.trouble is not None and one.trouble.is_permanent for one in servers),
        since=min(one.since or one.at for one in servers),
    )


def add_error(
    before: model.UpstreamError | None,
    kind: upstream_errors.ErrorKind,
    words_: str,
    now: datetime.datetime,
    *,
    left_out: bool,
) -> model.UpstreamError:
    """The last error with one more. words_: nginx's. left_out: lines before it were not read."""
    is_same = before is not None and before.cause == kind.cause
    has_more = before is not None and before.is_lasting == kind.is_lasting and now - before.at < FRESH
    return model.UpstreamError(
        at=now,
        since=before.since if before is not None and has_more else now,
        count=before.count + 1 if before is not None and is_same else 1,
        cause=kind.cause,
        cure=kind.cure,
        words=words_,
        is_lasting=kind.is_lasting,
        at_least=left_out or (before is not None and is_same and before.at_least),
    )


def describe_error(error: model.UpstreamError, now: datetime.datetime) -> str:
    """ "its certificate is refused (12 times, last 3 minutes ago)"."""
    least = "at least " if error.at_least else ""
    times = "once" if error.count == 1 else f"{least}{error.count} times, last"
    return f"{error.cause} ({times} {durations.describe(now - error.at)} ago)"


# --- findings of `daemun doctor` ---------------------------------------------------------------------------


def find_findings(
    host: str, look: model.SiteLook, now: datetime.datetime, *, with_good: bool
) -> tuple[model.Finding, ...]:
    """with_good: a finding for each server that answers, too."""
    found: list[model.Finding] = [
        _finding("handshake", model.Weight.BLOCKS, one.cause, host, one.cure) for one in look.handshakes
    ]
    if with_good and look.shaken_at is not None and not look.handshakes:
        found.append(_finding("handshake", model.Weight.GOOD, "visitors get its certificate", host))
    for route in look.routes:
        found += _of_route(host, route, now, with_good=with_good)
    return tuple(found)


def _of_route(
    host: str, route: model.RouteLook, now: datetime.datetime, *, with_good: bool
) -> collections.abc.Iterator[model.Finding]:
    weight = model.Weight.BLOCKS if is_route_down(route) else model.Weight.WARNS
    for one in (*route.judges, *route.servers):
        if one.trouble is not None:
            yield _finding("server", weight, f"route {route.path}: {one.cause}", host, one.cure)
        elif with_good:
            yield _finding("server", model.Weight.GOOD, f"route {route.path}: {one.server} answers", host)
    error = route.last_error
    if error is not None:
        is_recent = now - error.at < FRESH
        text = f"route {route.path}: nginx's last error: {describe_error(error, now)}"
        if is_recent:
            yield _finding("server", model.Weight.WARNS, text, host, error.cure)
        elif with_good:
            yield _finding("server", model.Weight.GOOD, text, host)


def _finding(topic: str, weight: model.Weight, message: str, host: str, cure: str | None = None) -> model.Finding:
    return model.Finding(topic=topic, weight=weight, message=message, host=host, cure=cure)


# --- handshakes ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A certificate that a handshake showed. covers: whether it is for the name. fingerprint: SHA-256 of it."""

    fingerprint: str
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    covers: bool


def judge_handshake(
    shown: Shown | str,
    *,
    name: str,
    listener: str,
    expected: collections.abc.Collection[str],
    now: datetime.datetime,
    only_rsa: bool = False,
) -> model.HandshakeLook | None:
    """shown: or why no handshake came about. expected: fingerprints of what daemun serves for the name; empty: the
    owner's nginx chooses. only_rsa: the client took no other keys. None: it is as it should be."""
    visitors = f"visitors of {name} whose clients take only RSA" if only_rsa else f"visitors of {name}"
    if isinstance(shown, str):
        return model.HandshakeLook(
            listener=listener,
            name=name,
            at=now,
            cause=f"{visitors} get no handshake at {listener}: {shown}",
            only_rsa=only_rsa,
            cure="`daemun apply` writes its certificate again; when that does not help, look at logs/error.log",
        )
    cause = None
    if not shown.covers:
        cause = "is for another name"
    elif now >= shown.not_after:
        cause = f"expired on {shown.not_after:%Y-%m-%d}"
    elif now < shown.not_before:
        cause = f"is not valid before {shown.not_before:%Y-%m-%d %H:%M} UTC"
    elif expected and shown.fingerprint not in expected:
        cause = "is not the one that daemun has for it"
    if cause is None:
        return None
    return model.HandshakeLook(
        listener=listener,
        name=name,
        at=now,
        cause=f"{visitors} get a certificate of {shown.issuer} at {listener} that {cause}",
        cure="`daemun apply` writes its certificate again; `daemun certs` shows which one is meant",
        is_wrong=True,
        only_rsa=only_rsa,
    )
