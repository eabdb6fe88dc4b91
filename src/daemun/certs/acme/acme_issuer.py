"""One certificate from a public CA: the ACME flow (RFC 8555), blocking, for a thread.

The order is one state machine over its status at the CA, so starting it and going on with it after a SIGKILL are the
same code: the order's URL and the key of the certificate are in the store before anything else is done with the order.
nginx answers HTTP-01 without any preparation (DESIGN.md decision 8); other proofs are made visible by
`prover_port.Prover`s.

Importing this module takes some hundred milliseconds (requests, acme); only the thread of the first order does it.
"""

import collections.abc
import contextlib
import dataclasses
import threading
import types
import urllib.parse

import requests
import structlog
from acme import client, crypto_util, messages
from acme import errors as acme_errors

from daemun.certs.acme import (
    account_registration,
    account_requests,
    acme_accounts,
    acme_network,
    certificate_key,
    challenge_proof,
    new_order,
    order_error,
    order_failures,
    preferred_chain,
    prover_port,
    request_ledger,
)
from daemun.certs.served import bundle, certificate_records
from daemun.control import guarded_store, ports
from daemun.core.issuance import budget, challenge_choice
from daemun.core.texts import names

log: structlog.stdlib.BoundLogger = structlog.get_logger()

POLLS = 60
"""About five minutes at the longest pause: a CA that validates from many places, and slowly, makes it in that time."""

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LONGEST_RETRY_AFTER_S = 30.0
"""A Retry-After of a CA that works on the order is obeyed up to this."""

_MOST_CHAINS = 10
"""So many chains of a certificate are looked at."""

_PASSING = frozenset({"rateLimited", "serverInternal", "badNonce"})
"""Problems after which the same order can go on."""

Request = new_order.Request

LimitsOf = collections.abc.Callable[[str], budget.Limits]
"""The limits at a CA, by the URL of its directory."""


def obtain(
    request: Request,
    *,
    store: ports.Store,
    clock: ports.Clock,
    stop: threading.Event,
    provers: prover_port.Provers = types.MappingProxyType({}),
    limits_of: LimitsOf = budget.limits_of,
    pause: acme_network.Pause = acme_network.pause_really,
    find_done: collections.abc.Callable[[], certificate_records.Issued | None] = lambda: None,
    keep: certificate_records.Keep = lambda _, __: None,
    is_rehearsal: bool = False,
) -> certificate_records.Issued:
    """Get the certificate, going on with the order that the store has for it. Takes seconds to minutes.

    stop: set from outside to give up before the next step; the order is then continued by the next call.
    provers: who makes proofs visible that nginx does not. limits_of: what daemun itself does not exceed.
    find_done: what another process got of it before no other ordered it any more; then nothing is ordered. keep: called
    before another may order it. is_rehearsal: what comes of it is worth nothing to a browser: its order is forgotten.
    Raises: OrderError when the CA gave none, with what to do; OverBudgetError when no request was sent;
    RetryableError, ConfigError when it is this machine's; LockHeldError when another process orders this certificate;
    LeaseLostError when it may do so since.
    """
    authority = request.authority

    def spent_at(directory: str) -> request_ledger.RequestLedger:
        return request_ledger.RequestLedger(store, clock, directory, limits_of(directory))

    with store.lock(f"order-{request.name}") as lease, contextlib.ExitStack() as at_end:
        records = guarded_store.GuardedStore(store, lease)
        if is_rehearsal:
            at_end.callback(certificate_records.delete_order, records, request.name)
        elif (done := find_done()) is not None:
            keep(done, records)
            return done

        def pause_while_held(seconds: float, over: threading.Event) -> bool:
            lease.check()  # before each request, too
            return pause(seconds, over)

        def order_at(network: acme_network.AcmeNetwork) -> certificate_records.Issued:
            order = _Order(request, network, store, records=records, provers=provers, spent_at=spent_at)
            issued = order.run()
            if not is_rehearsal:
                keep(issued, records)
            return issued

        ca = account_requests.CaAccess(authority=authority, clock=clock, stop=stop, pause=pause_while_held)
        account_requests.resolve_key(store, ca)
        with _connected(ca, store, request.hosts) as network:
            try:
                return order_at(network)
            except messages.Error as problem:
                if acme_network.code_of(problem) not in _PASSING:
                    certificate_records.delete_order(records, request.name)
                if acme_network.code_of(problem) != "accountDoesNotExist":
                    raise
        # The CA lost it (a test server that was restarted) or deleted it for disuse: register once more, by the
        # shared key.
        acme_accounts.forget_registration(store, authority.directory)
        with _connected(ca, store, request.hosts) as network:
            return order_at(network)


@contextlib.contextmanager
def _connected(
    ca: account_requests.CaAccess, store: ports.Store, hosts: tuple[str, ...]
) -> collections.abc.Iterator[acme_network.AcmeNetwork]:
    """As the account that the CA knows. Failures are raised in words for people."""
    key = acme_accounts.load_key(store, ca.authority.directory)
    network = acme_network.AcmeNetwork(key, ca.authority.ca_file, ca.clock, ca.stop, ca.pause)
    with contextlib.closing(network.session), acme_network.in_words(ca.authority, hosts, network):
        yield network


class _Order:
    """One order at one CA, from wherever it stands to its certificate."""

    def __init__(
        self,
        request: Request,
        network: acme_network.AcmeNetwork,
        store: ports.Store,
        *,
        records: ports.Store,
        provers: prover_port.Provers,
        spent_at: collections.abc.Callable[[str], request_ledger.RequestLedger],
    ) -> None:
        self._provers = provers
        self._presented: list[prover_port.Proof] = []
        self._request = request
        self._network = network
        self._store = store
        self._records = records
        self._spent_at = spent_at
        self._spent = spent_at(request.authority.directory)
        self._answered: set[str] = set()
        directory = client.ClientV2.get_directory(request.authority.directory, network)
        self._client = client.ClientV2(directory, network)

    def run(self) -> certificate_records.Issued:
        account_registration.use_account(self._request.authority, self._client, self._network, self._store)
        order = self._resume() or self._start()
        try:
            return self._finish(order)
        finally:
            for kind, prover in self._provers.items():
                prover.remove([one for one in self._presented if one.challenge is kind])

    # --- the order -------------------------------------------------------------------------------------------------

    def _resume(self) -> certificate_records.PendingOrder | None:
        """The order in the store, if it is for this and the CA still works on it."""
        order = certificate_records.read_order(self._records, self._request.name)
        if order is None:
            return None
        is_same = order.directory == self._request.authority.directory and set(order.hosts) == set(self._request.hosts)
        has_failed = False
        try:
            if is_same:
                status = self._fetch_order(order).status
                has_failed = status == messages.STATUS_INVALID
                if not has_failed:
                    # Before that the CA has not seen the key.
                    return self._rekey(order) if status in {messages.STATUS_PENDING, messages.STATUS_READY} else order
        except messages.Error as problem:
            if acme_network.code_of(problem) in {*_PASSING, "accountDoesNotExist"}:
                raise
            # The CA forgot the order: it is too old.
        certificate_records.delete_order(self._records, self._request.name)
        # Whether another one became a certificate, and which name failed, is unknown: the worse is counted.
        worst = frozenset(map(budget.failing_name, order.hosts))
        self._spent_at(order.directory).close_order(self._request.name, is_issued=not has_failed, failed=worst)
        return None

    def _rekey(self, order: certificate_records.PendingOrder) -> certificate_records.PendingOrder:
        """With a key of the type that is wanted by now."""
        if certificate_key.type_of_pem(order.key_pem) is certificate_key.wanted_type(self._request.ordering):
            return order
        order = dataclasses.replace(order, key_pem=certificate_key.make_pem(self._request.ordering))
        certificate_records.write_order(self._records, self._request.name, order)
        return order

    def _start(self) -> certificate_records.PendingOrder:
        key_pem = certificate_key.make_pem(self._request.ordering)
        url = new_order.send(self._request, self._client, self._network, self._spent)
        order = certificate_records.PendingOrder(
            directory=self._request.authority.directory, hosts=self._request.hosts, url=url, key_pem=key_pem
        )
        certificate_records.write_order(self._records, self._request.name, order)
        return order

    def _finish(self, order: certificate_records.PendingOrder) -> certificate_records.Issued:
        pause_s = FIRST_PAUSE_S
        for _ in range(POLLS):
            body = self._fetch_order(order)
            if body.status == messages.STATUS_PENDING:
                self._answer(body)
            elif body.status == messages.STATUS_READY:
                self._finalize(order, body)
            elif body.status == messages.STATUS_VALID and body.certificate:
                return self._fetch(order, body.certificate)
            elif body.status == messages.STATUS_INVALID:
                raise self._failure(body)
            retry_after_s = min(self._network.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
            self._network.pause(max(pause_s, retry_after_s))
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        raise order_error.OrderError(
            f"cannot get a certificate for {self._hosts}: the CA has not finished the order after {POLLS} looks; "
            "nothing to do, daemun goes on with it later",
            cause=order_error.OrderErrorCause.DOWN,
        )

    def _fetch_order(self, order: certificate_records.PendingOrder) -> messages.Order:
        body: messages.Order = messages.Order.from_json(self._get(order.url).json())
        return body

    def _answer(self, body: messages.Order) -> None:
        """Make the proof of each name visible, then let the CA validate it, once for each."""
        chosen: list[tuple[messages.ChallengeBody, prover_port.Proof]] = []
        for url in body.authorizations:
            found = self._authorization(url)
            if found.status == messages.STATUS_PENDING and url not in self._answered:
                chosen.append(self._choose(found))
                self._answered.add(url)
        for kind, prover in self._provers.items():
            new = [proof for _, proof in chosen if proof.challenge is kind]
            self._presented += new
            if new:
                prover.present(new)
        pending = (proof.host for challenge, proof in chosen if challenge.status == messages.STATUS_PENDING)
        self._spent.reserve_failures(self._request.name, tuple(map(budget.failing_name, pending)))
        for challenge, _ in chosen:
            # Empty: "I am ready" (RFC 8555 section 7.5.1). One that the CA already looks at is left alone.
            if challenge.status == messages.STATUS_PENDING:
                self._client.answer_challenge(challenge, challenge.chall.response(self._network.jwk))

    def _choose(self, found: messages.Authorization) -> tuple[messages.ChallengeBody, prover_port.Proof]:
        """The challenge of an authorization that the configuration wants. Raises: RetryableError: it is not offered."""
        host = found.identifier.value
        name = f"*.{host}" if found.wildcard else host
        kind = challenge_choice.choose_challenge(name, self._request.ordering)
        for challenge in found.challenges:
            if kind is not None and isinstance(challenge.chall, challenge_proof.KINDS[kind]):
                jwk, account_ = self._network.jwk, self._network.account
                assert account_ is not None
                dns = self._request.ordering.dns
                proof = challenge_proof.make(name, kind, challenge.chall, key=jwk, account=account_.uri, dns=dns)
                return challenge, proof
        self._forget()
        shown = kind.value.upper() if kind is not None else "a challenge daemun knows"
        offered = ", ".join(sorted(challenge.chall.typ for challenge in found.challenges)) or "none"
        raise order_error.OrderError(
            f'cannot validate "{name}": the CA does not offer {shown} for it (it offers {offered}); '
            "use another `acme.challenge` or `acme.directory`",
            cause=order_error.OrderErrorCause.REFUSED,
        )

    def _finalize(self, order: certificate_records.PendingOrder, body: messages.Order) -> None:
        addresses = [address for host in order.hosts if (address := names.address_of(host)) is not None]
        domains = [host for host in order.hosts if names.address_of(host) is None]
        csr_pem = crypto_util.make_csr(order.key_pem, domains=domains, ipaddrs=addresses)
        self._client.begin_finalization(
            messages.OrderResource(body=body, uri=order.url, authorizations=[], csr_pem=csr_pem)
        )

    def _fetch(self, order: certificate_records.PendingOrder, url: str) -> certificate_records.Issued:
        response = self._get(url)
        try:
            issued = bundle.parse(response.text.encode(), order.key_pem)
            missing = issued.missing(order.hosts)
        except bundle.BundleError as error:
            cause = str(error)
        else:
            if not missing:
                self._spent.close_order(self._request.name, is_issued=True)
                chosen = self._choose_chain(issued, response, order.key_pem)
                return certificate_records.Issued(directory=order.directory, bundle=chosen)
            cause = f"it is not for {', '.join(missing)}"
        certificate_records.delete_order(self._records, self._request.name)
        self._spent.close_order(self._request.name, is_issued=True)
        raise order_error.OrderError(
            f"cannot use the certificate that the CA issued for {self._hosts}: {cause}; "
            "nothing to do here, daemun orders another one",
            cause=order_error.OrderErrorCause.DOWN,
        )

    def _choose_chain(self, default: bundle.Bundle, response: requests.Response, key_pem: bytes) -> bundle.Bundle:
        """The same certificate with the issuers that the configuration prefers, where the CA offers them."""
        root = self._request.ordering.preferred_chain
        if root is None or preferred_chain.leads_to(default, root):
            return default
        offered = [default]
        for url in _alternates(response)[:_MOST_CHAINS]:
            # The certificate is good with any chain, so it is not given up for one.
            with contextlib.suppress(messages.Error, acme_errors.Error, requests.RequestException, bundle.BundleError):
                found = bundle.parse(self._get(url).text.encode(), key_pem)
                offered += [found] if found.leaf == default.leaf else []
        chosen = preferred_chain.choose(offered, root)
        if chosen is None:
            log.warning(
                "the CA offers no chain as preferred, its usual one is used",
                host=self._request.hosts[0],
                preferred_chain=root,
                offered=[preferred_chain.root_of(one) for one in offered],
            )
        return chosen or default

    def _failure(self, body: messages.Order) -> order_error.OrderError:
        """Why the order failed: of each name that could not be validated, else of the order as a whole."""
        found = [self._authorization(url) for url in body.authorizations]
        verdict = order_failures.explain(self._request.hosts, body, found)
        self._forget(verdict.failed)
        return verdict.error

    def _forget(self, failed: frozenset[str] = frozenset()) -> None:
        """The order will not become a certificate. failed: names that the CA could not validate."""
        certificate_records.delete_order(self._records, self._request.name)
        self._spent.close_order(self._request.name, is_issued=False, failed=failed)

    # --- requests --------------------------------------------------------------------------------------------------

    @property
    def _hosts(self) -> str:
        return acme_network.quoted(self._request.hosts)

    @property
    def _nonce_url(self) -> str:
        url: str = self._client.directory["newNonce"]
        return url

    def _get(self, url: str) -> requests.Response:
        """A GET that is signed (RFC 8555 section 6.3)."""
        return self._network.post(url, None, new_nonce_url=self._nonce_url)

    def _authorization(self, url: str) -> messages.Authorization:
        found: messages.Authorization = messages.Authorization.from_json(self._get(url).json())
        return found


def _alternates(response: requests.Response) -> list[str]:
    """The URLs of the other chains of a certificate. `response.links` keeps only one of a relation."""
    found = requests.utils.parse_header_links(response.headers.get("Link", ""))
    return [urllib.parse.urljoin(response.url, one["url"]) for one in found if one.get("rel") == "alternate"]
