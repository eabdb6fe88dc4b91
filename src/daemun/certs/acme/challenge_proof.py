"""Which challenges of a CA daemun can meet, and what shows that it does. Among them "dns-persist-01"
(draft-ietf-acme-dns-persist), which the ACME library does not know.

Only the issuing modules import this: the library is slow to load.
"""

from acme import challenges
from josepy import json_util, jwk

from daemun import errors
from daemun.certs.acme import prover_port
from daemun.core import model
from daemun.core.issuance import persist_records

_MOST_ISSUERS = 10
"""A challenge with more, or without any, is malformed (section "Challenge Object" of the draft)."""


class PersistResponse(challenges.KeyAuthorizationChallengeResponse):
    """Empty: "I am ready". The field of its kind is not sent; without one the library would take it for nothing to
    send, and only look at the challenge."""

    typ = model.Challenge.DNS_PERSIST_01.value


@challenges.Challenge.register
class DnsPersist01(challenges.Challenge):
    """issuers: names of the CA; a record with any of them will do."""

    typ = model.Challenge.DNS_PERSIST_01.value
    issuers: tuple[str, ...] = json_util.field("issuer-domain-names", omitempty=True, default=())

    def response(self, _: object) -> PersistResponse:
        return PersistResponse(key_authorization="")

    def statements(self, account: str, *, is_wildcard: bool) -> tuple[persist_records.Statement, ...]:
        """Values that a record may have; one of them is enough. None: the challenge is malformed."""
        names = [str(issuer) for issuer in self.issuers]
        if not 1 <= len(names) <= _MOST_ISSUERS:
            return ()
        return tuple(persist_records.Statement(issuer=name, account=account, is_wildcard=is_wildcard) for name in names)


AcmeChallenge = challenges.HTTP01 | challenges.DNS01 | DnsPersist01

KINDS: dict[model.Challenge, type[AcmeChallenge]] = {
    model.Challenge.HTTP_01: challenges.HTTP01,
    model.Challenge.DNS_01: challenges.DNS01,
    model.Challenge.DNS_PERSIST_01: DnsPersist01,
}


def make(
    name: str, kind: model.Challenge, challenge: AcmeChallenge, *, key: jwk.JWK, account: str, dns: model.Dns | None
) -> prover_port.Proof:
    """What the CA wants to see for a name, which may be a wildcard. account: its URL. dns: who makes records.

    Raises: RetryableError when the challenge is malformed.
    """
    host = name.removeprefix("*.")
    if not isinstance(challenge, DnsPersist01):
        # Of DNS-01 the hash, of HTTP-01 the key authorization itself (RFC 8555 sections 8.3 and 8.4).
        content, token = challenge.validation(key), challenge.encode("token")
        return prover_port.Proof(host=host, challenge=kind, token=token, content=content, dns=dns)
    statements = challenge.statements(account, is_wildcard=name != host)
    if not statements:
        raise errors.RetryableError(
            f'cannot validate "{name}": the CA sends a {kind.value} challenge without its own names '
            "(issuer-domain-names); use another `acme.challenge`"
        )
    return prover_port.Proof(host=host, challenge=kind, token="", content="\n".join(map(str, statements)))
