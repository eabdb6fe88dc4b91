"""What a look at the gate finds, from what is known of it. Pure.

Its findings have the weights of those before an order: BLOCKS: something is not served as wanted; WARNS: it deserves a
look; GOOD: looked at and as it should be.
"""

import collections.abc
import dataclasses
import re

from daemun.core import model, new_findings
from daemun.core.certificates import certificate_faults, on_demand_names
from daemun.core.issuance import renewal_time
from daemun.core.nginx_builds import nginx_build, nginx_weaknesses
from daemun.core.rounds import merge
from daemun.core.served import served_judgement
from daemun.core.validation import validate_acme

_MOST_NAMED = 20
_QUIET = frozenset({model.SiteState.DISABLED, model.SiteState.WAITING})
"""Of more certificates, the good ones are counted."""
_MANY_GENERATIONS = 4
"""Old workers for each one of now, from which on they deserve a look: each holds memory."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PossibleOrder:
    """What could be ordered: names, at which CA, and how."""

    hosts: tuple[str, ...]
    authority: model.Authority
    ordering: model.Ordering


def judge_nginx(version: str, actual: model.Actual) -> tuple[model.Finding, ...]:
    """actual: what nginx does now; its files are not looked at."""
    if actual.pid is None:
        cure = "daemun starts it again by itself; if that fails, the log of `daemun up` has the reason"
        return (new_findings.blocks("nginx", f"nginx {version} is not running", cure),)
    found = [new_findings.good("nginx", f"nginx {version} runs (process {actual.pid})")]
    draining = sum(worker.draining for worker in actual.workers)
    if draining > _MANY_GENERATIONS * (len(actual.workers) - draining):
        message = f"{draining} old workers of nginx finish open connections, and each holds memory"
        found.append(new_findings.warns("nginx", message, "reload less often, or lower `old_workers` in daemun.yaml"))
    elif draining:
        found.append(new_findings.good("nginx", f"{_count(draining, 'old worker')} of nginx finish open connections"))
    return tuple(found)


def judge_weaknesses(
    build: nginx_build.Build, weaknesses: collections.abc.Sequence[nginx_weaknesses.Weakness]
) -> tuple[model.Finding, ...]:
    """weaknesses: the worst first, those that the running configuration does not lay open among them."""
    laid_open = [one for one in weaknesses if one.applies]
    ours = [one for one in laid_open if one.fixed]
    found = []
    if ours:
        found.append(
            new_findings.warns(
                "weakness", f"nginx {build.text} has {nginx_weaknesses.describe(laid_open)}", _cure(ours)
            )
        )
    found += [
        new_findings.warns(
            "weakness", f"nginx {build.text}: {one.title}", "another nginx has a newer one: `daemun nginx install`"
        )
        for one in laid_open
        if not one.fixed
    ]
    if not laid_open:
        beside = f"; {len(weaknesses)} of parts that it does not use" if weaknesses else ""
        message = f"no known weakness of nginx {build.text} is laid open by the configuration{beside}"
        found.append(new_findings.good("weakness", message))
    return tuple(found)


def judge_successor(
    serving: nginx_build.Build, successor: nginx_build.Build, *, is_replaced: bool
) -> tuple[model.Finding, ...]:
    """Whether another nginx than the one that serves would be started. is_replaced: its file is not the one it was
    started from any more."""
    facts = [(one.version, one.openssl, one.libc) for one in (serving, successor)]
    if not is_replaced and facts[0] == facts[1]:
        return ()
    how = "another file has taken its place" if is_replaced else "another one has been chosen"
    message = f"nginx {serving.text} serves, and {how}: nginx {successor.text} ({successor.path})"
    cure = "`daemun nginx upgrade` lets that one take over, and no connection is lost"
    return (new_findings.warns("nginx", message, cure),)


def judge_allocator(
    serving: nginx_build.Build, successor: nginx_build.Build | None, *, named: str | None, has_apt: bool
) -> tuple[model.Finding, ...]:
    """Whether a request costs what it must, wherever its memory happens to lie (`render.main_file`).

    successor: what would be started now. named: how it was named ("--nginx"), None: it was not. has_apt: whether
    daemun can get Debian's nginx here.
    """
    if serving.libc == nginx_build.GLIBC:
        return ()
    message = (
        f"nginx {serving.text} does not have glibc's memory allocator but that of musl: a request may take twice the "
        "CPU time, depending on how long names are and on how many visitors there are"
    )
    if successor is not None and successor.libc == nginx_build.GLIBC:
        cure = f"`daemun nginx upgrade` lets nginx {successor.text} ({successor.path}) take over, which has glibc's"
    elif named is not None:
        cure = f"name an nginx that is built for glibc with {named}, or leave that out and run `daemun nginx install`"
    elif has_apt:
        cure = "`daemun nginx install` gets Debian's, which has glibc's, and `daemun nginx upgrade` lets it take over"
    else:
        cure = "name an nginx that is built for glibc with --nginx PATH"
    return (new_findings.warns("allocator", message, cure),)


def _cure(weaknesses: collections.abc.Sequence[nginx_weaknesses.Weakness]) -> str:
    meanwhile = sorted({one.meanwhile for one in weaknesses if one.meanwhile is not None})
    until = f"; until then {' and '.join(meanwhile)} closes some of them" if meanwhile else ""
    return f"`daemun nginx list` shows them, and `daemun nginx install` gets a newer nginx beside this one{until}"


def judge_sites(
    sites: tuple[model.SiteStatus, ...],
    host: str | None = None,
    *,
    streams: tuple[model.StreamStatus, ...] = (),
    reported: collections.abc.Collection[str] = (),
) -> tuple[model.Finding, ...]:
    """What is live; host: look at the sites that serve it alone, which may be a name of one of the streams. reported:
    sites that a problem is about."""
    chosen = [item for item in sites if host is None or serves(item.site, host)]
    if host is not None and not chosen:
        if any(is_of_stream(one, host) for one in streams):
            return ()
        cure = f"`daemun add {host} TARGET` makes one"
        return (new_findings.warns("site", "no site of the gate has this name", cure, host),)
    enabled = [item for item in chosen if item.state not in _QUIET]
    live = [item for item in enabled if item.state is model.SiteState.LIVE]
    found = [_judge_site(item) for item in chosen if _deserves_a_look(item, host) and item.site.host not in reported]
    if host is not None:
        return (*found, *(new_findings.good("site", "its site is live", item.site.host) for item in live))
    return (new_findings.good("site", served_judgement.count_all(sites, streams)), *found)


def _deserves_a_look(item: model.SiteStatus, host: str | None) -> bool:
    """A site that was switched off does so only where a person names it. Why visitors are not served is reported of
    each server and handshake (`served_judgement.find_findings`), or certificate."""
    if item.state in _QUIET:
        return host is not None
    return item.state is not model.SiteState.LIVE and item.state not in served_judgement.STATES


def judge_problems(problems: tuple[model.Problem, ...], host: str | None = None) -> tuple[model.Finding, ...]:
    """host: those of this site alone."""
    return tuple(_judge_problem(problem) for problem in problems if host is None or problem.host == host)


def judge_containers(
    containers: tuple[model.ContainerStatus, ...], host: str | None = None
) -> tuple[model.Finding, ...]:
    chosen = [one for one in containers if host is None or host in one.hosts]
    served = [one for one in chosen if one.is_served]
    found = [
        new_findings.warns(
            "engine", f"the container {one.full_name}: {one.why}", one.cure or "`daemun status` tells more"
        )
        for one in chosen
        if one.why is not None
    ]
    if chosen:
        found.append(new_findings.good("engine", f"{len(served)} of {_count(len(chosen), 'container')} served"))
    return tuple(found)


def judge_engines(engines: tuple[model.EngineStatus, ...]) -> tuple[model.Finding, ...]:
    """Whether all of several answer. What is wrong with one that does not is a problem already."""
    if len(engines) < 2 or not all(one.answers for one in engines):
        return ()
    return (
        new_findings.good("engine", f"all {len(engines)} engines answer: {', '.join(one.name for one in engines)}"),
    )


def judge_certificates(statuses: collections.abc.Sequence[model.CertificateStatus]) -> tuple[model.Finding, ...]:
    """Each that is not as wanted, and a sum of those that are: each of ten thousand would not be read."""
    judged = [judge_certificate(status) for status in statuses]
    if len(judged) <= _MOST_NAMED:
        return tuple(judged)
    bad = [finding for finding in judged if finding.weight is not model.Weight.GOOD]
    good = len(judged) - len(bad)
    return (*bad, new_findings.good("certificate", f"{good} of {_count(len(judged), 'certificate')} as asked for"))


def judge_certificate(status: model.CertificateStatus) -> model.Finding:
    until = f" until {status.not_after:%Y-%m-%d}" if status.not_after is not None else ""
    match status.state:
        case model.CertificateState.FAILING:
            cure = certificate_faults.find_cure(status)
            message = f"has no certificate as asked for: {status.reason or 'no reason is known'}"
            return new_findings.blocks("certificate", message, cure, status.host)
        case model.CertificateState.INVALID | model.CertificateState.INCOMPLETE | model.CertificateState.NOT_SERVED:
            return _judge_refused(status)
        case model.CertificateState.PENDING:
            return new_findings.good("certificate", "its certificate is being ordered", status.host)
        case model.CertificateState.LOCAL:
            return new_findings.good(
                "certificate", "has a certificate of the local authority, as asked for", status.host
            )
        case model.CertificateState.VALID:
            by = f" of {status.issuer}" if status.issuer else ""
            return new_findings.good("certificate", f"has a certificate{by}{until}", status.host)


def _judge_refused(status: model.CertificateStatus) -> model.Finding:
    """One that is there, and that visitors refuse or do not see."""
    reason, cure = status.reason or "no reason is known", certificate_faults.find_replacement(status)
    match status.state:
        case model.CertificateState.INCOMPLETE:
            return new_findings.warns(
                "certificate", f"some visitors refuse its certificate: {reason}", cure, status.host
            )
        case model.CertificateState.NOT_SERVED:
            return new_findings.blocks("certificate", "visitors are not shown its certificate", cure, status.host)
    return new_findings.blocks("certificate", f"no visitor accepts its certificate: {reason}", cure, status.host)


def find_orders(
    desired: model.Desired, host: str | None = None, *, added: collections.abc.Sequence[str] = ()
) -> tuple[PossibleOrder, ...]:
    """Orders at CAs; host: only what has to do with it, and for a name that no site has what would be.

    added: the names that were added while the gate runs (`certificates.on_demand_names`).
    """
    acme = desired.globals.acme
    taking = on_demand_names.find_site(desired)
    own = tuple(on_demand_names.make_spec(name, taking, acme) for name in added) if taking is not None else ()
    specs = [spec for spec in (*merge.certificate_specs(desired), *own) if renewal_time.hosts_to_order(spec)]
    if host is not None:
        if host not in added and not any(serves(site, host) for site in desired.sites):
            ordering = validate_acme.fill(model.Ordering(), acme)
            return (PossibleOrder(hosts=(host,), authority=acme.authorities[0], ordering=ordering),)
        specs = [spec for spec in specs if any(covers(name, host) for name in spec.names)]
    return tuple(
        PossibleOrder(
            hosts=renewal_time.hosts_to_order(spec),
            authority=spec.ordering.authority or acme.authorities[0],
            ordering=spec.ordering,
        )
        for spec in specs
    )


def serves(site: model.Site, host: str) -> bool:
    return any(covers(name, host) for name in site.names)


def is_of_stream(stream: model.StreamStatus, name: str) -> bool:
    """Whether a stream is meant with a name in lower case: its own, or one of its TLS clients."""
    return stream.name.lower() == name or any(covers(one, name) for one in (stream.tls or "", *stream.hosts))


def covers(name: str, host: str) -> bool:
    """Whether a site's name, which may be a wildcard or a pattern, stands for a host.

    Source: nginx.org/en/docs/http/server_names.html
    """
    if name.startswith("~"):
        return re.search(name[1:], host, re.IGNORECASE) is not None
    if name.startswith("*."):
        return host == name or (host.endswith(name[1:]) and not host.startswith("*."))
    return host.startswith(name[:-1]) if name.endswith(".*") else host == name


def _judge_site(item: model.SiteStatus) -> model.Finding:
    host = item.site.host
    if item.state is model.SiteState.DISABLED:
        return new_findings.warns("site", "its site is switched off", f"`daemun enable {host}` switches it on", host)
    if item.state is model.SiteState.WAITING:
        return new_findings.warns("site", f"its site waits: {item.reason}", item.cure or "", host)
    message = f"its site is {item.state.words}: {item.reason or 'no reason is known'}"
    return new_findings.blocks(
        "site", message, "`daemun status` tells what is served instead; correct its source", host
    )


def _judge_problem(problem: model.Problem) -> model.Finding:
    weight = model.Weight.BLOCKS if problem.severity is model.Severity.ERROR else model.Weight.WARNS
    topic = "engine" if problem.origin.source == "docker" else "config"
    # The message has its own; a person cannot look at an engine.
    place = problem.origin.place if not problem.origin.place.startswith("engine ") else ""
    cure = f"look at {place}" if place else None
    return model.Finding(topic=topic, weight=weight, message=problem.message, cure=cure, host=problem.host)


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
