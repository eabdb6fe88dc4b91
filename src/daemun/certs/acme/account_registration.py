"""Registers daemun's account at a CA on first use. Blocking."""

import dataclasses
import re
import threading

from acme import client, messages
from acme import errors as acme_errors

from daemun import errors, secret
from daemun.certs.acme import acme_accounts, acme_network, order_error, problem_documents
from daemun.control import ports
from daemun.core import model

_registering: dict[str, threading.Lock] = {}
"""By the CA's directory: one that never answers keeps no order of another waiting."""
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


def use_account(
    authority: model.Authority, acme: client.ClientV2, network: acme_network.AcmeNetwork, store: ports.Store
) -> None:
    """Sign as the account of this CA from now on; update the contact at the CA when the e-mail address changed.

    Raises: what the library does; OrderError: the CA wants an account of its web page; ConfigError: its key is not
    where the configuration has it.
    """
    # Many orders begin together, and one account serves them all.
    with _registering.setdefault(authority.directory, threading.Lock()):
        known = acme_accounts.read_registration(store, authority.directory)
        if known is None or known.url is None:
            registered = _register(authority, acme, network)
            # One that is to be registered may have a key of its own already: it stays.
            known = dataclasses.replace(registered, key_pem=known.key_pem if known is not None else None)
        resource = messages.RegistrationResource(body=messages.Registration(), uri=known.url)
        network.account = resource
        wanted = dataclasses.replace(known, directory=authority.directory, email=authority.email)
        if known.email != authority.email:
            # An empty contact removes what the CA knows.
            acme.update_registration(resource, messages.Registration.from_data(email=authority.email, contact=()))
        if acme_accounts.read_registration(store, authority.directory) != wanted:
            acme_accounts.write_registration(store, authority.directory, wanted)


def _register(
    authority: model.Authority, acme: client.ClientV2, network: acme_network.AcmeNetwork
) -> acme_accounts.Registration:
    network.account = None
    binding = _bind(authority, acme, network)
    new = messages.NewRegistration.from_data(
        email=authority.email, terms_of_service_agreed=True, external_account_binding=binding
    )
    try:
        return acme_accounts.Registration(url=acme.new_account(new).uri, email=authority.email)
    except acme_errors.ConflictError as known:  # the CA knows the key already: that account is ours
        return acme_accounts.Registration(url=known.location, email=None)
    except messages.Error as problem:
        if authority.eab is None or acme_network.code_of(problem) not in {"unauthorized", "malformed"}:
            raise
        detail = problem_documents.quote(acme_network.detail_of(problem))
        raise order_error.OrderError(
            f"cannot register at the CA at {authority.directory}: it does not accept the account "
            f'"{authority.eab.key_id}" of its web page; '
            f"copy `kid` and `hmac_key` from there once more, or make new ones. {detail}",
            cause=order_error.OrderErrorCause.REFUSED,
        ) from problem


def _bind(
    authority: model.Authority, acme: client.ClientV2, network: acme_network.AcmeNetwork
) -> dict[str, object] | None:
    """The proof that the owner of the account at the CA's web page wants this one (RFC 8555 section 7.3.4)."""
    if authority.eab is None:
        if acme.directory["meta"].external_account_required:
            raise order_error.OrderError(
                f"cannot register at the CA at {authority.directory}: it serves only accounts that were made on its "
                "web page (external account binding); make one there, and write its key as "
                "`eab: {kid: ..., hmac_key: ...}` beside `directory`",
                cause=order_error.OrderErrorCause.REFUSED,
            )
        return None
    # Some CAs' pages show it in the other alphabet of base64, or padded.
    key = secret.read(authority.eab.hmac_key).replace("+", "-").replace("/", "_").rstrip("=")
    if not _BASE64URL.fullmatch(key) or len(key) % 4 == 1:
        raise errors.ConfigError(
            f"cannot register at the CA at {authority.directory}: the `hmac_key` of its `eab` is not base64; copy it "
            "once more from the CA's web page"
        )
    bound: dict[str, object] = messages.ExternalAccountBinding.from_data(
        account_public_key=network.jwk.public_key(),
        kid=authority.eab.key_id,
        hmac_key=key,
        directory=acme.directory,
    )
    return bound
