"""Requests about an account (RFC 8555 sections 7.3 and 7.6), blocking, for a thread: to know another key, to
forget the account, to revoke a certificate.

As `certs.acme.acme_issuer`, imported only by threads that send requests to a CA.
"""

import collections.abc
import contextlib
import dataclasses
import json
import threading

from acme import client, jws, messages
from acme import errors as acme_errors
from cryptography.hazmat.primitives import serialization

from daemun import errors
from daemun.certs.acme import acme_accounts, acme_network
from daemun.certs.served import bundle
from daemun.control import ports
from daemun.core import model

KEY_COMPROMISE = 1
"""RFC 5280 section 5.3.1, CRLReason."""
_NOT_OURS = frozenset({"unauthorized", "accountDoesNotExist"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaAccess:
    """How one CA is reached. stop: set from outside to give up before the next request. pause: how time passes."""

    authority: model.Authority
    clock: ports.Clock
    stop: threading.Event
    pause: acme_network.Pause = acme_network.pause_really


def find_account(key: acme_accounts.Key, ca: CaAccess) -> str | None:
    """The URL of the account that the CA knows by this key; None: none. Raises: RetryableError."""
    with _asking(ca, "ask for the account at", key) as acme:
        try:
            acme.new_account(messages.NewRegistration(only_return_existing=True))
        except acme_errors.ConflictError as found:
            url: str = found.location
            return url
        except messages.Error as problem:
            if acme_network.code_of(problem) != "accountDoesNotExist":
                raise
    return None


def resolve_key(store: ports.Store, ca: CaAccess) -> None:
    """Find out which key the CA knows, where a change of it was interrupted. Raises: RetryableError."""
    directory = ca.authority.directory
    known = acme_accounts.read_registration(store, directory)
    if known is None or known.state is not acme_accounts.AccountState.CHANGING:
        return
    new_pem = store.read(acme_accounts.NEXT)
    is_accepted = find_account(acme_accounts.parse_key(new_pem), ca) is not None
    resolved = dataclasses.replace(
        known, state=acme_accounts.AccountState.ACTIVE, key_pem=new_pem if is_accepted else known.key_pem
    )
    acme_accounts.write_registration(store, directory, resolved)


def change_key(old: acme_accounts.Key, new: acme_accounts.Key, url: str, ca: CaAccess) -> None:
    """Let the account be known by the new key alone (RFC 8555 section 7.3.5). Raises: RetryableError."""
    with _asking(ca, "change the key of the account at", old, url) as acme:
        place = acme.directory["keyChange"]
        public, _ = acme_network.signer(old)
        new_jwk, algorithm = acme_network.signer(new)
        payload = json.dumps({"account": url, "oldKey": public.public_key().to_json()}).encode()
        inner = jws.JWS.sign(payload, key=new_jwk, alg=algorithm, nonce=None, url=place)
        acme.net.post(place, inner, new_nonce_url=acme.directory["newNonce"])


def deactivate(key: acme_accounts.Key, url: str, ca: CaAccess) -> None:
    """The CA serves the account no more, for good (RFC 8555 section 7.3.6). Certificates stay valid.

    Raises: RetryableError.
    """
    with _asking(ca, "deactivate the account at", key, url) as acme:
        body = messages.UpdateRegistration.from_json({"status": "deactivated"})
        acme.net.post(url, body, new_nonce_url=acme.directory["newNonce"])


def revoke(found: bundle.Bundle, reason: int, signer: tuple[acme_accounts.Key, str] | None, ca: CaAccess) -> None:
    """Revoke a certificate (RFC 8555 section 7.6). One that is revoked already is no error. Raises: RetryableError.

    signer: the account that requests it, key and URL. Without one, when it is not the one that ordered it, and when the
    key was compromised, the certificate's own key signs the request: Let's Encrypt then never signs that key again, and
    writes down that it was compromised, whatever the reason (letsencrypt.org/docs/revoking).
    """
    own = acme_accounts.check_key(serialization.load_pem_private_key(found.key_pem, password=None))
    if signer is not None and reason != KEY_COMPROMISE:
        try:
            return _revoke(found, reason, ca, *signer)
        except errors.RetryableError as error:
            cause = error.__cause__
            if not isinstance(cause, messages.Error) or acme_network.code_of(cause) not in _NOT_OURS:
                raise
    return _revoke(found, reason, ca, own, None)


def _revoke(found: bundle.Bundle, reason: int, ca: CaAccess, key: acme_accounts.Key, url: str | None) -> None:
    with _asking(ca, "revoke the certificate at", key, url) as acme:
        try:
            acme.revoke(found.leaf, reason)
        except messages.Error as problem:
            if acme_network.code_of(problem) != "alreadyRevoked":
                raise


@contextlib.contextmanager
def _asking(
    ca: CaAccess, verb: str, key: acme_accounts.Key, url: str | None = None
) -> collections.abc.Iterator[client.ClientV2]:
    """A client that signs by the key, as the account `url`; None: by the key alone. verb: as in `in_words`."""
    authority = ca.authority
    network = acme_network.AcmeNetwork(key, authority.ca_file, ca.clock, ca.stop, ca.pause)
    errors_in_words = acme_network.in_words(authority, (authority.directory,), network, verb=verb)
    with contextlib.closing(network.session), errors_in_words:
        directory = client.ClientV2.get_directory(authority.directory, network)
        if url is not None:
            network.account = messages.RegistrationResource(body=messages.Registration(), uri=url)
        yield client.ClientV2(directory, network)
