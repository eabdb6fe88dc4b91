"""What is in danger beside certificates and sites: the gate's disk, changes, old workers, nginx, bans. Pure."""

import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.access import banned_networks
from daemun.core.alerts import alert_ledger
from daemun.core.nginx_builds import nginx_weaknesses
from daemun.core.options import alerting_forms, maintenance_option
from daemun.core.traffic import error_shares, traffic_names

LEAST_REQUESTS = 20
"""Of fewer a share means nothing."""
ERRORS_WITHIN = datetime.timedelta(minutes=5)
ERRORS_FOR = datetime.timedelta(minutes=2)
DISK_FOR = datetime.timedelta(minutes=2)
OLD_WORKERS_FOR = datetime.timedelta(minutes=10)
"""Many changes at once leave many generations, most of which end within seconds."""
BANS_WITHIN = datetime.timedelta(hours=1)
ROOM_AGAIN = 1.2
"""So much more than the limit must be free before a disk has room again: files come and go."""
_LONGEST_CAUSE = 500

Concerns = collections.abc.Iterator[alert_ledger.Concern]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """Of the disk of a folder, for this account."""

    folder: str
    free_bytes: int
    total_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServingNginx:
    """name: "nginx 1.31.3"."""

    name: str
    weaknesses: tuple[nginx_weaknesses.Weakness, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What is looked at now and then, because it costs something. low: the disks that have too little room. old,
    old_bytes: how many generations of old workers are left, and what they take. shares: of the last minutes, by site as
    `core.traffic` names it, of sites with errors alone."""

    low: tuple[DiskSpace, ...] = ()
    old: int = 0
    old_bytes: int = 0
    nginx: ServingNginx = ServingNginx(name="nginx", weaknesses=())
    shares: collections.abc.Mapping[str, error_shares.ErrorShare] = dataclasses.field(default_factory=dict)


def find_low(
    spaces: collections.abc.Iterable[DiskSpace],
    least: alerting_forms.FreeSpace | None,
    before: collections.abc.Iterable[DiskSpace] = (),
) -> tuple[DiskSpace, ...]:
    """The disks with less than that. before: those that had less at the last look."""
    if least is None:
        return ()
    low = {one.folder for one in before}
    return tuple(
        one for one in spaces if one.free_bytes < least.of(one.total_bytes) * (ROOM_AGAIN if one.folder in low else 1.0)
    )


def of_machine(facts: MachineFacts, rules: alerting_forms.Rules, budget: int) -> Concerns:
    """budget: of `old_workers.generations`."""
    for one in facts.low:
        free = f"{_show(one.free_bytes)} of {_show(one.total_bytes)}"
        yield alert_ledger.Concern(
            danger=alert_ledger.Danger.FILLING,
            name=one.folder,
            about=one.folder,
            cause=f"{free} are free on its disk; when it is full, no certificate is renewed and no change applied",
            cure="Free some space there: `df -h` shows it, `du -xh` what takes it.",
            patience=DISK_FOR,
        )
    most = rules.old_workers
    if most is not None and facts.old >= (most or budget):
        yield alert_ledger.Concern(
            danger=alert_ledger.Danger.OLD_WORKERS,
            name="old workers",
            about="nginx",
            cause=f"{facts.old} generations of old workers still have connections, and take {_show(facts.old_bytes)}",
            cure="`daemun status` shows them; WebSockets that stay open for days keep them: lower `old_workers`, or "
            "`timeout` of their routes.",
            patience=OLD_WORKERS_FOR,
        )
    severities = nginx_weaknesses.SEVERITIES
    for weakness in facts.nginx.weaknesses if rules.nginx is not None else ():
        assert rules.nginx is not None
        if weakness.applies and severities.index(weakness.severity) <= severities.index(rules.nginx.value):
            fixed = f", mended in {' and '.join(weakness.fixed)}" if weakness.fixed else ""
            yield alert_ledger.Concern(
                danger=alert_ledger.Danger.WEAK,
                name=weakness.name,
                about=facts.nginx.name,
                cause=f"{weakness.name} ({weakness.severity}{fixed}): {weakness.title}",
                cure="`daemun nginx list` shows what there is instead, `daemun nginx upgrade` lets it take over.",
            )


def of_errors(
    shares: collections.abc.Mapping[str, error_shares.ErrorShare],
    sites: collections.abc.Iterable[model.Site],
    rules: alerting_forms.Rules,
    *,
    unserved: collections.abc.Container[str],
    are_logged: bool,
    now: datetime.datetime,
) -> Concerns:
    """shares: see MachineFacts. unserved: the hosts of sites that are reported for that already; one that is
    closed for a while is meant to answer with errors. are_logged: requests are in the access log."""
    if rules.errors_percent is None:
        return
    for site in sites if shares else ():
        share = shares.get(traffic_names.decode(traffic_names.encode(site.host))[0])
        if share is None:
            continue
        is_bad = share.requests >= LEAST_REQUESTS and share.percent >= rules.errors_percent
        if not is_bad or site.host in unserved or maintenance_option.OPTION.of(site).is_closed(now):
            continue
        shown = (
            f"logs {site.host} --status 5xx` shows them" if are_logged else f"traffic {site.host}` shows their routes"
        )
        yield alert_ledger.Concern(
            danger=alert_ledger.Danger.ERRORS,
            name=site.host,
            about=site.host,
            cause=f"{share.errors} of its last {share.requests} requests ({share.percent:.0f} %) got a 5xx, most of "
            f"them {share.status}",
            cure=f"`daemun {shown}, `daemun logs {site.host} --errors` what nginx reports.",
            patience=ERRORS_FOR,
        )


def of_changes(
    sites: collections.abc.Iterable[model.SiteStatus],
    error: str | None,
    unread: collections.abc.Iterable[str],
    problems: collections.abc.Iterable[model.Problem],
    rules: alerting_forms.Rules,
    *,
    engines: collections.abc.Iterable[model.EngineStatus] = (),
) -> Concerns:
    """Of a round that did not make everything live. A site that visitors get a 503 page of is unserved instead."""
    if rules.changes_s is None:
        return
    patience = datetime.timedelta(seconds=rules.changes_s)

    def make(name: str, about: str, cause: str, cure: str | None) -> alert_ledger.Concern:
        return alert_ledger.Concern(
            danger=alert_ledger.Danger.UNAPPLIED,
            name=name,
            about=about,
            cause=cause[:_LONGEST_CAUSE],
            cure=cure or "",
            patience=patience,
        )

    if error is not None:
        yield make("*", "the configuration", error, None)
    for source in unread:
        found = [one for one in problems if one.origin.source == source and one.host is None]
        first = next((one for one in found if one.severity is model.Severity.ERROR), None)
        cause = "it cannot be read" if first is None else model.located(str(first.origin), first.reason)
        yield make(f"source {source}", f"source {source}", cause, first.cure if first is not None else None)
    for engine in engines:
        if not engine.answers and engine.is_wanted:
            about = f"engine {engine.name or engine.place}"
            cause = engine.why or "no reason is known"
            yield make(f"engine {engine.name}", about, cause, "`daemun status` shows what is served of it.")
    for one in sites:
        if one.state is model.SiteState.QUARANTINED and not one.has_page:
            yield make(one.site.host, one.site.host, one.reason or "no reason is known", one.cure)


def of_bans(
    list_bans: collections.abc.Callable[[], collections.abc.Iterable[banned_networks.Ban]],
    rules: alerting_forms.Rules,
    machine: str,
    now: datetime.datetime,
) -> Concerns:
    """Of wrong passwords: CrowdSec sends messages of its own, and the owner's are no news to the owner.
    list_bans: called only where there is such a rule: there may be very many."""
    if rules.bans is None:
        return
    reason = banned_networks.Reason.GUESSES
    recent = [one for one in list_bans() if one.reason is reason and now - one.since < BANS_WITHIN]
    if len(recent) >= rules.bans:
        last = max(recent, key=lambda one: one.since)
        yield alert_ledger.Concern(
            danger=alert_ledger.Danger.BANS,
            name="bans",
            about=machine,
            cause=f"{len(recent)} addresses tried wrong passwords within an hour, the last of them {last.network}",
            cure="`daemun bans` lists them.",
        )


def _show(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GB" if size_bytes >= 1 << 30 else f"{size_bytes >> 20} MB"
