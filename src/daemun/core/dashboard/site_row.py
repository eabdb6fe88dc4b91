"""What the first screen shows of a site or stream, as one row. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime
import enum

from daemun.core import model, site_memory
from daemun.core.certificates import certificate_choice, certificate_faults
from daemun.core.dashboard import lamps
from daemun.core.options import maintenance_option
from daemun.core.served import stream_judgement
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

    @property
    def worst(self) -> lamps.Light:
        return lamps.worst((self.settings, self.certified, self.server))

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


Memory = site_memory.PerSite[SiteFacts]


def make_rows(seen: SeenGate, now: datetime.datetime, memory: Memory | None = None) -> tuple[SiteRow, ...]:
    """Of every site, then of every stream. memory: of earlier calls."""
    memory = memory or site_memory.PerSite()
    memory.enter(None)
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
    sites = (
        _row_of_site(
            status,
            by_host.get(status.site.host) or by_name.get(certificate_choice.name_of(status.site)),
            problems.get(status.site.host, ()),
            seen,
            now,
            memory.get(status.site, _find_facts),
        )
        for status in seen.sites
    )
    streams = (_row_of_stream(one, seen, now) for one in seen.streams)
    return (*sites, *streams)


def traffic_name(host: str) -> str:
    """The site of a host in counted lines, where a very long name is cut."""
    return traffic_names.decode(traffic_names.encode(host))[0]


def _row_of_site(  # noqa: PLR0917 - of one call
    status: model.SiteStatus,
    certificate: model.CertificateStatus | None,
    problems: collections.abc.Sequence[model.Problem],
    seen: SeenGate,
    now: datetime.datetime,
    facts: SiteFacts,
) -> SiteRow:
    site, look = status.site, seen.looks.get(status.site.host)
    is_closed = maintenance_option.OPTION.of(site).is_closed(now)
    statuses = () if certificate is None else (certificate,)
    own = [one for one in problems if not certificate_faults.is_reported(one, statuses)]
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
        rate=seen.rates.get(facts.traffic_name),
        changed=seen.changes.get(site.host),
        words=facts.words,
    )


def _find_facts(site: model.Site) -> SiteFacts:
    to = tuple(dict.fromkeys(text for route in site.routes for text in _leads_to(route)))
    return SiteFacts(
        to=to,
        listen=tuple(str(port) for port in (site.http_port, site.https_port) if port is not None),
        words=" ".join((site.host, *site.aliases, *to, str(site.origin))).lower(),
        traffic_name=traffic_name(site.host),
        has_servers=any(isinstance(one.action, model.Proxy) for one in site.routes),
    )


def _leads_to(route: model.Route) -> tuple[str, ...]:
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
        words=" ".join((status.name, *status.hosts, *status.listen, *status.to, str(status.origin))).lower(),
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
