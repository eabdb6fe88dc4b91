"""What needs a person, the worst first: each with its cause, its cure, and what does it where one command would. Pure.

What is wrong with many sites for one reason is one entry.
"""

import collections.abc
import dataclasses
import datetime
import enum
import re

from daemun.core import model
from daemun.core.certificates import certificate_faults
from daemun.core.dashboard import lamps, site_row
from daemun.core.texts import words

LEAST_REQUESTS = 20
"""Of fewer a share of errors means nothing."""
ERROR_SHARE = 0.05
MOST_NAMED = 50
"""Sites that an entry names; of more it has the number."""
_COMMAND = re.compile(r"`(daemun [^`]+)`")


class NeedKind(enum.Enum):
    """What it is about: a site or stream that is not served as it should be, many 5xx, a certificate, a container
    without a site, a problem of the sources, the machine."""

    SITE = "site"
    STREAM = "stream"
    ERRORS = "errors"
    CERTIFICATE = "certificate"
    CONTAINER = "container"
    PROBLEM = "problem"
    MACHINE = "machine"


class NeedAction(enum.Enum):
    """What one request does about it: look again, order the certificate, apply again, close the site for a while."""

    PROBE = "probe"
    RENEW = "renew"
    APPLY = "apply"
    MAINTENANCE = "maintenance"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """names: of the sites, streams or containers that it is about, MOST_NAMED at most; count: of all of them. title:
    the first of these, or what it is about. command: what a person may run; "": nothing. actions: of the first name.
    origin: where to look in the sources; "": nowhere."""

    kind: NeedKind
    light: lamps.Light
    title: str
    cause: str
    cure: str = ""
    command: str = ""
    names: tuple[str, ...] = ()
    count: int = 1
    actions: tuple[NeedAction, ...] = ()
    since: datetime.datetime | None = None
    origin: str = ""


_BAD_STATES = frozenset({model.SiteState.UNREACHABLE, model.SiteState.WRONG_CERTIFICATE, model.SiteState.QUARANTINED})
_NOT_YET = frozenset({model.SiteState.QUARANTINED, model.SiteState.PENDING})


def find_needs(
    seen: site_row.SeenGate,
    rows: collections.abc.Iterable[site_row.SiteRow],
    now: datetime.datetime,
    machine: collections.abc.Iterable[Need] = (),
) -> tuple[Need, ...]:
    """machine: what is found of the machine and of nginx."""
    every = tuple(rows)
    reported = {one.name for one in every if not one.state.is_at_rest}
    found = [
        *machine,
        *_of_rows(every, seen.problems),
        *_of_certificates(seen.certificates, reported, now),
        *_of_errors(every, reported),
        *_of_problems(seen.problems, every),
        *_of_containers(seen.containers, reported),
    ]
    return tuple(sorted(found, key=_order))


def _order(one: Need) -> tuple[bool, int]:
    return one.light is not lamps.Light.BAD, _KINDS.index(one.kind)


_KINDS = (
    NeedKind.MACHINE,
    NeedKind.SITE,
    NeedKind.STREAM,
    NeedKind.ERRORS,
    NeedKind.CERTIFICATE,
    NeedKind.PROBLEM,
    NeedKind.CONTAINER,
)


def _of_rows(
    rows: collections.abc.Iterable[site_row.SiteRow], problems: collections.abc.Iterable[model.Problem]
) -> collections.abc.Iterator[Need]:
    alike: dict[tuple[object, ...], list[site_row.SiteRow]] = {}
    for row in rows:
        if not row.state.is_at_rest:
            alike.setdefault((row.kind, row.state, row.reason, row.cure), []).append(row)
    errors = {one.host: one for one in problems if one.severity is model.Severity.ERROR}
    for group in alike.values():
        problem = errors.get(group[0].name) if group[0].state in _NOT_YET else None
        yield _of_group(group, str(group[0].origin if problem is None else problem.origin))


def _of_group(group: list[site_row.SiteRow], origin: str) -> Need:
    """origin: the line that is to be corrected."""
    first = group[0]
    is_site = first.kind is site_row.RowKind.SITE
    cure = first.cure or ""
    return Need(
        kind=NeedKind.SITE if is_site else NeedKind.STREAM,
        light=lamps.Light.BAD if first.state in _BAD_STATES else lamps.Light.WARNING,
        title=first.name,
        cause=first.reason or f"it is {first.state.words}",
        cure=cure,
        command=command_in(cure) or (f"daemun status {first.name} --probe" if is_site else "daemun status --probe"),
        names=tuple(one.name for one in group[:MOST_NAMED]),
        count=len(group),
        actions=_actions(first) if is_site else (),
        since=min((one.since for one in group if one.since is not None), default=None),
        origin=origin,
    )


def _actions(row: site_row.SiteRow) -> tuple[NeedAction, ...]:
    found: list[NeedAction] = []
    if row.certificate is not None and row.certificate.state is model.CertificateState.FAILING:
        found.append(NeedAction.RENEW)
    if row.state in {model.SiteState.QUARANTINED, model.SiteState.PENDING, model.SiteState.WRONG_CERTIFICATE}:
        found.append(NeedAction.APPLY)
    else:
        found.append(NeedAction.PROBE)
    if row.state is model.SiteState.UNREACHABLE and row.origin.source == "file" and not row.is_closed:
        found.append(NeedAction.MAINTENANCE)
    return tuple(found)


def _of_certificates(
    certificates: collections.abc.Iterable[model.CertificateStatus],
    reported: collections.abc.Container[str],
    now: datetime.datetime,
) -> collections.abc.Iterator[Need]:
    for one in certificates:
        if one.host in reported:
            continue
        fault = certificate_faults.find_fault(one, now)
        if fault is not None:
            is_failing = one.state is model.CertificateState.FAILING and one.next_attempt is not None
            yield Need(
                kind=NeedKind.CERTIFICATE,
                light=lamps.Light.BAD if fault.is_useless else lamps.Light.WARNING,
                title=one.host,
                cause=fault.reason,
                cure=fault.cure,
                command=command_in(fault.cure) or f"daemun certs show {one.host}",
                names=(one.host,),
                actions=(NeedAction.RENEW,) if is_failing else (),
                since=one.failing_since,
            )


def _of_errors(
    rows: collections.abc.Iterable[site_row.SiteRow], reported: collections.abc.Container[str]
) -> collections.abc.Iterator[Need]:
    """A site that is closed is meant to answer with 503."""
    for row in rows:
        share, rate = row.error_share, row.rate
        if rate is None or share is None or row.is_closed or row.name in reported:
            continue
        if rate.requests >= LEAST_REQUESTS and share >= ERROR_SHARE:
            yield Need(
                kind=NeedKind.ERRORS,
                light=lamps.Light.WARNING,
                title=row.name,
                cause=f"{rate.server_errors} of its last {rate.requests} requests ({share:.0%}) got a 5xx",
                cure=f"`daemun traffic {row.name}` shows their routes, `daemun logs {row.name} --errors` the causes",
                command=f"daemun traffic {row.name}",
                names=(row.name,),
                actions=(NeedAction.PROBE,),
            )


def _of_problems(
    problems: collections.abc.Iterable[model.Problem], rows: collections.abc.Sequence[site_row.SiteRow]
) -> collections.abc.Iterator[Need]:
    """Those that no row has as its reason."""
    reasons = {row.name: row.reason or "" for row in rows}
    held = {row.name for row in rows if row.state in _NOT_YET}
    for one in problems:
        if one.host in held and one.severity is model.Severity.ERROR:
            continue
        message = one.message.removeprefix(f"site {words.quoted(one.host)}: ") if one.host is not None else one.message
        if one.host is not None and _essence(message, one.cure) in reasons.get(one.host, ""):
            continue
        is_error = one.severity is model.Severity.ERROR
        yield Need(
            kind=NeedKind.PROBLEM,
            light=lamps.Light.BAD if is_error else lamps.Light.WARNING,
            title=one.host or str(one.origin),
            cause=one.reason,
            cure=one.cure,
            command=command_in(one.cure) or command_in(one.message) or _command_of(one.origin),
            names=(one.host,) if one.host is not None else (),
            origin=str(one.origin),
        )


def _command_of(origin: model.Origin) -> str:
    """What shows the problem again: `daemun check` reads files, and looks at no engine."""
    return "daemun check" if origin.source == "file" else "daemun status"


def _essence(message: str, cure: str) -> str:
    return message.removesuffix(f"; {cure}") if cure else message


def _of_containers(
    containers: collections.abc.Iterable[model.ContainerStatus], reported: collections.abc.Container[str]
) -> collections.abc.Iterator[Need]:
    """A site that is reported already has the reason of its container."""
    for one in containers:
        if one.is_served or one.why is None or any(host in reported for host in one.hosts):
            continue
        yield Need(
            kind=NeedKind.CONTAINER,
            light=lamps.Light.WARNING,
            title=one.full_name,
            cause=one.why,
            cure=one.cure or "",
            command=command_in(one.cure or "") or "daemun status",
            names=(one.full_name,),
            origin=f"container {one.full_name}",
        )


def command_in(text: str) -> str:
    """The first command of daemun that a text names; "": there is none."""
    found = _COMMAND.search(text)
    return found[1] if found is not None else ""
