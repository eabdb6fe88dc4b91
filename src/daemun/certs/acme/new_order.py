"""A new order at a CA (RFC 8555 section 7.4): for which names, of which profile, in the place of which certificate.

Blocking. It is counted before it is sent.
"""

import dataclasses

from acme import client, messages
from acme import errors as acme_errors
from josepy import json_util

from daemun.certs.acme import acme_network, order_error, rate_limit_domains, request_ledger
from daemun.core import model
from daemun.core.issuance import budget
from daemun.core.texts import names, words

_NOT_REPLACING = frozenset({"alreadyReplaced", "malformed", "notFound", "serverInternal", "unauthorized"})
"""Problems of an order that may be due to what it replaces (RFC 9773 section 5): the same order without it is tried.
`serverInternal`: what Pebble answers while it has not yet noted which order a fresh certificate came from."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """name: of the certificate (`model.CertificateSpec.name`). hosts: as in `model.Site.names`, each with a challenge
    by `proof.choose_challenge`. ordering: its profile and challenges. replaces: the certificate of this CA that it is
    for (`renewal_info.identify`). is_same_set: that one is for exactly the same names."""

    name: str
    hosts: tuple[str, ...]
    authority: model.Authority
    ordering: model.Ordering = model.Ordering()
    replaces: str | None = None
    is_same_set: bool = False


class _NewOrder(messages.NewOrder):
    """With the certificate that is replaced (RFC 9773 section 5)."""

    replaces: str | None = json_util.field("replaces", omitempty=True)


def send(
    request: Request, acme: client.ClientV2, network: acme_network.AcmeNetwork, spent: request_ledger.RequestLedger
) -> str:
    """Returns: the order's URL.

    Raises: OverBudgetError; OrderError: the CA has no such profile; what the library does.
    """
    identifiers = [_identifier(host) for host in request.hosts]
    plain = _NewOrder(identifiers=identifiers, profile=_choose_profile(request, acme))
    replaces = request.replaces if "renewalInfo" in acme.directory.to_partial_json() else None
    if replaces is not None:
        try:
            return _send_once(request, plain.update(replaces=replaces), acme, network, spent)
        except acme_errors.ConflictError:
            pass  # 409 is what `alreadyReplaced` comes with; the library does not look further then
        except messages.Error as problem:
            if acme_network.code_of(problem) not in _NOT_REPLACING:
                raise
    return _send_once(request, plain, acme, network, spent)


def _send_once(
    request: Request,
    new: _NewOrder,
    acme: client.ClientV2,
    network: acme_network.AcmeNetwork,
    spent: request_ledger.RequestLedger,
) -> str:
    cost = budget.OrderCost(
        by=request.name,
        hosts=request.hosts,
        domains=rate_limit_domains.domains_of(request.hosts),
        replaces=new.replaces is not None and request.is_same_set,
    )
    spent.reserve(cost)
    try:
        response = network.post(acme.directory["newOrder"], new, new_nonce_url=acme.directory["newNonce"])
    except (messages.Error, acme_errors.ConflictError):  # the CA made no order: there will be no certificate
        spent.close_order(request.name, is_issued=False)
        raise
    return str(response.headers["Location"])


def _choose_profile(request: Request, acme: client.ClientV2) -> str | None:
    """The configured profile. Let's Encrypt signs addresses only in its profile "shortlived"
    (letsencrypt.org/docs/profiles). Raises: OrderError: the CA does not offer it."""
    offered: dict[str, str] = acme.directory["meta"].profiles or {}
    profile = request.ordering.profile
    if profile is None:
        has_address = any(names.address_of(host) for host in request.hosts)
        return "shortlived" if has_address and "shortlived" in offered else None
    if profile not in offered:
        known = words.listed([words.quoted(name) for name in sorted(offered)], last="and") if offered else "none"
        raise order_error.OrderError(
            f"cannot get a certificate for {acme_network.quoted(request.hosts)}: the CA at "
            f"{request.authority.directory} has no profile {words.quoted(profile)}; it offers {known}; "
            + ("correct `profile`" if offered else "leave `profile` out"),
            cause=order_error.OrderErrorCause.REFUSED,
        )
    return profile


def _identifier(host: str) -> messages.Identifier:
    address = names.address_of(host)
    if address is None:
        return messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=host)
    return messages.Identifier(typ=messages.IDENTIFIER_IP, value=str(address))  # RFC 8738
