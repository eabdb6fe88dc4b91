"""When a CA wants certificates to be renewed (ACME Renewal Information, RFC 9773). Blocking, for a thread.

Nothing is signed, and no account is needed.
"""

import base64
import collections.abc
import contextlib
import dataclasses
import datetime
import threading

import requests
from acme import client, messages
from acme import errors as acme_errors
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from josepy import errors as jose_errors

from daemun import errors
from daemun.certs.acme import acme_network
from daemun.control import ports
from daemun.core import model
from daemun.core.issuance import renewal_advice


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RenewalAnswer:
    """Of a CA about one certificate. window: None: it gave none. poll_s: its Retry-After in seconds.
    is_known: False: the CA did not answer, or not with sense; its answer before stays valid."""

    is_known: bool
    window: renewal_advice.Window | None = None
    poll_s: float | None = None


UNKNOWN = RenewalAnswer(is_known=False)


def identify(leaf: x509.Certificate) -> str | None:
    """The certificate's identifier (RFC 9773 section 4.1); None: it names no key of its issuer, so it has none."""
    try:
        issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, ValueError):
        return None
    if issuer is None:
        return None
    number = leaf.serial_number
    # As DER has it: with a zero before a first bit that is set, which would mean a negative number.
    serial = number.to_bytes(number.bit_length() // 8 + 1)
    return f"{_base64url(issuer)}.{_base64url(serial)}"


def fetch(
    authority: model.Authority,
    leaves: collections.abc.Mapping[str, x509.Certificate],
    *,
    clock: ports.Clock,
    stop: threading.Event,
) -> dict[str, RenewalAnswer]:
    """The CA's renewal information for each certificate (by any key), one after the other. Never raises."""
    # The key signs nothing; the library's network wants one.
    network = acme_network.AcmeNetwork(ec.generate_private_key(ec.SECP256R1()), authority.ca_file, clock, stop)
    answers = dict.fromkeys(leaves, UNKNOWN)
    with contextlib.closing(network.session), contextlib.suppress(*_FAILURES):
        directory = client.ClientV2.get_directory(authority.directory, network)
        if "renewalInfo" not in directory.to_partial_json():
            # A CA may begin to offer it; that need not be noticed within hours.
            return dict.fromkeys(
                leaves, RenewalAnswer(is_known=True, poll_s=renewal_advice.POLL_LATEST.total_seconds())
            )
        base = directory["renewalInfo"].rstrip("/")
        for key, leaf in leaves.items():
            if stop.is_set():
                break
            answers[key] = _query(network, base, leaf)
    return answers


def _query(network: acme_network.AcmeNetwork, base: str, leaf: x509.Certificate) -> RenewalAnswer:
    identifier = identify(leaf)
    if identifier is None:
        return RenewalAnswer(is_known=True, poll_s=renewal_advice.POLL_LATEST.total_seconds())
    try:
        window = parse(network.get(f"{base}/{identifier}").json())
    except (messages.Error, acme_errors.Error, ValueError):  # of this certificate; the others may be known
        return dataclasses.replace(UNKNOWN, poll_s=network.retry_after_s)
    return RenewalAnswer(is_known=True, window=window, poll_s=network.retry_after_s)


def parse(body: object) -> renewal_advice.Window:
    """Of the answer's JSON (RFC 9773 section 4.2). Raises: ValueError. Pure."""
    window = body.get("suggestedWindow") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(window, dict):
        raise ValueError("no window")  # noqa: TRY004 - one error for whatever is wrong with an answer
    start, end = (_moment(window.get(name)) for name in ("start", "end"))
    if end <= start:
        raise ValueError("a window that ends before it starts")
    url = body.get("explanationURL")
    is_shown = isinstance(url, str) and url.startswith(("https://", "http://")) and url.isprintable() and len(url) < 500
    return renewal_advice.Window(start=start, end=end, explanation_url=url if is_shown else None)


def _moment(value: object) -> datetime.datetime:
    if not isinstance(value, str):
        raise ValueError("no moment")  # noqa: TRY004 - one error for whatever is wrong with an answer
    moment = datetime.datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    try:
        return moment.astimezone(datetime.UTC)
    except OverflowError as error:
        raise ValueError("a moment outside of the calendar") from error


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_FAILURES = (
    errors.DaemunError,
    messages.Error,
    acme_errors.Error,
    jose_errors.Error,
    requests.exceptions.RequestException,
    OSError,
    ValueError,
    KeyError,
)
