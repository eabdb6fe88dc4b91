"""The first screen as JSON. Keys may be added, never renamed."""

import collections.abc
import typing

from daemun.control import overview_port
from daemun.core.dashboard import gate_totals, lamps, needs, row_choice, site_row
from daemun.web import container_json, fleet_json, json_values, overview_snapshots

Json = dict[str, typing.Any]
_NO_MINUTES = (0,) * overview_port.MINUTES


def overview_json(one: overview_snapshots.OverviewSnapshot, *, most_needs: int) -> Json:
    """The whole of GET /overview."""
    totals = one.totals
    return {
        "as_of": json_values.instant_json(one.as_of),
        "version": one.status.version,
        "config": one.status.config_path,
        "generation": one.status.generation,
        "started_at": json_values.instant_json(one.status.started_at),
        "applying_since": json_values.instant_json(one.status.applying_since),
        "needs": {
            "total": len(one.needs),
            "bad": sum(need.light is lamps.Light.BAD for need in one.needs),
            "rows": [need_json(need) for need in one.needs[:most_needs]],
        },
        "totals": {
            "sites": sum(totals.states.values()),
            "states": totals.states,
            "streams": sum(totals.streams.values()),
            "stream_states": totals.streams,
            "lamps": totals.lights,
            "maintenance": totals.in_maintenance,
            "servers_up": totals.servers.up,
            "servers": totals.servers.total,
            "requests_per_s": _rounded(totals.requests_per_s),
            "error_share": _rounded(totals.error_share, 5),
            "bytes_out_per_s": _rounded(totals.bytes_out_per_s, 0),
            "open_connections": one.open_connections,
            "traffic_span_s": None if one.traffic is None else round(one.traffic.span_s),
            "waiting_requests": one.status.waiting,
            "bans": one.status.bans,
        },
        "renewals": [
            {"host": renewal.host, "at": json_values.instant_json(renewal.at), "is_retry": renewal.is_retry}
            for renewal in totals.renewals
        ],
        "changes": [change_json(change) for change in one.changes.newest],
        "containers": [container_json.container_json(container) for container in one.containers],
        "machine": machine_json(one.machine, one),
        "fleet": fleet_json.fleet_json(one.status.fleet),
    }


def machine_json(state: gate_totals.MachineState, one: overview_snapshots.OverviewSnapshot) -> Json:
    return {
        "nginx": {
            "version": one.status.nginx_version,
            "is_running": state.is_running,
            "answers": state.answers,
            "workers": one.status.workers,
            "reloads": one.status.reloads,
        },
        "old_workers": {"generations": state.old, "memory_bytes": state.old_bytes, "most_generations": state.most},
        "disks": [
            {"folder": room.folder, "free_bytes": room.free_bytes, "total_bytes": room.total_bytes, "low": room.is_low}
            for room in state.rooms
        ],
    }


def rows_json(
    chosen: row_choice.ChosenRows,
    choice: row_choice.RowChoice,
    one: overview_snapshots.OverviewSnapshot,
    minutes: collections.abc.Mapping[str, tuple[int, ...]],
) -> Json:
    """The whole of GET /sites. minutes: by site, as traffic names it. `of`: how many there are without a filter.
    `of_files`: those of `total` that can be changed together."""
    domains = chosen.domains or (None,) * len(chosen.rows)
    return {
        "as_of": json_values.instant_json(one.as_of),
        "total": chosen.total,
        "of": len(one.rows),
        "of_files": chosen.of_files,
        "page": chosen.page,
        "size": choice.size,
        "sort": choice.sort.value,
        "order": "desc" if choice.descending else "asc",
        "traffic_span_s": None if one.traffic is None else round(one.traffic.span_s),
        "rows": [
            row_json(row, domain, minutes.get(site_row.traffic_name(row.name)), is_counted=one.traffic is not None)
            for row, domain in zip(chosen.rows, domains, strict=True)
        ],
    }


def row_json(
    row: site_row.SiteRow, domain: str | None, minutes: tuple[int, ...] | None, *, is_counted: bool = True
) -> Json:
    """`minutes`: requests by minute of the last hour, the newest last. Numbers of requests are null where they are not
    counted, as those of streams. `domain` is there where rows stand together by domain."""
    is_known = is_counted and row.kind is site_row.RowKind.SITE
    rate, certificate, changed = row.rate, row.certificate, row.changed
    return {
        "kind": row.kind.value,
        "name": row.name,
        "aliases": list(row.aliases),
        **({"domain": domain} if domain is not None else {}),
        "listen": list(row.listen),
        "to": list(row.to),
        "origin": str(row.origin),
        "source": row.origin.source,
        "state": row.state.value,
        "maintenance": row.is_closed,
        "reason": row.reason,
        "cure": row.cure,
        "since": json_values.instant_json(row.since),
        "lamp": row.worst.value,
        "lamps": {
            "settings": _lamp_json(row.settings),
            "certificate": _lamp_json(row.certified),
            "server": _lamp_json(row.server),
        },
        "servers_up": row.servers.up,
        "servers": row.servers.total,
        "requests_per_s": (_rounded(rate.requests_per_s) if rate else 0.0) if is_known else None,
        "p95_s": rate.p95_s if rate else None,
        "error_share": _rounded(row.error_share, 5),
        "bytes_out_per_s": (_rounded(rate.bytes_out_per_s, 0) if rate else 0.0) if is_known else None,
        "bytes_in_per_s": (_rounded(rate.bytes_in_per_s, 0) if rate else 0.0) if is_known else None,
        "minutes": list(minutes or _NO_MINUTES) if is_known else None,
        "certificate": None
        if certificate is None
        else {
            "state": certificate.state.value,
            "kind": certificate.kind.value if certificate.kind else None,
            "not_after": json_values.instant_json(certificate.not_after),
            "renewal": certificate.renewal.value,
            "renew_at": json_values.instant_json(certificate.renew_at),
        },
        "changed": None
        if changed is None
        else {
            "number": changed.number,
            "at": json_values.instant_json(changed.at),
            "what": changed.what,
            "by": changed.by,
        },
    }


def need_json(one: needs.Need) -> Json:
    """`names`: some of those that it is about, `count`: how many there are. `actions`: what one request does, for the
    first name."""
    return {
        "kind": one.kind.value,
        "lamp": one.light.value,
        "title": one.title,
        "cause": one.cause,
        "cure": one.cure or None,
        "command": one.command or None,
        "names": list(one.names),
        "count": one.count,
        "actions": [action.value for action in one.actions],
        "since": json_values.instant_json(one.since),
        "origin": one.origin or None,
    }


def change_json(one: overview_port.RecentChange) -> Json:
    return {
        "number": one.number,
        "at": json_values.instant_json(one.at),
        "by": one.by,
        "user": one.user or None,
        "state": one.state,
        "reason": one.reason or None,
        "changes": list(one.changes),
        "more_changes": one.more,
    }


def _lamp_json(one: lamps.SiteLamp) -> Json:
    return {"lamp": one.light.value, "why": one.why or None}


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
