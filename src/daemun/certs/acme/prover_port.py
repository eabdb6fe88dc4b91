"""Proofs that a name is ours, and the contract of what publishes them for the CA (a file, a record in DNS)."""

import collections.abc
import dataclasses
import typing

from daemun.core import model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One challenge of a CA (RFC 8555 section 8).

    host: the name, without "*." of a wildcard. token: with DNS-PERSIST-01 empty.
    content: what the CA expects to find: the file's text (HTTP-01) or the TXT record's (DNS-01); with DNS-PERSIST-01
    the records of which one is enough, one a line.
    dns: with DNS-01, who makes the record.
    """

    host: str
    challenge: model.Challenge
    token: str
    content: str
    dns: model.Dns | None = None


class Prover(typing.Protocol):
    """Makes the proofs of one kind visible. Blocking, in the thread of an order; several orders may call it at once."""

    def present(self, proofs: collections.abc.Sequence[Proof]) -> None:
        """Until the CA can see all of them. Doing it again for proofs that are there is not an error.

        Raises: RetryableError with what to do; ConfigError when a secret is missing.
        """
        ...

    def remove(self, proofs: collections.abc.Sequence[Proof]) -> None:
        """What was presented is not needed any more. Never raises: what could not be removed is tried again later."""
        ...


Provers = collections.abc.Mapping[model.Challenge, Prover]
"""A kind that is missing needs no prover: nginx answers HTTP-01 by itself (DESIGN.md decision 8)."""
