"""The error of a failed order, with the cause that decides what is done next."""

import collections.abc
import enum
import types

from daemun import errors


class OrderErrorCause(enum.Enum):
    """DOWN: the CA cannot be reached or reports an internal error. REFUSED: it does not serve this account, or not now.
    PROOF: it looked, and the names were not shown to be ours: no other CA would see more."""

    DOWN = "down"
    REFUSED = "refused"
    PROOF = "proof"


class OrderError(errors.RetryableError):
    """A CA refused, or failed to issue, a certificate. Another error of an order is this machine's, and the same at
    every CA.

    blamed: the names that it failed for, each with why, as they were ordered; empty: for none of them alone.
    is_outage: whatever is ordered there now would fail.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: OrderErrorCause,
        retry_after_s: float | None = None,
        blamed: collections.abc.Mapping[str, str] = types.MappingProxyType({}),
        is_outage: bool = False,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.cause = cause
        self.blamed = dict(blamed)
        self.is_outage = is_outage


_BROKEN = frozenset({"serverInternal", "badNonce", "orderNotReady"})
_POLICY = frozenset(
    {
        "caa",
        "rejectedIdentifier",
        "unsupportedIdentifier",
        "rateLimited",
        "externalAccountRequired",
        "userActionRequired",
    }
)


def cause_of_request(code: str) -> OrderErrorCause:
    """Of a request that a CA refused. code: the problem type without "urn:ietf:params:acme:error:"."""
    return OrderErrorCause.DOWN if code in _BROKEN else OrderErrorCause.REFUSED


def cause_of_validation(codes: frozenset[str]) -> OrderErrorCause:
    """Of an order that failed, by the problems of its names. A CA that may not sign (CAA) or does not want to leaves
    the others a chance."""
    if codes and codes <= _BROKEN:
        return OrderErrorCause.DOWN
    return OrderErrorCause.REFUSED if codes and codes <= _POLICY | _BROKEN else OrderErrorCause.PROOF
