"""What the first screen shows of a site or stream, as one row. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime
import enum
import re

from daemun.core import model, site_memory
from daemun.core.access import built_in_sites
from daemun.core.certificates import certificate_choice, certificate_faults
from daemun.core.dashboard import lamps
from daemun.core.options import maintenance_option
from daemun.core.served import stream_judgement
from daemun.core.texts import secret_forms
from daemun.core.traffic import traffic_names, traffic_rates


class RowKind(enum.Enum):
    SITE = "site"
    STREAM = "stream"


class Renewal(enum.Enum):
    """What becomes of a certificate: daemun renews it at a time, tries again, orders it now; or its owner does."""

    PLANNED = "planned"
    RETRIED = "retried"
    ORDERED = "ordered"
    YOURS = "yours"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowCertificate:
    """state: as of the certificate. not_after: when it ends. renewal, renew_at: what comes next, and when."""

    state: model.CertificateState
    kind: model.CertificateKind | None
    not_after: datetime.datetime | None
    renewal: Renewal
    renew_at: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """number: of the entry of the history. what: "changed". by: "daemun add shop.example.com"."""

    number: int
    at: datetime.datetime
    what: str
    by: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteRow:
    """name: the host, or the name of a stream. listen: of a stream, or where a site has ports of its own. to: where it
    leads. is_closed: in maintenance. rate: of the last minutes; None: no request, or they are not counted. changed:
    None: it is in no entry of the history that is kept. words: what a search looks through, in lower case."""

    kind: RowKind
    name: str
    aliases: tuple[str, ...]
    listen: tuple[str, ...]
    to: tuple[str, ...]
    origin: model.Origin
    state: model.SiteState
    is_closed: bool
    reason: str | None
    cure: str | None
    since: datetime.datetime | None
    settings: lamps.SiteLamp
    certified: lamps.SiteLamp
    server: lamps.SiteLamp
    servers: lamps.ServerCount
    certificate: RowCertificate | None
    rate: traffic_rates.TrafficRate | None
    changed: LastChange | None
    words: str
    worst: lamps.Light = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        # Lists of thousands are sorted by it.
        object.__setattr__(self, "worst", lamps.worst((self.settings, self.certified, self.server)))

    @property
    def error_share(self) -> float | None:
        """Of its requests, from 0 to 1."""
        rate = self.rate
        return None if rate is None or not rate.requests else rate.server_errors / rate.requests


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SeenGate:
    """All that rows are made of. looks: by host. rates: by site, as `traffic_names` has it. changes: by host, or by
    "stream NAME"."""

    sites: tuple[model.SiteStatus, ...] = ()
    streams: tuple[model.StreamStatus, ...] = ()
    certificates: tuple[model.CertificateStatus, ...] = ()
    containers: tuple[model.ContainerStatus, ...] = ()
    problems: tuple[model.Problem, ...] = ()
    looks: collections.abc.Mapping[str, model.SiteLook] = dataclasses.field(default_factory=dict)
    rates: collections.abc.Mapping[str, traffic_rates.TrafficRate] = dataclasses.field(default_factory=dict)
    changes: collections.abc.Mapping[str, LastChange] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What follows from a site alone. traffic_name: its site in counted lines. has_servers: requests are passed on."""

    to: tuple[str, ...]
    listen: tuple[str, ...]
    words: str
    traffic_name: str
    has_servers: bool


SAME_FOR = datetime.timedelta(seconds=30)
"""A row of which nothing changed is not made anew for so long: what time alone changes of a lamp, which are days, comes
with the next."""
_TURNS = 16
_USUAL_HOST = re.compile(r"[a-z0-9.-]{1,253}")
_Inputs = tuple[
    model.SiteStatus,
    model.CertificateStatus | None,
    model.SiteLook | None,
    traffic_rates.TrafficRate | None,
    LastChange | None,
    collections.abc.Sequence[model.Problem],
]


@dataclasses.dataclass(slots=True)
class _KnownRow:
    inputs: _Inputs
    made_at: datetime.datetime
    row: SiteRow

    def is_of(self, inputs: _Inputs, now: datetime.datetime) -> bool:
        """What is compared deeply is small."""
        known = self.inputs
        return (
            known[0] is inputs[0]
            and known[1] is inputs[1]
            and known[2:] == inputs[2:]
            and now - self.made_at < SAME_FOR
        )


class RowMemory:
    """What was worked out before: of ten thousand sites few change between two looks. Not thread-safe."""

    def __init__(self) -> None:
        self.facts: site_memory.PerSite[SiteFacts] = site_memory.PerSite()
        self.rows: dict[str, _KnownRow] = {}


def make_rows(seen: SeenGate, now: datetime.datetime, memory: RowMemory | None = None) -> tuple[SiteRow, ...]:
    """Of every site, then of every stream. memory: of earlier calls."""
    memory = memory or RowMemory()
    memory.facts.enter(None)
    by_host: dict[str, model.CertificateStatus] = {}
    by_name: dict[str, model.CertificateStatus] = {}
    for one in seen.certificates:
        by_name[one.name] = one
        known = by_host.get(one.host)
        # Of two with different types of keys the one that is not as it should be.
        if known is None or known.state is model.CertificateState.VALID is not one.state:
            by_host[one.host] = one
    problems: dict[str, list[model.Problem]] = {}
    for problem in seen.problems:
        if problem.host is not None:
            problems.setdefault(problem.host, []).append(problem)
    before, memory.rows = memory.rows, {}
    for status in seen.sites:
        host = status.site.host
        facts = memory.facts.get(status.site, _find_facts)
        inputs: _Inputs = (
            status,
            by_host.get(host) or by_name.get(certificate_choice.name_of(status.site)),
            seen.looks.get(host),
            seen.rates.get(facts.traffic_name),
            seen.changes.get(host),
            problems.get(host, ()),
        )
        former = before.get(host)
        if former is None or not former.is_of(inputs, now):
            # Not all of them at the same look.
            made_at = now - SAME_FOR * (len(memory.rows) % _TURNS / _TURNS)
            former = _KnownRow(inputs, made_at, _row_of_site(inputs, facts, now))
        memory.rows[host] = former
    streams = (_row_of_stream(one, seen, now) for one in seen.streams)
    return (*(one.row for one in memory.rows.values()), *streams)


def traffic_name(host: str) -> str:
    """The site of a host in counted lines, where a very long name is cut."""
    if _USUAL_HOST.fullmatch(host) is not None:
        return host
    return traffic_names.decode(traffic_names.encode(host))[0]


def _row_of_site(inputs: _Inputs, facts: SiteFacts, now: datetime.datetime) -> SiteRow:
    status, certificate, look, rate, changed, problems = inputs
    site = status.site
    is_closed = maintenance_option.OPTION.of(site).is_closed(now)
    statuses = () if certificate is None else (certificate,)
    own = [one for one in problems if not certificate_faults.is_reported(one, statuses)] if problems else []
    return SiteRow(
        kind=RowKind.SITE,
        name=site.host,
        aliases=site.aliases,
        listen=facts.listen,
        to=facts.to,
        origin=site.origin,
        state=status.state,
        is_closed=is_closed,
        reason=status.reason,
        cure=status.cure,
        since=status.since,
        settings=lamps.of_settings(status.state, status.reason, own, is_closed=is_closed),
        certified=lamps.of_certificate(
            certificate,
            look.handshakes if look is not None else (),
            now,
            has_tls=site.tls.mode is not model.TlsMode.OFF,
            is_enabled=site.enabled,
        ),
        server=lamps.of_servers(look, now, has_servers=facts.has_servers, is_enabled=site.enabled),
        servers=lamps.count_servers(look.routes) if look is not None else lamps.NO_SERVERS,
        certificate=_certificate(certificate) if certificate is not None and site.enabled else None,
        rate=rate,
        changed=changed,
        words=facts.words,
    )


def _find_facts(site: model.Site) -> SiteFacts:
    to = tuple(dict.fromkeys(text for route in site.routes for text in _leads_to(route)))
    return SiteFacts(
        to=to,
        listen=tuple(str(port) for port in (site.http_port, site.https_port) if port is not None),
        words=_searched(site.host, *site.aliases, *to, site.place),
        traffic_name=traffic_name(site.host),
        has_servers=any(isinstance(one.action, model.Proxy) for one in site.routes),
    )


def _searched(*texts: str) -> str:
    """Without secrets: a search that is tried again and again would find them out, sign by sign."""
    return " ".join(map(secret_forms.hide, texts)).lower()


def _leads_to(route: model.Route) -> tuple[str, ...]:
    if (built_in := built_in_sites.find(route)) is not None:
        return (built_in.short,)
    match route.action:
        case model.Proxy(targets=targets):
            return tuple(str(one) for one in targets)
        case model.Redirect(to=to):
            return (to,)
        case model.Files(folder=folder):
            return (folder,)
    return ()


def _row_of_stream(status: model.StreamStatus, seen: SeenGate, now: datetime.datetime) -> SiteRow:
    look = status.look
    certificate = stream_judgement.find_certificate(status, seen.certificates)
    is_enabled = status.state is not model.SiteState.DISABLED
    servers = look.servers if look is not None else ()
    return SiteRow(
        kind=RowKind.STREAM,
        name=status.name,
        aliases=status.hosts,
        listen=status.listen,
        to=status.to,
        origin=status.origin,
        state=status.state,
        is_closed=False,
        reason=status.reason,
        cure=status.cure,
        since=status.since,
        settings=lamps.of_settings(status.state, status.reason),
        certified=lamps.of_certificate(
            certificate,
            look.handshakes if look is not None else (),
            now,
            has_tls=certificate is not None,
            is_enabled=is_enabled,
        ),
        server=lamps.of_stream_servers(look, status.state),
        servers=lamps.ServerCount(up=sum(one.trouble is None for one in servers), total=len(servers)),
        certificate=_certificate(certificate) if certificate is not None and is_enabled else None,
        rate=None,
        changed=seen.changes.get(f"stream {status.name}"),
        words=_searched(status.name, *status.hosts, *status.listen, *status.to, str(status.origin)),
    )


def _certificate(one: model.CertificateStatus) -> RowCertificate:
    if one.next_attempt is not None:
        renewal, at = Renewal.RETRIED, one.next_attempt
    elif one.state is model.CertificateState.PENDING:
        renewal, at = Renewal.ORDERED, None
    elif one.kind is model.CertificateKind.OWN:
        renewal, at = Renewal.YOURS, one.not_after
    else:
        renewal, at = Renewal.PLANNED, one.renew_at
    return RowCertificate(state=one.state, kind=one.kind, not_after=one.not_after, renewal=renewal, renew_at=at)
