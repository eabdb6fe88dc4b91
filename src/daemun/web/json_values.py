"""The gate's reports, as JSON values. Pure. Keys may be added, never renamed.

Instants are RFC 3339 in UTC with whole seconds ("2026-01-02T03:04:05Z").
"""

import collections.abc
import datetime
import typing

from daemun.control import gate_port
from daemun.core import model, worker_generations
from daemun.core.access import banned_networks, built_in_sites
from daemun.core.certificates import certificate_choice
from daemun.core.options import app_option, maintenance_option, when_option
from daemun.core.served import stream_judgement
from daemun.core.texts import durations
from daemun.web import container_json, nginx_json

Json = dict[str, typing.Any]
Look = collections.abc.Callable[[str], model.SiteLook | None]


def status_json(status: gate_port.GateStatus, old: gate_port.OldWorkersReport, look: Look = lambda _: None) -> Json:
    """The whole of GET /status. look: what visitors of a site were seen to receive."""
    # By name, too: one certificate may be for several sites.
    certificates: dict[str, model.CertificateStatus] = {}
    for one in status.certificates:
        known = certificates.get(one.host)
        # Of two with different types of keys the one that is not as it should be.
        if known is None or known.state is model.CertificateState.VALID is not one.state:
            certificates[one.host] = one
    named = {certificate.name: certificate for certificate in status.certificates}
    pools = {pool.name: pool for pool in status.pools}
    return {
        "version": status.version,
        "pid": status.pid,
        "started_at": instant_json(status.started_at),
        "config": status.config_path,
        "state_dir": status.state_dir,
        "generation": status.generation,
        "nginx": nginx_json.nginx_json(status, old),
        "waiting_change": _held_json(old.held),
        "applying_since": instant_json(status.applying_since) if status.applying_since else None,
        "bans": status.bans,
        "requests": {"waiting": status.waiting, "waited": status.waited},
        "sites": [
            site_json(
                item,
                certificates.get(item.site.host) or named.get(certificate_choice.name_of(item.site)),
                pools,
                look(item.site.host),
            )
            for item in status.sites
        ],
        "streams": [
            stream_json(item, stream_judgement.find_certificate(item, status.certificates)) for item in status.streams
        ],
        "containers": [container_json.container_json(item) for item in status.containers],
        "engines": [container_json.engine_json(item) for item in status.engines],
        "problems": problems_json(status.problems),
    }


def ban_json(one: banned_networks.Ban) -> Json:
    """`until` is null for good."""
    return {
        "address": one.network,
        "reason": one.reason.value,
        "note": one.note,
        "since": instant_json(one.since),
        "until": None if one.until is None else instant_json(one.until),
    }


def upgrade_json(report: gate_port.UpgradeReport) -> Json:
    """`version` and `path` are of the nginx that serves now; `former` is null where none took over."""
    return {
        "ok": report.ok,
        "version": report.version,
        "path": report.path,
        "former": report.former,
        "error": report.error,
        "waits": _held_json(report.waits),
    }


def _held_json(held: worker_generations.HeldReload | None) -> Json | None:
    if held is None:
        return None
    return {
        "since": instant_json(held.since),
        "drains_at": instant_json(held.drains_at),
        "until": instant_json(held.until),
        "reason": str(held),
    }


Pools = collections.abc.Mapping[str, model.Pool]


def site_json(
    item: model.SiteStatus,
    certificate: model.CertificateStatus | None,
    pools: Pools,
    look: model.SiteLook | None = None,
) -> Json:
    """One site with its state. `tls` and `http` are the site's settings. pools: by name. look: None: there was none."""
    site, look = item.site, look or model.SiteLook()
    seen = {route.path: route for route in look.routes}
    return {
        "host": site.host,
        "name": f"{site.host}@{site.origin.source}",
        "aliases": list(site.aliases),
        "origin": str(site.origin),
        "source": site.origin.source,
        "over": None if site.overlay is None or site.overlay.beneath is None else str(site.overlay.beneath),
        "enabled": site.enabled,
        "maintenance": maintenance_option.OPTION.of(site).is_closed(datetime.datetime.now(datetime.UTC)),
        "state": item.state.value,
        "reason": item.reason,
        "cure": item.cure,
        "since": instant_json(item.since),
        "tls": site.tls.mode.value,
        "http": site.http.value,
        "app": app_option.OPTION.of(site),
        "certificate": certificate_json(certificate) if certificate else None,
        "routes": [route_json(route, pools, seen.get(route.name)) | _labels_json(site, route) for route in site.routes],
        "handshakes": [_handshake_json(one) for one in look.handshakes],
        "handshake_at": instant_json(look.shaken_at),
    }


def _labels_json(site: model.Site, route: model.Route) -> Json:
    """`labels`: of a route of containers the options that their labels set, and not the file."""
    if route.origin.source != model.CONTAINERS:
        return {}
    own = frozenset() if site.overlay is None else site.overlay.keys
    of_route = {name for name, _ in (*route.options, *route.action.options) if (*route.field, name) not in own}
    return {"labels": sorted(of_route | {name for name, _ in site.options if (name,) not in own})}


def _handshake_json(one: model.HandshakeLook) -> Json:
    """A handshake by the site's name that did not go as it should. `at` is when it was first seen so."""
    return {
        "listener": one.listener,
        "name": one.name,
        "at": instant_json(one.at),
        "cause": one.cause,
        "cure": one.cure,
    }


def server_json(one: model.ServerLook) -> Json:
    """`state` is "answers", or what is wrong."""
    return {
        "server": one.server,
        "state": one.trouble.value if one.trouble is not None else "answers",
        "cause": one.cause,
        "cure": one.cure,
        "since": instant_json(one.since),
        "at": instant_json(one.at),
    }


def error_json(error: model.UpstreamError | None) -> Json | None:
    """`count` is how many of the same cause came one after another, at least; `nginx` are nginx's own words."""
    if error is None:
        return None
    return {
        "at": instant_json(error.at),
        "count": error.count,
        "cause": error.cause,
        "cure": error.cure,
        "nginx": error.words,
    }


def route_json(route: model.Route, pools: Pools, look: model.RouteLook | None = None) -> Json:
    """`to` as in the file, with the servers that a pool has now; `entry`, `when`: of several of a path, from 1. `kind`
    "own": daemun's own page, which `to` names."""
    action, built_in = route.action, built_in_sites.find(route)
    match action:
        case _ if built_in is not None:
            kind, to = "own", [built_in.short]
        case model.Proxy(php=model.Php(folder=folder)):
            kind, to = "php", [*(text for target in action.targets for text in _target_texts(target, pools)), folder]
        case model.Proxy():
            kind, to = "proxy", [text for target in action.targets for text in _target_texts(target, pools)]
        case model.Redirect():
            kind, to = "redirect", [action.to]
        case model.Files():
            kind, to = "files", [action.folder]
        case model.Respond():
            kind, to = "respond", [str(action.status), *(() if action.file is None else (action.file,))]
    return {
        "path": route.path,
        "entry": None if route.entry is None else route.entry + 1,
        "when": when_option.describe(when_option.OPTION.of(route)),
        "kind": kind,
        "to": to,
        "app": app_option.OPTION.of(action),
        "origin": str(route.origin),
        "servers": [server_json(one) for one in look.servers] if look is not None else [],
        "judges": [server_json(one) for one in look.judges] if look is not None else [],
        "last_error": None if look is None else error_json(look.last_error),
    }


def _target_texts(target: model.Target, pools: Pools) -> list[str]:
    return [str(one) for one in target.list_servers(pools)]


def stream_json(item: model.StreamStatus, certificate: model.CertificateStatus | None = None) -> Json:
    """One entry of `streams`. `served`: whether anything takes its connections, an earlier version of it perhaps."""
    look = item.look or model.StreamLook()
    return {
        "name": item.name,
        "origin": str(item.origin),
        "protocol": item.protocol,
        "listen": list(item.listen),
        "to": list(item.to),
        "tls": item.tls,
        "hosts": list(item.hosts),
        "state": item.state.value,
        "reason": item.reason,
        "cure": item.cure,
        "since": instant_json(item.since),
        "certificate": None if certificate is None else certificate_json(certificate),
        "servers": [server_json(one) for one in look.servers],
        "handshakes": [_handshake_json(one) for one in look.handshakes],
        "last_error": error_json(look.last_error),
        "served": item.is_served and item.state is not model.SiteState.DISABLED,
    }


def certificate_json(certificate: model.CertificateStatus) -> Json:
    """One certificate: what is served, and what happens next."""
    return {
        "name": certificate.name,
        "host": certificate.host,
        "names": list(certificate.names),
        "state": certificate.state.value,
        "kind": certificate.kind.value if certificate.kind else None,
        "issuer": certificate.issuer,
        "not_before": instant_json(certificate.not_before),
        "not_after": instant_json(certificate.not_after),
        "renew_at": instant_json(certificate.renew_at),
        "reason": certificate.reason,
        "next_attempt": instant_json(certificate.next_attempt),
        "authority": certificate.authority,
        "failures": certificate.failures,
        "last_error": certificate.last_error,
        "failing_since": instant_json(certificate.failing_since),
        "tries": [
            {"at": instant_json(one.at), "authority": one.authority or None, "result": one.result}
            for one in certificate.tries
        ],
        "held_until": instant_json(certificate.held_until),
        "others": [
            {
                "names": list(other.names),
                "kind": other.kind.value,
                "issuer": other.issuer,
                "not_before": instant_json(other.not_before),
                "not_after": instant_json(other.not_after),
            }
            for other in certificate.others
        ],
        "fingerprint": certificate.fingerprint,
        "key_type": certificate.key_type.value if certificate.key_type else None,
    }


def certificates_json(certificates: tuple[model.CertificateStatus, ...]) -> Json:
    """The whole of GET /certs."""
    return {"certificates": [certificate_json(certificate) for certificate in certificates]}


def sent_alerts_json(sent: collections.abc.Iterable[model.SentAlert]) -> Json:
    """The whole of POST /alerts/test. `error` is null where the message was taken."""
    return {"results": [{"target": one.target, "error": one.error, "remark": one.remark} for one in sent]}


def plan_json(plan: gate_port.PlanReport) -> Json:
    """The whole of GET /plan."""
    return {
        "changes": _changes_json(plan.changes),
        "streams": _streams_json(plan.streams),
        "reload": plan.reload,
        "steps": list(plan.steps),
        "problems": problems_json(plan.problems),
        **({"nodes": list(plan.nodes)} if plan.nodes else {}),
    }


def apply_json(report: gate_port.ApplyReport) -> Json:
    """The whole of POST /apply."""
    return {
        "ok": report.ok,
        "generation": report.generation,
        "reloaded": report.reloaded,
        "live_since": instant_json(report.live_since),
        "changes": _changes_json(report.changes),
        "streams": _streams_json(report.streams),
        "problems": problems_json(report.problems),
        "error": report.error,
        "waits": _held_json(report.waits),
        "unread": list(report.unread),
        **({"nodes": list(report.nodes)} if report.nodes else {}),
    }


def problems_json(problems: tuple[model.Problem, ...]) -> list[Json]:
    """`origin` is what a person can open; `host` is null when a whole source is concerned."""
    return [
        {
            "severity": problem.severity.value,
            "origin": str(problem.origin),
            "message": problem.message,
            "host": problem.host,
        }
        for problem in problems
    ]


def findings_json(findings: tuple[model.Finding, ...]) -> list[Json]:
    """`weight` is "blocks", "warns" or "good"; `host` is null when no single name is concerned, `cure` when it is
    good."""
    return [
        {
            "topic": finding.topic,
            "weight": finding.weight.value,
            "host": finding.host,
            "message": finding.message,
            "cure": finding.cure,
        }
        for finding in findings
    ]


def instant_json(moment: datetime.datetime | None) -> str | None:
    """None stays None."""
    return None if moment is None else durations.instant(moment)


def _changes_json(changes: tuple[gate_port.SiteChange, ...]) -> list[Json]:
    """`lines` and `apps` are there where there are some."""
    return [
        {"host": change.host, "kind": change.kind.value}
        | ({"lines": list(change.lines)} if change.lines else {})
        | ({"apps": list(change.apps)} if change.apps else {})
        for change in changes
    ]


def _streams_json(changes: tuple[gate_port.StreamChange, ...]) -> list[Json]:
    return [
        {"name": change.name, "kind": change.kind.value, **({"lines": list(change.lines)} if change.lines else {})}
        for change in changes
    ]
