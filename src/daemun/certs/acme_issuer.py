"""One certificate from a public CA: the ACME HTTP-01 flow (RFC 8555), blocking, for a thread.

The order is one state machine over what the CA says of it, so starting it and going on with it after a SIGKILL are the
same code: the order's URL and the key of the certificate are in the store before anything else is done with the order.
nginx answers the challenges without being told (DESIGN.md decision 8).

Importing this module takes some hundred milliseconds (requests, acme); only the thread of the first order does it.
"""

import collections.abc
import contextlib
import dataclasses
import datetime
import email.utils
import threading
import typing

import requests
from acme import challenges, client, crypto_util, messages
from acme import errors as acme_errors
from cryptography.hazmat.primitives.asymmetric import ec
from josepy import errors as jose_errors
from josepy import jwa, jwk

import daemun
from daemun import errors
from daemun.certs import account, bundle, local_ca, records, words
from daemun.control import ports
from daemun.core import model, names

NETWORK_TIMEOUT_S = 30
POLLS = 60
"""About five minutes at the longest pause: a CA that validates from many places, and slowly, makes it in that time."""

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
_NONCE_ATTEMPTS = 8
_PROBLEM_PREFIX = "urn:ietf:params:acme:error:"
_PASSING = frozenset({"rateLimited", "serverInternal", "badNonce"})
"""Problems after which the same order can go on."""

_registering = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """name: of the certificate (`model.CertificateSpec.name`). hosts: as in `model.Site.names`, without wildcards."""

    name: str
    hosts: tuple[str, ...]
    acme: model.Acme


def obtain(request: Request, *, store: ports.Store, clock: ports.Clock, stop: threading.Event) -> records.Issued:
    """Get the certificate, going on with the order that the store has for it. Takes seconds to minutes.

    stop: set from outside to give up before the next step; the order is then continued by the next call.
    Raises: RetryableError saying what a person can do; LockHeldError when another process orders this certificate.
    """
    with store.lock(f"order-{request.name}", lease_s=POLLS * LONGEST_PAUSE_S + 300):
        network = _Network(account.load_or_create_key(store), request.acme.ca_file, clock, stop)
        with contextlib.closing(network.session), _in_words(request, network, store):
            try:
                return _Order(request, network, store).run()
            except messages.Error as problem:
                if problem.code != "accountDoesNotExist":
                    raise
                # The CA lost it (a test server that was restarted) or deleted it for disuse: register once more.
                account.forget_registration(store, request.acme.directory)
                records.delete_order(store, request.name)
                return _Order(request, network, store).run()


class _Network(client.ClientNetwork):
    """The library's network with patience for refused nonces, an end from outside, and Retry-After kept."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, ca_file: str | None, clock: ports.Clock, stop: threading.Event
    ) -> None:
        self.jwk = jwk.JWKEC(key=key)
        super().__init__(
            self.jwk,
            alg=jwa.ES256,
            # requests takes the path of a CA file in place of the flag, and the library hands it on as it is.
            verify_ssl=typing.cast("bool", ca_file or True),
            user_agent=f"daemun/{daemun.__version__}",
            timeout=NETWORK_TIMEOUT_S,
        )
        self.retry_after_s: float | None = None
        self._clock = clock
        self._stop = stop
        self.session.hooks["response"].append(self._note_retry_after)

    def post(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        """As the library's, which tries a refused nonce only twice; a CA behind several servers may refuse more."""
        for _ in range(_NONCE_ATTEMPTS):
            self.pause(0)
            try:
                return super().post(*args, **kwargs)
            except messages.Error as problem:
                if problem.code != "badNonce":
                    raise
                refused = problem
        raise refused

    def pause(self, seconds: float) -> None:
        """Raises: RetryableError when daemun is stopping."""
        if self._stop.wait(seconds):
            raise errors.RetryableError("cannot finish the order now: daemun is stopping; the next start goes on")

    def _note_retry_after(self, response: requests.Response, **_: object) -> None:
        value = response.headers.get("Retry-After", "")
        self.retry_after_s = None
        if value.isdecimal():
            self.retry_after_s = float(value)
        elif value:
            with contextlib.suppress(ValueError):
                when = email.utils.parsedate_to_datetime(value)
                if when.tzinfo is None:  # "-0000", which means UTC (RFC 5322 section 3.3)
                    when = when.replace(tzinfo=datetime.UTC)
                self.retry_after_s = (when - self._clock.now()).total_seconds()


class _Order:
    """One order at one CA, from wherever it stands to its certificate."""

    def __init__(self, request: Request, network: _Network, store: ports.Store) -> None:
        self._request = request
        self._network = network
        self._store = store
        self._answered: set[str] = set()
        directory = client.ClientV2.get_directory(request.acme.directory, network)
        self._client = client.ClientV2(directory, network)

    def run(self) -> records.Issued:
        with _registering:
            self._use_account()
        order = self._resume() or self._start()
        return self._finish(order)

    # --- the account -----------------------------------------------------------------------------------------------

    def _use_account(self) -> None:
        """Sign as the account of this CA, registered on first use; tell the CA when the e-mail address changed."""
        acme = self._request.acme
        known = account.read_registration(self._store, acme.directory)
        if known is None:
            known = self._register()
        body = messages.Registration()
        resource = messages.RegistrationResource(body=body, uri=known.url)
        self._network.account = resource
        if known.email != acme.email:
            # An empty contact removes what the CA knows.
            self._client.update_registration(resource, messages.Registration.from_data(email=acme.email, contact=()))
        account.write_registration(self._store, acme.directory, account.Registration(url=known.url, email=acme.email))

    def _register(self) -> account.Registration:
        self._network.account = None
        mail = self._request.acme.email
        new = messages.NewRegistration.from_data(email=mail, terms_of_service_agreed=True)
        try:
            return account.Registration(url=self._client.new_account(new).uri, email=mail)
        except acme_errors.ConflictError as known:  # the CA knows the key already: that account is ours
            return account.Registration(url=known.location, email=None)

    # --- the order -------------------------------------------------------------------------------------------------

    def _resume(self) -> records.Order | None:
        """The order in the store, if it is for this and the CA still works on it."""
        order = records.read_order(self._store, self._request.name)
        if order is None:
            return None
        is_same = order.directory == self._request.acme.directory and set(order.hosts) == set(self._request.hosts)
        try:
            if is_same and self._ask(order).status != messages.STATUS_INVALID:
                return order
        except messages.Error as problem:
            if problem.code in _PASSING or problem.code == "accountDoesNotExist":
                raise
            # The CA forgot the order: it is too old.
        records.delete_order(self._store, self._request.name)
        return None

    def _start(self) -> records.Order:
        identifiers = [_identifier(host) for host in self._request.hosts]
        new = messages.NewOrder(identifiers=identifiers, profile=self._profile())
        response = self._network.post(self._client.directory["newOrder"], new, new_nonce_url=self._nonce_url)
        order = records.Order(
            directory=self._request.acme.directory,
            hosts=self._request.hosts,
            url=response.headers["Location"],
            key_pem=local_ca.private_pem(ec.generate_private_key(ec.SECP256R1())),
        )
        records.write_order(self._store, self._request.name, order)
        return order

    def _profile(self) -> str | None:
        """Let's Encrypt signs addresses only in its profile "shortlived" (letsencrypt.org/docs/profiles)."""
        wanted = any(names.address_of(host) for host in self._request.hosts)
        offered = self._client.directory["meta"].profiles or {}
        return "shortlived" if wanted and "shortlived" in offered else None

    def _finish(self, order: records.Order) -> records.Issued:
        pause_s = FIRST_PAUSE_S
        for _ in range(POLLS):
            body = self._ask(order)
            if body.status == messages.STATUS_PENDING:
                self._answer(body)
            elif body.status == messages.STATUS_READY:
                self._finalize(order, body)
            elif body.status == messages.STATUS_VALID and body.certificate:
                return self._fetch(order, body.certificate)
            elif body.status == messages.STATUS_INVALID:
                raise self._failure(body)
            self._network.pause(min(max(pause_s, self._network.retry_after_s or 0), LONGEST_PAUSE_S))
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        raise errors.RetryableError(
            f"cannot get a certificate for {self._hosts}: the CA has not finished the order after {POLLS} looks; "
            "nothing to do, daemun goes on with it later"
        )

    def _ask(self, order: records.Order) -> messages.Order:
        body: messages.Order = messages.Order.from_json(self._get(order.url).json())
        return body

    def _answer(self, body: messages.Order) -> None:
        """Tell the CA to look at port 80, once for each name."""
        for url in body.authorizations:
            found = self._authorization(url)
            if found.status != messages.STATUS_PENDING or url in self._answered:
                continue
            for challenge in found.challenges:
                if isinstance(challenge.chall, challenges.HTTP01):
                    # Empty: "I am ready" (RFC 8555 section 7.5.1). One that the CA already looks at is left alone.
                    if challenge.status == messages.STATUS_PENDING:
                        self._client.answer_challenge(challenge, challenge.chall.response(self._network.jwk))
                    self._answered.add(url)
                    break
            else:
                records.delete_order(self._store, self._request.name)
                raise errors.RetryableError(
                    f'cannot validate "{found.identifier.value}": the CA does not offer HTTP-01 for it; '
                    "use another `acme.directory`"
                )

    def _finalize(self, order: records.Order, body: messages.Order) -> None:
        addresses = [address for host in order.hosts if (address := names.address_of(host)) is not None]
        domains = [host for host in order.hosts if names.address_of(host) is None]
        csr_pem = crypto_util.make_csr(order.key_pem, domains=domains, ipaddrs=addresses)
        self._client.begin_finalization(
            messages.OrderResource(body=body, uri=order.url, authorizations=[], csr_pem=csr_pem)
        )

    def _fetch(self, order: records.Order, url: str) -> records.Issued:
        text = self._get(url).text
        try:
            issued = bundle.parse(text.encode(), order.key_pem)
            missing = issued.missing(order.hosts)
        except bundle.BundleError as error:
            cause = str(error)
        else:
            if not missing:
                return records.Issued(directory=order.directory, bundle=issued)
            cause = f"it is not for {', '.join(missing)}"
        records.delete_order(self._store, self._request.name)
        raise errors.RetryableError(
            f"cannot use the certificate that the CA issued for {self._hosts}: {cause}; "
            "nothing to do here, daemun orders another one"
        )

    def _failure(self, body: messages.Order) -> errors.RetryableError:
        """Why the order failed: of each name that could not be validated, else of the order as a whole."""
        records.delete_order(self._store, self._request.name)
        reasons = []
        for url in body.authorizations:
            found = self._authorization(url)
            for challenge in found.challenges:
                if challenge.error is not None:
                    problem = challenge.error
                    reasons.append(
                        words.explain_validation(found.identifier.value, _code(problem), problem.detail or "")
                    )
        if not reasons and body.error is not None:
            reasons.append(
                words.explain_request(", ".join(self._request.hosts), _code(body.error), _detail(body.error))
            )
        return errors.RetryableError(
            "; ".join(reasons)
            or f"cannot get a certificate for {self._hosts}: the CA gave the order up without a reason; "
            "nothing to do, daemun tries again"
        )

    # --- requests --------------------------------------------------------------------------------------------------

    @property
    def _hosts(self) -> str:
        return _quoted(self._request.hosts)

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


@contextlib.contextmanager
def _in_words(request: Request, network: _Network, store: ports.Store) -> collections.abc.Iterator[None]:
    """Turn everything that can go wrong with a CA into one RetryableError in words."""
    ca = f"the CA at {request.acme.directory}"
    failed = f"cannot get a certificate for {_quoted(request.hosts)}"
    try:
        yield
    except messages.Error as problem:
        if problem.code not in _PASSING:
            records.delete_order(store, request.name)
        text = words.explain_request(", ".join(request.hosts), _code(problem), _detail(problem))
        raise errors.RetryableError(text, retry_after_s=network.retry_after_s) from problem
    except requests.exceptions.SSLError as error:
        remedy = (
            f"check that `acme.ca_file` ({request.acme.ca_file}) holds the root of that server"
            if request.acme.ca_file
            else "if it is a private CA, give its root as `acme.ca_file`"
        )
        raise errors.RetryableError(f"{failed}: the TLS certificate of {ca} is not trusted; {remedy}") from error
    except requests.exceptions.Timeout as error:
        raise errors.RetryableError(
            f"{failed}: {ca} does not answer within {NETWORK_TIMEOUT_S} s; "
            "check this machine's way to the internet; daemun tries again by itself"
        ) from error
    except requests.exceptions.ConnectionError as error:
        raise errors.RetryableError(
            f"{failed}: {ca} cannot be reached ({_innermost(error)}); "
            "check `acme.directory` and this machine's way to the internet; daemun tries again by itself"
        ) from error
    except (
        acme_errors.Error,
        jose_errors.Error,
        requests.exceptions.RequestException,
        ValueError,
        KeyError,
    ) as error:
        raise errors.RetryableError(
            f"{failed}: {ca} answers with something else than ACME ({_brief(error)}); "
            "check that `acme.directory` is the URL of a directory (RFC 8555)",
            retry_after_s=network.retry_after_s,
        ) from error
    except OSError as error:  # requests: the CA file does not exist
        raise errors.RetryableError(
            f"{failed}: `acme.ca_file` ({request.acme.ca_file}) cannot be read; check the path"
        ) from error


def _identifier(host: str) -> messages.Identifier:
    address = names.address_of(host)
    if address is None:
        return messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=host)
    return messages.Identifier(typ=messages.IDENTIFIER_IP, value=str(address))  # RFC 8738


def _code(problem: messages.Error) -> str:
    return (problem.typ or "").removeprefix(_PROBLEM_PREFIX)


def _detail(problem: messages.Error) -> str:
    whole = problem.detail or problem.title or ""
    subs = problem.subproblems or ()
    about = (f"{sub.identifier.value if sub.identifier else ''}: {sub.detail or sub.title or ''}" for sub in subs)
    return " ".join((whole, *about))


def _quoted(hosts: tuple[str, ...]) -> str:
    return ", ".join(f'"{host}"' for host in hosts)


def _innermost(error: BaseException) -> str:
    """The system's own words at the bottom of requests' and urllib3's wrappers."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return getattr(error, "strerror", None) or type(error).__name__


def _brief(error: Exception) -> str:
    first = error.args[0] if error.args else None
    if isinstance(first, requests.Response):
        return f"HTTP {first.status_code}"
    return type(error).__name__
