"""What the API has for the first screen and the list of sites, made of values as the daemon makes it."""

import datetime
import typing

from daemun.control import gate_port, overview_port
from daemun.core import model
from daemun.core.dashboard import gate_totals, needs, row_choice, site_row
from daemun.core.traffic import traffic_rates
from daemun.web import overview_json, overview_snapshots
from tests.support.sites import site

Json = dict[str, typing.Any]
HOSTILE = "<img src=x onerror=alert(1)>'\"`{{7*7}}</script>"
DAY = datetime.timedelta(days=1)


def _status(number: int) -> model.SiteStatus:
    made = site(
        f"s{number:05}.d{number % 40}.example.com",
        f"http://10.0.{number // 250 % 250}.{number % 250}:8080",
        origin=model.Origin(source="docker" if number % 7 == 0 else "file", place=f"daemun.yaml:{number + 3}:3"),
        aliases=(f"www.s{number}.example.com",) if number % 5 == 0 else (),
    )
    return model.SiteStatus(site=made, state=model.SiteState.LIVE)


def _certificate(host: str, now: datetime.datetime, number: int) -> model.CertificateStatus:
    return model.CertificateStatus(
        name=host,
        host=host,
        names=(host,),
        state=model.CertificateState.VALID,
        kind=model.CertificateKind.PUBLIC,
        not_before=now - 10 * DAY,
        not_after=now + 80 * DAY,
        renew_at=now + (number % 50) * DAY + 7 * datetime.timedelta(hours=1),
    )


def _rate(host: str, number: int) -> traffic_rates.TrafficRate:
    return traffic_rates.TrafficRate(
        site=host,
        route=None,
        requests=number * 37 % 9000,
        requests_per_s=(number * 37 % 9000) / 300,
        client_errors=number % 11,
        server_errors=number % 3,
        p50_s=0.004,
        p95_s=0.012 + number % 17 / 50,
        bytes_out_per_s=float(number * 7919 % 4_000_000),
        bytes_in_per_s=100.0,
    )


def snapshot(count: int, now: datetime.datetime, *, is_hurt: bool = True) -> overview_snapshots.OverviewSnapshot:
    """count: of sites. is_hurt: some of them have troubles, with hostile words."""
    sites = [_status(number) for number in range(count)]
    looks = {
        one.site.host: model.SiteLook(
            routes=(model.RouteLook(path="/", servers=(model.ServerLook(server="10.0.0.7:8080", at=now),)),)
        )
        for one in sites
    }
    certificates = [_certificate(one.site.host, now, number) for number, one in enumerate(sites)]
    streams: tuple[model.StreamStatus, ...] = ()
    containers: tuple[model.ContainerStatus, ...] = ()
    if is_hurt:
        sites += _hurt(now)
        certificates.append(_failing("late.example.com", now))
        streams = (
            model.StreamStatus(
                name="mqtt",
                origin=model.Origin(source="file", place="daemun.yaml:90:3"),
                protocol="tcp",
                listen=("1883",),
                to=("tcp://broker:1883",),
                tls=None,
                hosts=(),
                state=model.SiteState.LIVE,
                look=model.StreamLook(servers=(model.ServerLook(server="broker:1883", at=now),)),
            ),
        )
        containers = (
            model.ContainerStatus(
                name="web-7", hosts=("w.test",), is_served=False, why=HOSTILE, cure="set daemun.port"
            ),
        )
        dead = model.ServerLook(
            server="10.0.0.9:80", at=now, trouble=model.Trouble.REFUSED, cause="10.0.0.9:80 refuses connections"
        )
        looks["wiki.example.com"] = model.SiteLook(routes=(model.RouteLook(path="/", servers=(dead,)),))
    rates = {one.site.host: _rate(one.site.host, number) for number, one in enumerate(sites) if number % 4}
    changes = {
        one.site.host: site_row.LastChange(number=7, at=now - DAY, what="changed", by="daemun add")
        for one in sites[:20]
    }
    seen = site_row.SeenGate(
        sites=tuple(sites),
        streams=streams,
        certificates=tuple(certificates),
        containers=containers,
        looks=looks,
        rates=rates,
        changes=changes,
    )
    rows = site_row.make_rows(seen, now)
    gb = 1 << 30
    machine = gate_totals.MachineState(
        rooms=(gate_totals.DiskRoom(folder="/var/lib/daemun", free_bytes=60 * gb, total_bytes=100 * gb),)
    )
    return overview_snapshots.OverviewSnapshot(
        as_of=now,
        rows=rows,
        needs=needs.find_needs(seen, rows, now, gate_totals.find_machine_needs(machine)),
        totals=gate_totals.add_up(rows, certificates, is_counted=True),
        machine=machine,
        traffic=overview_port.RecentTraffic(rates=rates, span_s=320.0),
        changes=overview_port.KnownChanges(newest=_changes(now)),
        containers=containers,
        status=gate_status(now),
        open_connections=37,
    )


def _hurt(now: datetime.datetime) -> list[model.SiteStatus]:
    def make(host: str, state: model.SiteState, reason: str, cure: str | None) -> model.SiteStatus:
        origin = model.Origin(source="file", place="daemun.yaml:77:3")
        since = now - datetime.timedelta(minutes=4)
        made = site(host, "http://10.0.0.9:80", origin=origin)
        return model.SiteStatus(site=made, state=state, reason=reason, cure=cure, since=since)

    states = model.SiteState
    return [
        make("wiki.example.com", states.UNREACHABLE, "10.0.0.9:80 refuses connections", "start the server"),
        make("held.example.com", states.QUARANTINED, f"unknown directive {HOSTILE}", "correct its spelling"),
        make("late.example.com", states.DEGRADED, "its certificate is not as asked for: DNS points elsewhere", None),
        make("off.example.com", states.DISABLED, "", None),
    ]


def _failing(host: str, now: datetime.datetime) -> model.CertificateStatus:
    return model.CertificateStatus(
        name=host,
        host=host,
        names=(host,),
        state=model.CertificateState.FAILING,
        kind=model.CertificateKind.PUBLIC,
        not_before=now - 70 * DAY,
        not_after=now + 20 * DAY,
        next_attempt=now + datetime.timedelta(hours=1),
        failures=3,
        reason="DNS points elsewhere",
        failing_since=now - DAY,
    )


def _changes(now: datetime.datetime) -> tuple[overview_port.RecentChange, ...]:
    return tuple(
        overview_port.RecentChange(
            number=number,
            at=now - (8 - number) * DAY,
            by="edit of daemun.yaml",
            user="ann",
            state="live" if number != 6 else "partly live",
            reason="" if number != 6 else HOSTILE,
            changes=(f"added {HOSTILE}", "changed s00001.d1.example.com"),
            more=number,
        )
        for number in range(7, 2, -1)
    )


def gate_status(now: datetime.datetime) -> gate_port.GateStatus:
    return gate_port.GateStatus(
        version="1.2.3",
        pid=1,
        generation=4,
        nginx_version="1.31.3",
        nginx_pid=2,
        reloads=3,
        workers=2,
        draining_workers=0,
        sites=(),
        certificates=(),
        problems=(),
        config_path="/etc/daemun/daemun.yaml",
        state_dir="/var/lib/daemun",
        started_at=now - DAY,
    )


def overview(found: overview_snapshots.OverviewSnapshot) -> Json:
    return overview_json.overview_json(found, most_needs=50)


def rows(found: overview_snapshots.OverviewSnapshot, choice: row_choice.RowChoice) -> Json:
    chosen = row_choice.choose(found.rows, choice, lambda host: ".".join(host.split(".")[-2:]))
    minutes = {
        one.name: tuple((number * 7 + place) % 30 for place in range(60)) for number, one in enumerate(chosen.rows)
    }
    return overview_json.rows_json(chosen, choice, found, minutes)
