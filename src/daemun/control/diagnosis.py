"""Looks at the running gate and at the names that it orders certificates for, for `daemun doctor`."""

import asyncio
import collections.abc
import dataclasses
import datetime

from daemun.control import certificate_port, gate_port
from daemun.core import doctor_findings, model, new_findings
from daemun.core.certificates import certificate_choice, certificate_faults, on_demand_names
from daemun.core.served import served_judgement, stream_judgement
from daemun.core.texts import names, words
from daemun.errors import ConfigError

MOST_NAMES = 500
"""No more names are looked at unasked: each costs questions to DNS and to its own port 80."""
_ORDERS_AT_ONCE = 8

Look = collections.abc.Callable[[str], model.SiteLook | None]


async def diagnose(
    host: str | None,
    status: gate_port.GateStatus,
    desired: model.Desired,
    examiner: certificate_port.Examiner,
    *,
    added: collections.abc.Sequence[str] = (),
    look: Look = lambda _: None,
    left: int = 0,
) -> tuple[model.Finding, ...]:
    """Findings about everything, or about one name, which need not be one of the gate yet.

    added: the names that were added while the gate runs. look: what visitors of a site were seen to receive. left: how
    much of that was not looked at anew. Raises: ConfigError when `host` is no name.
    """
    check(host)
    taking = on_demand_names.find_site(desired) if host in added else None
    known = (*_look_at_gate(host, status, taking, look), *_explain_served(host, status, taking, look, left))
    known = (*known, *_explain_streams(host, status))
    if host is not None and not names.is_signed_publicly(host) and not _is_of_a_ca(host, desired):
        return known
    orders, left_out = _limited(doctor_findings.find_orders(desired, host, added=added))
    examined = await _examine(orders, examiner)
    if left_out:
        message = f"{left_out} more names were not looked at; `daemun doctor HOST` looks at one"
        examined = (*examined, new_findings.good("dns", message))
    return (*known, *examined)


def _look_at_gate(
    host: str | None, status: gate_port.GateStatus, taking: model.Site | None, look: Look
) -> tuple[model.Finding, ...]:
    """taking: the site that the name was added to; None: it was to none. look: what handshakes show."""
    site = taking.host if taking is not None else host
    draining = (True,) * status.draining_workers + (False,) * status.workers
    workers = tuple(model.Worker(pid=0, draining=one) for one in draining)
    shown = [
        one
        for one in status.certificates
        if (host is None or any(doctor_findings.covers(name, host) for name in (one.host, *one.names)))
        and not (one.state is model.CertificateState.NOT_SERVED and (seen := look(one.host)) and seen.handshakes)
    ]
    # Each trouble once: what a certificate's own state has is no problem of the file besides, and so on.
    problems = tuple(one for one in status.problems if not certificate_faults.is_reported(one, shown))
    reported = {one.host for one in problems if one.host is not None and one.severity is model.Severity.ERROR}
    return (
        *doctor_findings.judge_nginx(status.nginx_version, model.Actual(pid=status.nginx_pid, workers=workers)),
        *doctor_findings.judge_sites(status.sites, site, streams=status.streams, reported=reported),
        *doctor_findings.judge_problems(problems, site),
        *(doctor_findings.judge_engines(status.engines) if host is None else ()),
        *doctor_findings.judge_containers(status.containers, site),
        *(doctor_findings.judge_certificates(shown) if host is None else map(doctor_findings.judge_certificate, shown)),
    )


def _explain_served(
    host: str | None, status: gate_port.GateStatus, taking: model.Site | None, look: Look, left: int
) -> tuple[model.Finding, ...]:
    now = datetime.datetime.now(datetime.UTC)
    name = taking.host if taking is not None else host
    found: list[model.Finding] = []
    refused = {one.name for one in status.certificates if one.state is model.CertificateState.INVALID}
    for item in status.sites:
        if item.state is model.SiteState.DISABLED or not (name is None or doctor_findings.serves(item.site, name)):
            continue
        seen = look(item.site.host)
        if seen is not None and certificate_choice.name_of(item.site) in refused:
            # Its own state has what every visitor objects to; a handshake that does not come about is another trouble.
            seen = dataclasses.replace(seen, handshakes=tuple(one for one in seen.handshakes if not one.is_wrong))
        if seen is not None:
            seen = served_judgement.look_with_containers(item.site.host, seen, status.containers)
            found += served_judgement.find_findings(item.site.host, seen, now, with_good=host is not None)
    if left:
        message = f"{left} servers and handshakes were not looked at anew; `daemun doctor HOST` looks at one site"
        found.append(new_findings.good("server", message))
    return tuple(found)


def _explain_streams(host: str | None, status: gate_port.GateStatus) -> collections.abc.Iterator[model.Finding]:
    now = datetime.datetime.now(datetime.UTC)
    for one in status.streams:
        if host is None or doctor_findings.is_of_stream(one, host):
            yield from stream_judgement.find_findings(one, now)


async def _examine(
    orders: collections.abc.Sequence[doctor_findings.PossibleOrder], examiner: certificate_port.Examiner
) -> tuple[model.Finding, ...]:
    at_once = asyncio.Semaphore(_ORDERS_AT_ONCE)

    async def examine(order: doctor_findings.PossibleOrder) -> tuple[model.Finding, ...]:
        async with at_once:
            return await examiner.examine(order.hosts, order.authority, order.ordering)

    found = await asyncio.gather(*map(examine, orders))
    # What concerns no single name, such as the CA and the clock, is found by each order.
    return tuple(dict.fromkeys(finding for findings in found for finding in findings))


def _limited(orders: tuple[doctor_findings.PossibleOrder, ...]) -> tuple[list[doctor_findings.PossibleOrder], int]:
    """As many orders as have MOST_NAMES names together (the first one whole), and how many names are left out."""
    chosen: list[doctor_findings.PossibleOrder] = []
    total = 0
    for order in orders:
        if chosen and total + len(order.hosts) > MOST_NAMES:
            break
        chosen.append(order)
        total += len(order.hosts)
    return chosen, sum(len(order.hosts) for order in orders) - total


def _is_of_a_ca(host: str, desired: model.Desired) -> bool:
    """A private CA may sign names that no public one does."""
    return any(doctor_findings.serves(site, host) and site.tls.mode is model.TlsMode.ACME for site in desired.sites)


def find_site(host: str, desired: model.Desired, added: collections.abc.Collection[str]) -> str | None:
    """The site that serves a name; None: none does."""
    taking = on_demand_names.find_site(desired) if host in added else None
    found = taking or next((site for site in desired.enabled if doctor_findings.serves(site, host)), None)
    return found.host if found is not None else None


def check(host: str | None) -> None:
    """Raises: ConfigError for what is no name. None is everything."""
    if host is None:
        return
    if names.address_of(host) is None and not names.is_host_name(host.removeprefix("*.")):
        raise ConfigError(f"cannot look at {words.quoted(host)}: it is no host name; name one such as chat.example.com")
