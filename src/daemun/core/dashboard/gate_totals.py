"""All sites together in numbers, and what is wrong with the machine. Pure: the time is an argument."""

import collections
import collections.abc
import dataclasses
import datetime

from daemun.core import model
from daemun.core.dashboard import lamps, needs, site_row

LEAST_FREE = 0.05
"""Of a disk: with less of it free, no certificate is renewed soon, and no change applied."""
LEAST_FREE_BYTES = 256 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiskRoom:
    """Of the disk of a folder."""

    folder: str
    free_bytes: int
    total_bytes: int

    @property
    def is_low(self) -> bool:
        return self.free_bytes < max(LEAST_FREE * self.total_bytes, LEAST_FREE_BYTES)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """answers: nginx runs, and its workers answer. old: generations of old workers, most: their budget. waits: why a
    change is not live yet. rooms: of the disks that daemun writes to."""

    answers: bool = True
    is_running: bool = True
    old: int = 0
    old_bytes: int = 0
    most: int = 0
    waits: str | None = None
    waits_since: datetime.datetime | None = None
    rooms: tuple[DiskRoom, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateSummary:
    """light: of everything. needs_you: how many troubles there are."""

    light: lamps.Light = lamps.Light.UNKNOWN
    needs_you: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NextRenewal:
    """host: of the certificate that is renewed or tried next."""

    host: str
    at: datetime.datetime
    is_retry: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateTotals:
    """states: of sites. streams: states of streams. lights: how many rows have this as their worst lamp. servers: of
    all rows. requests_per_s, error_share, bytes_out_per_s: None: they are not counted. renewals: the next ones."""

    states: dict[str, int]
    streams: dict[str, int]
    lights: dict[str, int]
    in_maintenance: int
    servers: lamps.ServerCount
    requests_per_s: float | None
    error_share: float | None
    bytes_out_per_s: float | None
    renewals: tuple[NextRenewal, ...]


def add_up(
    rows: collections.abc.Iterable[site_row.SiteRow],
    certificates: collections.abc.Iterable[model.CertificateStatus],
    *,
    is_counted: bool,
    most_renewals: int = 5,
) -> GateTotals:
    """is_counted: whether requests are."""
    every = tuple(rows)
    sites = [one for one in every if one.kind is site_row.RowKind.SITE]
    rates = [one.rate for one in sites if one.rate is not None]
    requests = sum(one.requests for one in rates)
    return GateTotals(
        states=_count(one.state.value for one in sites),
        streams=_count(one.state.value for one in every if one.kind is site_row.RowKind.STREAM),
        lights=_count(one.worst.value for one in every),
        in_maintenance=sum(one.is_closed for one in sites),
        servers=lamps.ServerCount(
            up=sum(one.servers.up for one in every), total=sum(one.servers.total for one in every)
        ),
        requests_per_s=sum(one.requests_per_s for one in rates) if is_counted else None,
        error_share=sum(one.server_errors for one in rates) / requests if requests else (0.0 if is_counted else None),
        bytes_out_per_s=sum(one.bytes_out_per_s for one in rates) if is_counted else None,
        renewals=_find_renewals(certificates)[:most_renewals],
    )


def summarise(found: collections.abc.Sequence[needs.Need]) -> GateSummary:
    """What stands in the head of every page. found: the worst first."""
    return GateSummary(light=found[0].light if found else lamps.Light.GOOD, needs_you=len(found))


def _count(values: collections.abc.Iterable[str]) -> dict[str, int]:
    return dict(sorted(collections.Counter(values).items()))


def _find_renewals(certificates: collections.abc.Iterable[model.CertificateStatus]) -> tuple[NextRenewal, ...]:
    """Those that fail first: their next try says what is late."""
    found = []
    for one in certificates:
        at = one.next_attempt or (one.renew_at if one.kind is not model.CertificateKind.OWN else None)
        if at is not None:
            found.append(NextRenewal(host=one.host, at=at, is_retry=one.failures > 0))
    return tuple(sorted(found, key=lambda one: (not one.is_retry, one.at, one.host)))


def find_machine_needs(state: MachineState) -> tuple[needs.Need, ...]:
    found = []
    if not state.is_running or not state.answers:
        cause = "nginx does not answer" if state.is_running else "nginx does not run: no site is served"
        found.append(
            _need(
                lamps.Light.BAD,
                "nginx",
                cause,
                "`daemun apply` starts it again; when that does not help, `daemun doctor` looks for the cause",
                actions=(needs.NeedAction.APPLY,),
            )
        )
    if state.waits is not None:
        cure = "it goes live by itself; `daemun status` shows the old workers that it waits for"
        found.append(_need(lamps.Light.WARNING, "a change waits", state.waits, cure, since=state.waits_since))
    elif state.most and state.old >= state.most:
        cause = f"{state.old} generations of old workers still have connections, and take {_size(state.old_bytes)}"
        cure = "`daemun status` shows them; lower `old_workers`, or `timeout` of the routes that keep them"
        found.append(_need(lamps.Light.WARNING, "old workers", cause, cure))
    for room in state.rooms:
        if room.is_low:
            cause = f"{_size(room.free_bytes)} of {_size(room.total_bytes)} are free on its disk; when it is full, no "
            cause += "certificate is renewed and no change applied"
            cure = "free some space there: `df -h` shows it, `du -xh` what takes it"
            found.append(_need(lamps.Light.BAD, room.folder, cause, cure, command=f"du -xh {room.folder}"))
    return tuple(found)


def _need(
    light: lamps.Light,
    title: str,
    cause: str,
    cure: str,
    *,
    actions: tuple[needs.NeedAction, ...] = (),
    since: datetime.datetime | None = None,
    command: str = "",
) -> needs.Need:
    return needs.Need(
        kind=needs.NeedKind.MACHINE,
        light=light,
        title=title,
        cause=cause,
        cure=cure,
        command=command or needs.command_in(cure),
        actions=actions,
        since=since,
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GB" if size_bytes >= 1 << 30 else f"{size_bytes >> 20} MB"
