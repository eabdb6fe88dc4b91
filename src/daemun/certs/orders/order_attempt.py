"""One try to get one certificate: the CAs are tried in their order, until one issues it.

Before an order: is the CA to be left alone (Retry-After, a limit that daemun counts)? does what is found out about the
names forbid it? After a proof failed, its test system is tried first, where failures cost nothing.

Names that fail do not keep the others from their certificate: one is ordered for those that are left, unless the store
has it, and the next try is for all of them again.
"""

import contextlib
import dataclasses
import datetime
import functools
import threading
import typing

from daemun import errors
from daemun.certs import daemon_thread
from daemun.certs.acme import order_error, request_ledger
from daemun.certs.orders import attempt_values, blamed_names, ca_places, dns_looks
from daemun.certs.served import certificate_records
from daemun.core import model
from daemun.core.issuance import budget, renewal_time
from daemun.core.texts import words

if typing.TYPE_CHECKING:
    from daemun.certs.acme import acme_issuer

_OF_ONE_CA = frozenset({"caa", "ca"})
"""Topics of findings that another CA may not mind."""


_ELSEWHERE = (
    errors.LockHeldError,
    errors.LeaseLostError,
    errors.StoreUnreachableError,
    errors.OutcomeUnknownError,
)
"""Whether another process orders it, or what it has got, is known when the store can be read again."""
_MOST_ROUNDS = 10
"""A CA may name one bad name after the other."""


async def obtain(
    wanted: attempt_values.AttemptInput,
    needs: attempt_values.AttemptNeeds,
    stop: threading.Event,
    place: ca_places.OrderPlace,
    keep: certificate_records.Keep,
) -> attempt_values.Obtained:
    """place: moved to each CA before it gets a request. keep: as of `acme_issuer.obtain`, in a thread."""
    return await _Try(wanted, needs, stop, place, keep).run()


class _Try:
    def __init__(
        self,
        wanted: attempt_values.AttemptInput,
        needs: attempt_values.AttemptNeeds,
        stop: threading.Event,
        place: ca_places.OrderPlace,
        keep: certificate_records.Keep,
    ) -> None:
        self._keep = keep
        self._spec = wanted.spec
        self._wanted = wanted
        self._needs = needs
        self._stop = stop
        self._place = place
        self._hosts = renewal_time.hosts_to_order(wanted.spec)
        before = wanted.before
        self._failures = before.failures if before is not None else 0
        self._rehearse = before is not None and before.rehearse
        now = needs.clock.now()
        self._holds = {name: until for name, until in (before.holds if before else ()) if until > now}
        begun = certificate_records.read_order(needs.store, wanted.spec.name)
        self._begun = begun if begun is not None and set(begun.hosts) <= set(self._hosts) else None
        self._seen: str | None = None
        self._tries: list[tuple[str, str]] = []
        self._warnings: tuple[str, ...] = ()
        self._blamed: dict[str, dict[str, str]] = {}
        """By the CA's directory: the names that keep it from signing, and why."""
        self._waits: dict[str, datetime.datetime] = {}
        """CAs that get no order for all names before a moment, but for those that are left."""

    async def run(self) -> attempt_values.Obtained:
        part = await self._end_part()
        whole = await self._obtain_all()
        if isinstance(whole, certificate_records.Issued):
            return attempt_values.Obtained(issued=whole)
        if whole.is_elsewhere:
            return attempt_values.Obtained(issued=part, failed=whole)
        if part is None and self._blamed:
            part = await self._obtain_rest()
        reason = whole.reason if self._is_all_blamed() else self._explain_blame(is_served=part is not None)
        for directory, until in self._waits.items():
            self._holds[directory] = max(until, self._holds.get(directory, until))
        return attempt_values.Obtained(issued=part, failed=self._fail(reason, is_failure=whole.is_failure))

    def _fail(self, reason: str, *, is_failure: bool) -> attempt_values.Failed:
        holds = tuple(sorted(self._holds.items()))
        return attempt_values.Failed(
            reason=reason,
            is_failure=is_failure,
            holds=holds,
            rehearse=self._rehearse,
            seen=self._seen,
            tries=tuple(self._tries),
        )

    async def _obtain_all(self) -> certificate_records.Issued | attempt_values.Failed:
        reasons: list[str] = []
        is_failure = False
        # What was begun (before a SIGKILL, say) is ended first: a second order would be one too many.
        for authority in sorted(self._wanted.authorities, key=lambda one: not self._is_begun(one)):
            held = self._holds.get(authority.directory)
            if held is not None:
                reasons.append(self._explain_hold(authority, held))
                self._needs.outages.withdraw(authority.directory, self._needs.clock.now())
                continue
            if authority.directory in self._wanted.down or await self._finds_down(authority.directory):
                reasons.append(f"the CA at {authority.directory} is down")
                continue
            try:
                issued = await self._obtain_at(authority)
            except request_ledger.OverBudgetError as error:
                self._needs.outages.withdraw(authority.directory, self._needs.clock.now())
                self._note_over_budget(authority, error, self._hosts)
                reasons.append(str(error))
            except order_error.OrderError as error:
                is_failure = True
                self._tries.append((authority.directory, str(error)))
                self._note_outage(authority.directory, error)
                self._note_hold(authority.directory, error.retry_after_s)
                self._note_blame(authority, error)
                reasons.append(str(error))
                if error.cause is order_error.OrderErrorCause.PROOF:
                    self._rehearse = True
                    reasons += self._warnings
                    if authority.staging is not None:
                        reasons.append(
                            f"until the CA's test system ({authority.staging}), where failures do not count, sees the "
                            "proof, tries go there"
                        )
                    break
            except _ELSEWHERE as error:
                self._needs.outages.withdraw(authority.directory, self._needs.clock.now())
                return dataclasses.replace(self._fail(str(error), is_failure=False), is_elsewhere=True)
            except errors.DaemunError as error:  # of this machine: no CA is to blame
                is_failure = True
                self._tries.append(("", str(error)))
                self._needs.outages.withdraw(authority.directory, self._needs.clock.now())
                reasons.append(str(error))
                break
            else:
                self._needs.outages.end(authority.directory)
                return issued
        return self._fail("; ".join(reasons), is_failure=is_failure)

    # --- names that fail, and those that are left ------------------------------------------------------------------

    async def _end_part(self) -> certificate_records.Issued | None:
        """End an order for some of the names that was begun before."""
        begun = self._begun
        if begun is None or set(begun.hosts) == set(self._hosts):
            return None
        self._begun = None
        for authority in self._wanted.authorities:
            if authority.directory == begun.directory and authority.directory not in self._holds:
                with contextlib.suppress(errors.DaemunError):
                    return await self._order(authority, begun.hosts)
        return None

    async def _obtain_rest(self) -> certificate_records.Issued | None:
        """A certificate for the names that no CA, or the first that knows of any, has something against. None: there is
        none, or the store has it."""
        for authority in self._wanted.authorities:
            for _ in range(_MOST_ROUNDS):
                blamed = self._blamed.get(authority.directory, {})
                rest = tuple(host for host in self._hosts if host not in blamed)
                if not blamed or not rest:
                    break
                if self._is_stored(rest):
                    return None
                if authority.directory in self._holds:
                    break
                try:
                    return await self._order(authority, rest)
                except request_ledger.OverBudgetError as error:
                    self._note_over_budget(authority, error, rest)
                except order_error.OrderError as error:
                    self._note_hold(authority.directory, error.retry_after_s)
                    if not error.blamed.keys() & set(rest):
                        break
                    self._note_blame(authority, error)
                except errors.DaemunError:  # of this machine, and reported by the next try for all
                    return None
        return None

    def _is_stored(self, hosts: tuple[str, ...]) -> bool:
        directories = {authority.directory for authority in self._wanted.authorities}
        return self._needs.stored.find(hosts, self._needs.clock.now(), directories, of=self._spec) is not None

    def _rests(self) -> list[tuple[str, ...]]:
        return [tuple(host for host in self._hosts if host not in blamed) for blamed in self._blamed.values() if blamed]

    def _is_all_blamed(self) -> bool:
        """Or it is unknown which name it is."""
        return not any(self._rests())

    def _note_blame(self, authority: model.Authority, error: order_error.OrderError) -> None:
        if error.blamed:
            self._blamed.setdefault(authority.directory, {}).update(error.blamed)

    def _note_over_budget(
        self, authority: model.Authority, error: request_ledger.OverBudgetError, hosts: tuple[str, ...]
    ) -> None:
        """Too many failures of one name hold up that name, other limits the CA."""
        if error.refusal.limit.counted is not budget.CaLimitKind.FAILURES:
            self._holds[authority.directory] = error.refusal.until
            return
        over = {host: str(error) for host in hosts if budget.failing_name(host) == error.refusal.key}
        self._blamed.setdefault(authority.directory, {}).update(over)
        self._waits[authority.directory] = error.refusal.until

    # --- one CA ----------------------------------------------------------------------------------------------------

    async def _finds_down(self, directory: str) -> bool:
        """Take a place at a CA. Returns: whether others found it to be down while a place was waited for."""
        has_waited = await self._place.move(directory)
        return has_waited and self._needs.outages.until((directory,), self._needs.clock.now()) is not None

    async def _obtain_at(self, authority: model.Authority) -> certificate_records.Issued:
        await self._examine(authority)
        is_begun = self._begun is not None and self._begun.directory == authority.directory
        if self._rehearse and authority.staging is not None and not is_begun:
            await self._rehearse_at(dataclasses.replace(authority, directory=authority.staging, staging=None))
        return await self._order(authority, self._hosts)

    def _is_begun(self, authority: model.Authority) -> bool:
        """Whether there is an order at this CA, or at its test system, that is not ended."""
        return self._begun is not None and self._begun.directory in {authority.directory, authority.staging}

    async def _examine(self, authority: model.Authority) -> None:
        """Raises: OrderError: the CA would refuse; RetryableError: every CA would."""
        examiner = self._needs.examiner
        if examiner is None or self._is_begun(authority):
            return
        looked = await examiner.examine(self._hosts, authority, self._spec.ordering)
        # The limits are checked when an order is counted: there it is known what it replaces.
        found = [one for one in looked if one.topic != request_ledger.TOPIC]
        self._seen = dns_looks.fingerprint(found)
        self._warnings = tuple(f"before that, daemun found: {one}" for one in found if one.weight is model.Weight.WARNS)
        blocking = [one for one in found if one.weight is model.Weight.BLOCKS]
        if not blocking:
            return
        quoted = words.listed([words.quoted(host) for host in self._hosts], last="and")
        text = f"no certificate is asked for {quoted}: {'; '.join(map(str, blocking))}"
        blamed = {one.host: str(one) for one in blocking if one.host is not None}
        if all(one.topic in _OF_ONE_CA for one in blocking):
            raise order_error.OrderError(text, cause=order_error.OrderErrorCause.REFUSED, blamed=blamed)
        if len(blamed) == len({one.host for one in blocking}):  # none of them is about more than its name
            self._blamed.setdefault(authority.directory, {}).update(blamed)
        raise errors.RetryableError(text)

    async def _rehearse_at(self, staging: model.Authority) -> None:
        """Let the test system of the CA look first. Returns when it saw the proofs, or cannot be waited for.

        Raises: OrderError.
        """
        try:
            await self._order(staging, self._hosts, is_rehearsal=True)
        except request_ledger.OverBudgetError as error:
            problem: errors.RetryableError = error
        except order_error.OrderError as error:
            if error.cause is order_error.OrderErrorCause.PROOF:
                raise
            problem = error
        else:
            self._rehearse = False
            return
        if self._failures < len(renewal_time.LADDER):
            raise order_error.OrderError(
                f"after a failure a try goes to the CA's test system first, and it cannot be used: {problem}; from "
                "the daily tries on daemun asks the CA itself again",
                cause=order_error.OrderErrorCause.DOWN,
            ) from problem

    async def _order(
        self, authority: model.Authority, hosts: tuple[str, ...], *, is_rehearsal: bool = False
    ) -> certificate_records.Issued:
        await self._place.move(authority.directory)
        work = functools.partial(self._obtain, authority, hosts, is_rehearsal=is_rehearsal)
        return await daemon_thread.run(work, name=f"order {self._spec.name}")

    def _obtain(
        self, authority: model.Authority, hosts: tuple[str, ...], *, is_rehearsal: bool
    ) -> certificate_records.Issued:
        # Here, in the order's thread, so that `daemun up` serves before these slow imports (acme, requests) are made.
        from daemun.certs.acme import acme_issuer, acme_network  # noqa: PLC0415

        needs = self._needs
        return acme_issuer.obtain(
            self._request(authority, hosts, is_rehearsal=is_rehearsal),
            store=needs.store,
            clock=needs.clock,
            stop=self._stop,
            provers=needs.provers,
            limits_of=needs.limits_of,
            pause=needs.pause or acme_network.pause_really,
            find_done=lambda: needs.stored.find_new(
                hosts, needs.clock.now(), {authority.directory}, of=self._spec, before=self._wanted.known
            ),
            keep=self._keep,
            is_rehearsal=is_rehearsal,
        )

    def _request(
        self, authority: model.Authority, hosts: tuple[str, ...], *, is_rehearsal: bool
    ) -> "acme_issuer.Request":
        from daemun.certs.acme import acme_issuer, renewal_info  # noqa: PLC0415

        ordering, replaced = self._spec.ordering, self._wanted.replaced
        if is_rehearsal:  # a test system has other roots
            ordering = dataclasses.replace(ordering, preferred_chain=None)
        if replaced is not None and replaced.directory != authority.directory:
            replaced = None
        return acme_issuer.Request(
            name=self._spec.name,
            hosts=hosts,
            authority=authority,
            ordering=ordering,
            replaces=renewal_info.identify(replaced.bundle.leaf) if replaced is not None else None,
            is_same_set=replaced is not None and replaced.bundle.is_for_exactly(hosts),
        )

    # --- words -----------------------------------------------------------------------------------------------------

    def _explain_blame(self, *, is_served: bool) -> str:
        is_served = is_served or any(self._is_stored(rest) for rest in self._rests() if rest)
        return blamed_names.explain(self._blamed.values(), self._spec.host, is_served=is_served)

    def _note_outage(self, directory: str, error: order_error.OrderError) -> None:
        if error.is_outage:
            self._needs.outages.note(directory, self._needs.clock.now(), error.retry_after_s)
        elif error.cause is not order_error.OrderErrorCause.DOWN:
            self._needs.outages.end(directory)

    def _note_hold(self, directory: str, retry_after_s: float | None) -> None:
        until = renewal_time.hold_until(self._needs.clock.now(), retry_after_s)
        if until is not None:
            self._holds[directory] = until

    def _explain_hold(self, authority: model.Authority, until: datetime.datetime) -> str:
        before = self._wanted.before
        if len(self._wanted.authorities) == 1 and before is not None and before.reason is not None:
            return before.reason
        return f"the CA at {authority.directory} is not asked before {until:%Y-%m-%d %H:%M} UTC"
