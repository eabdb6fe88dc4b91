"""How requests to a CA are sent, and the words when they fail. Blocking."""

import collections.abc
import contextlib
import datetime
import email.utils
import threading
import typing

import requests
from acme import client, messages
from acme import errors as acme_errors
from cryptography.hazmat.primitives.asymmetric import rsa
from josepy import errors as jose_errors
from josepy import jwa, jwk

import daemun
from daemun import errors
from daemun.certs.acme import acme_accounts, ca_connections, order_error, problem_documents
from daemun.control import ports
from daemun.core import model

NETWORK_TIMEOUT_S = 30
ANSWER_S = ca_connections.ANSWER_S

Pause = collections.abc.Callable[[float, threading.Event], bool]
"""Waits for some seconds, or until the event is set; returns whether it is. Tests let a clock of their own go on."""


def pause_really(seconds: float, stop: threading.Event) -> bool:
    return stop.wait(seconds)


HTTP_FAILURES, HTTP_UNAVAILABLE, HTTP_TOO_MANY = 500, 503, 429
_NONCE_ATTEMPTS = 8
_PROBLEM_PREFIX = "urn:ietf:params:acme:error:"


class AcmeNetwork(client.ClientNetwork):
    """The library's network with patience for refused nonces, an end from outside, and Retry-After kept."""

    def __init__(
        self,
        key: acme_accounts.Key,
        ca_file: str | None,
        clock: ports.Clock,
        stop: threading.Event,
        pause: Pause = pause_really,
    ) -> None:
        self.jwk, algorithm = signer(key)
        super().__init__(
            self.jwk,
            alg=algorithm,
            # requests takes the path of a CA file in place of the flag, and the library hands it on as it is.
            verify_ssl=typing.cast("bool", ca_file or True),
            user_agent=f"daemun/{daemun.__version__}",
            timeout=NETWORK_TIMEOUT_S,
        )
        self.retry_after_s: float | None = None
        self.status: int | None = None
        """Of the last answer, in HTTP."""
        self._clock = clock
        self._stop = stop
        self._pause = pause
        self.session.hooks["response"] += [self._note_retry_after, ca_connections.check_redirect]
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, ca_connections.Adapter(answer_s=ANSWER_S))
        self._home: str | None = None

    def post(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        """As the library's, which tries a refused nonce only twice; a CA behind several servers may refuse more."""
        for _ in range(_NONCE_ATTEMPTS):
            self.pause(0)
            try:
                return super().post(*args, **kwargs)
            except messages.Error as problem:
                if code_of(problem) != "badNonce":
                    raise
                refused = problem
        raise refused

    def _send_request(self, method: str, url: str, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        """The first request is for the directory, whose URL its owner chose; what follows comes from the CA."""
        self._home = self._home or url
        ca_connections.check_link(url, self._home)
        return super()._send_request(method, url, *args, **kwargs)

    def pause(self, seconds: float) -> None:
        """Raises: RetryableError when daemun is stopping."""
        if self._pause(seconds, self._stop):
            raise errors.RetryableError("cannot finish the order now: daemun is stopping; the next start goes on")

    @property
    def is_in_trouble(self) -> bool:
        """Whether the last answer shows a failure or maintenance of the CA's own (RFC 9110 section 15.6), or that it
        gets too many requests from all of its clients together (429 without a problem document)."""
        return self.status is not None and (self.status >= HTTP_FAILURES or self.status == HTTP_TOO_MANY)

    def _note_retry_after(self, response: requests.Response, **_: object) -> None:
        value = response.headers.get("Retry-After", "")
        self.status = response.status_code
        self.retry_after_s = None
        if value.isdecimal():
            self.retry_after_s = float(value)
        elif value:
            with contextlib.suppress(ValueError):
                when = email.utils.parsedate_to_datetime(value)
                if when.tzinfo is None:  # "-0000", which means UTC (RFC 5322 section 3.3)
                    when = when.replace(tzinfo=datetime.UTC)
                self.retry_after_s = (when - self._clock.now()).total_seconds()


def signer(key: acme_accounts.Key) -> tuple[jwk.JWK, jwa.JWASignature]:
    """How requests are signed by a key (RFC 7518 section 3.1)."""
    if isinstance(key, rsa.RSAPrivateKey):
        return jwk.JWKRSA(key=key), jwa.RS256
    return jwk.JWKEC(key=key), {"secp256r1": jwa.ES256, "secp384r1": jwa.ES384}.get(key.curve.name, jwa.ES512)


@contextlib.contextmanager
def in_words(
    authority: model.Authority, hosts: tuple[str, ...], network: AcmeNetwork, *, verb: str = "get a certificate for"
) -> collections.abc.Iterator[None]:
    """Turn everything that can go wrong with a CA into one OrderError in words: cannot VERB HOSTS."""
    ca = f"the CA at {authority.directory}"
    failed = f"cannot {verb} {quoted(hosts)}"
    try:
        yield
    except messages.Error as problem:
        if network.is_in_trouble and code_of(problem) != "rateLimited":
            raise order_error.OrderError(
                f"{failed}: {_trouble(ca, network.status)}. {problem_documents.quote(detail_of(problem))}",
                cause=order_error.OrderErrorCause.DOWN,
                retry_after_s=network.retry_after_s,
                # Of other failures of its own it may have one with this order alone.
                is_outage=network.status == HTTP_UNAVAILABLE,
            ) from problem
        text = problem_documents.explain_request(", ".join(hosts), code_of(problem), detail_of(problem), verb=verb)
        cause = order_error.cause_of_request(code_of(problem))
        blamed = {host: text for host in hosts if host in _identifiers(problem)} if len(hosts) > 1 else {}
        raise order_error.OrderError(text, cause=cause, retry_after_s=network.retry_after_s, blamed=blamed) from problem
    except requests.exceptions.SSLError as error:
        remedy = (
            f"check that `acme.ca_file` ({authority.ca_file}) holds the root of that server"
            if authority.ca_file
            else "if it is a private CA, give its root as `acme.ca_file`"
        )
        raise _outage(
            f"{failed}: the TLS certificate of {ca} is not trusted; {remedy}",
        ) from error
    except requests.exceptions.Timeout as error:
        slow = str(error) if isinstance(error, ca_connections.TooSlowError) else ""
        raise _outage(
            f"{failed}: {ca} {f'is too slow: {slow}' if slow else f'does not answer within {NETWORK_TIMEOUT_S} s'}; "
            "check this machine's way to the internet; daemun tries again by itself",
        ) from error
    except requests.exceptions.ConnectionError as error:
        raise _outage(
            f"{failed}: {ca} cannot be reached ({_innermost(error)}); "
            "check `acme.directory` and this machine's way to the internet; daemun tries again by itself",
        ) from error
    except (
        acme_errors.Error,
        jose_errors.Error,
        requests.exceptions.RequestException,
        ValueError,
        KeyError,
    ) as error:
        if network.is_in_trouble:
            raise _outage(f"{failed}: {_trouble(ca, network.status)}", retry_after_s=network.retry_after_s) from error
        raise order_error.OrderError(
            f"{failed}: {ca} answers with something else than ACME ({_brief(error)}); "
            "check that `acme.directory` is the URL of a directory (RFC 8555)",
            cause=order_error.OrderErrorCause.DOWN,
            # Else it may be due to what was ordered.
            is_outage=isinstance(error, acme_errors.Error | requests.exceptions.RequestException),
            retry_after_s=network.retry_after_s,
        ) from error
    except OSError as error:  # requests: the CA file does not exist
        raise _outage(f"{failed}: `acme.ca_file` ({authority.ca_file}) cannot be read; check the path") from error


def _outage(text: str, *, retry_after_s: float | None = None) -> order_error.OrderError:
    cause = order_error.OrderErrorCause.DOWN
    return order_error.OrderError(text, cause=cause, is_outage=True, retry_after_s=retry_after_s)


def _trouble(ca: str, status: int | None) -> str:
    what = "is asked too much now" if status == HTTP_TOO_MANY else "is in trouble or in maintenance"
    return f"{ca} {what} (HTTP {status}); nothing to do here, daemun tries again by itself"


def code_of(problem: messages.Error) -> str:
    """The library's own `code` knows RFC 8555's only, and nothing of `alreadyReplaced` (RFC 9773)."""
    return (problem.typ or "").removeprefix(_PROBLEM_PREFIX)


def detail_of(problem: messages.Error) -> str:
    whole = problem.detail or problem.title or ""
    subs = problem.subproblems or ()
    about = (f"{sub.identifier.value if sub.identifier else ''}: {sub.detail or sub.title or ''}" for sub in subs)
    return " ".join((whole, *about))


def _identifiers(problem: messages.Error) -> frozenset[str]:
    """The names that it is about (RFC 8555 section 6.7.1)."""
    return frozenset(sub.identifier.value for sub in problem.subproblems or () if sub.identifier)


def quoted(hosts: tuple[str, ...]) -> str:
    return ", ".join(f'"{host}"' for host in hosts)


def _innermost(error: BaseException) -> str:
    """The system's own words at the bottom of requests' and urllib3's wrappers."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return getattr(error, "strerror", None) or type(error).__name__


def _brief(error: Exception) -> str:
    if isinstance(error, ca_connections.AnswerError):
        return str(error)
    first = error.args[0] if error.args else None
    if isinstance(first, requests.Response):
        return f"HTTP {first.status_code}"
    return type(error).__name__
