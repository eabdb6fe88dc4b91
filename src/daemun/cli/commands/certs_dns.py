"""`daemun certs dns`."""

import dataclasses
import typing

import typer

from daemun import settings
from daemun.cli import common_options, host_names, json_answer, output, verdict

if typing.TYPE_CHECKING:
    from daemun.certs.dns01 import dns_advice


@common_options.with_settings
def dns(
    chosen: settings.Settings,
    host: typing.Annotated[str, typer.Argument(help="A site, or a host that is none yet.")],
    as_json: common_options.AsJson = False,
) -> None:
    """Show what the proof of a name needs in DNS, and whether its name servers show it. Needs no daemon.

    Exits with 3 when something is left to do.
    """
    settings.check_config_exists(chosen)
    found = _advise(chosen, host_names.normal(host))
    if as_json:
        json_answer.print_json(
            {"names": [{**dataclasses.asdict(one), "challenge": one.challenge.value} for one in found]}
        )
    else:
        for one in found:
            output.print_line("\n".join(lines_of(one)))
    raise typer.Exit(0 if all(one.is_done for one in found) else verdict.NOT_LIVE)


def _advise(chosen: settings.Settings, host: str) -> "tuple[dns_advice.DnsAdvice, ...]":
    """For the certificate of a site, or of a host that is none yet. Raises: DaemunError."""
    from daemun.certs.dns01 import dns_advice
    from daemun.core import model
    from daemun.core.texts import names
    from daemun.core.validation import validate_acme
    from daemun.sources import yaml_file
    from daemun.wiring import clock
    from daemun.wiring.offline import configuration

    snapshot = yaml_file.read_snapshot(chosen.config)
    acme = snapshot.globals.acme if snapshot.globals is not None else model.Acme()
    site = next((site for site in snapshot.sites if host in site.names), None)
    ordering = validate_acme.fill(site.tls.ordering if site is not None else model.Ordering(), acme)
    hosts = site.names if site is not None else (host,)
    adviser = dns_advice.Adviser(acme, configuration.find_store(chosen), clock.SystemClock())
    return adviser.advise([name for name in hosts if not names.is_pattern(name)], ordering)


def lines_of(found: "dns_advice.DnsAdvice") -> list[str]:
    """Pure."""
    lines = [f"{found.host} ({found.challenge.value}): {found.text}"]
    lines += [f'    {found.record}. TXT "{value}"' for value in found.values[:1]]
    lines += [f'    or with another name of the CA: "{value}"' for value in found.values[1:]]
    if found.made_at != found.record:
        lines.append(f"    {found.record} leads to {found.made_at} in the zone {found.zone}")
    for one in found.seen:
        if found.values or one.is_there is None:
            state = {True: "has it", False: "does not have it", None: one.cause}[one.is_there]
            lines.append(f"    {one.server} ({one.address}) {state}")
    return lines
