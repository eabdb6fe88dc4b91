"""Everything that is looked at before an order, at once and in seconds (`control.certificate_port.Examiner`)."""

import asyncio
import collections.abc
import dataclasses
import socket
import traceback

import dns.exception
import psutil
import structlog

from daemun.certs.preflight import ca_directory, dns_questions, port80_visits, record_places
from daemun.control import ports
from daemun.core import model, new_findings
from daemun.core.issuance import challenge_choice, public_cas
from daemun.core.issuance.preflight import ca_answers, caa, facts, name_addresses, port80, proof_record
from daemun.core.texts import names
from daemun.errors import DaemunError

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LONGEST_S = 20.0
"""For one name; what was not found out by then is no finding that blocks."""
NAMES_AT_ONCE = 20

Budget = collections.abc.Callable[[collections.abc.Sequence[str], model.Authority], model.Finding | None]
"""Whether the CA's limits let an order for these hosts be made now; None: nothing is known of any."""
AccountUrl = collections.abc.Callable[[model.Authority], str | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The state of one examination, shared by all of its names."""

    resolver: dns_questions.Resolver | None
    servers: tuple[str, ...]
    unresolved: str
    authority: model.Authority
    ordering: model.Ordering
    here: facts.ThisMachine
    thumbprint: str
    account: str | None
    is_public: bool


class Preflight:
    """Implements `control.certificate_port.Examiner`. One per event loop.

    thumbprint: of the account's key. account: its URL at a CA; None: not made yet. Both may block for milliseconds.
    """

    def __init__(
        self,
        *,
        clock: ports.Clock,
        thumbprint: collections.abc.Callable[[], str],
        account: AccountUrl = lambda _: None,
        budget: Budget = lambda *_: None,
    ) -> None:
        self._clock = clock
        self._thumbprint = thumbprint
        self._account = account
        self._budget = budget
        self._directories = ca_directory.Directories(clock)
        self._settings = model.Globals()

    def configure(self, settings: model.Globals) -> None:
        """What the gate listens at, and which DNS servers are queried, from now on."""
        self._settings = settings

    async def examine(
        self, hosts: collections.abc.Sequence[str], authority: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        try:
            return await self._examine(hosts, authority, ordering)
        except Exception as error:
            return (_report_unknown("ca", error, None),)

    async def _examine(
        self, hosts: collections.abc.Sequence[str], ca: model.Authority, ordering: model.Ordering
    ) -> tuple[model.Finding, ...]:
        look = await self._prepare(ca, ordering)
        at_once = asyncio.Semaphore(NAMES_AT_ONCE)
        examined = asyncio.gather(*(_examine_name(host, look, self._directories, at_once) for host in hosts))
        answered, *by_name = await asyncio.gather(self._directories.fetch(ca), examined)
        found = [*ca_answers.judge_ca(answered, ca, self._clock.now())]
        spent = self._budget(hosts, ca)
        found += [spent] if spent is not None else []
        return (*found, *(finding for findings in by_name for one in findings for finding in one))

    async def _prepare(self, ca: model.Authority, ordering: model.Ordering) -> _Look:
        resolver, unresolved = None, ""
        try:
            resolver = dns_questions.make_resolver(self._settings.acme.resolvers)
        except dns.exception.DNSException as error:
            unresolved = dns_questions.explain(error)
        return _Look(
            resolver=resolver,
            servers=self._settings.acme.resolvers,
            unresolved=unresolved,
            authority=ca,
            ordering=ordering,
            here=facts.ThisMachine(
                addresses=await asyncio.to_thread(own_addresses),
                listens=any(place.port == 80 for place in self._settings.listen.http),
            ),
            thumbprint=await asyncio.to_thread(self._thumbprint),
            account=await asyncio.to_thread(self._account, ca),
            is_public=public_cas.is_public_directory(ca.directory),
        )


def own_addresses() -> frozenset[facts.Address]:
    """Of this machine's interfaces that can be used from outside them: no link-local ones."""
    found = (
        names.address_of(item.address.partition("%")[0])
        for items in psutil.net_if_addrs().values()
        for item in items
        if item.family in {socket.AF_INET, socket.AF_INET6}
    )
    return frozenset(one for one in found if one is not None and not one.is_link_local)


# --- one name ------------------------------------------------------------------------------------------------------


async def _examine_name(
    host: str, look: _Look, directories: ca_directory.Directories, at_once: asyncio.Semaphore
) -> tuple[model.Finding, ...]:
    """Raises nothing."""
    challenge = challenge_choice.choose_challenge(host, look.ordering)
    if challenge is None:
        return ()
    context = facts.OrderContext(host=host, is_public=look.is_public, challenge=challenge, account=look.account)
    try:
        async with at_once, asyncio.timeout(LONGEST_S):
            return await _find(context, look, directories)
    except TimeoutError:
        cure = "try again; if it stays, `acme.resolvers` names other DNS servers to ask"
        return (new_findings.warns("dns", f"it could not be looked at within {LONGEST_S:.0f} s", cure, host),)
    except Exception as error:
        return (_report_unknown("dns", error, host),)


async def _find(
    context: facts.OrderContext, look: _Look, directories: ca_directory.Directories
) -> tuple[model.Finding, ...]:
    literal = names.address_of(context.host)
    if literal is not None:
        visit = await port80_visits.visit(str(literal), literal, look.thumbprint)
        return (
            *name_addresses.judge_literal(context, literal, look.here),
            *port80.judge_visits([visit], context, look.here),
        )
    if look.resolver is None:
        return name_addresses.judge_names(facts.Names(failures=(look.unresolved,)), context, look.here)
    allowed, found = await asyncio.gather(
        _judge_caa(context, look, look.resolver, directories), _judge_proof(context, look, look.resolver)
    )
    return (*found, *allowed)


async def _judge_proof(
    context: facts.OrderContext, look: _Look, resolver: dns_questions.Resolver
) -> tuple[model.Finding, ...]:
    if context.challenge is not model.Challenge.HTTP_01:
        place = await record_places.find_place(look.servers, context.host, context.challenge)
        return proof_record.judge_place(place, context)
    found = await dns_questions.look_up(resolver, context.host, look.servers)
    visited = await asyncio.gather(
        *(port80_visits.visit(context.host, one, look.thumbprint) for one in found.addresses)
    )
    return (*name_addresses.judge_names(found, context, look.here), *port80.judge_visits(visited, context, look.here))


async def _judge_caa(
    context: facts.OrderContext, look: _Look, resolver: dns_questions.Resolver, directories: ca_directory.Directories
) -> tuple[model.Finding, ...]:
    found, ca = await asyncio.gather(dns_questions.find_caa(resolver, context.host), directories.fetch(look.authority))
    return caa.judge_caa(found, context, ca.identities or caa.known_identities(look.authority.directory))


def _report_unknown(topic: str, error: Exception, host: str | None) -> model.Finding:
    """A defect here keeps no name from its certificate."""
    if not isinstance(error, DaemunError):
        log.error("an examination failed for an unknown reason", host=host, stack=traceback.format_exc())
        message = f"it could not be looked at ({type(error).__name__})"
        return new_findings.warns(topic, message, "daemun's log tells more; please report it", host)
    return new_findings.warns(topic, f"it could not be looked at ({error})", "the next look may tell more", host)
