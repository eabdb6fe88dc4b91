"""How each name of a certificate is proved to be ours. Pure."""

from daemun.core import model
from daemun.core.texts import names


def choose_challenge(name: str, ordering: model.Ordering) -> model.Challenge | None:
    """The challenge that a CA is to validate; None: there is none for this name.

    A wildcard is proved in DNS only (RFC 8555 section 8.3), an address over HTTP only (RFC 8738 section 7).
    """
    if names.address_of(name) is not None:
        return model.Challenge.HTTP_01
    if ordering.challenge is model.Challenge.DNS_PERSIST_01:
        return ordering.challenge
    if name.startswith("*."):
        return model.Challenge.DNS_01 if ordering.dns is not None else None
    return ordering.challenge or model.Challenge.HTTP_01


def is_orderable(name: str, ordering: model.Ordering) -> bool:
    """Whether a public CA signs this name and daemun can prove it."""
    return names.is_signed_publicly(name) and choose_challenge(name, ordering) is not None
