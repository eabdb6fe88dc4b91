"""Why an order failed, from the CA's errors for it and for its names. Pure."""

import collections.abc
import dataclasses

from acme import messages

from daemun.certs.acme import acme_network, order_error, problem_documents
from daemun.core.issuance import budget

_MOST_NAMED = 3
"""Of many names that failed, so many are shown with the reason, the others by their names."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrderFailure:
    """failed: the names that the CA could not validate, as `budget.failing_name`."""

    error: order_error.OrderError
    failed: frozenset[str]


def explain(
    hosts: tuple[str, ...], order: messages.Order, authorizations: collections.abc.Iterable[messages.Authorization]
) -> OrderFailure:
    """Of each name that could not be validated, else of the order as a whole."""
    reasons, codes, failed = [], set(), set()
    blamed: dict[str, str] = {}
    for found in authorizations:
        name = found.identifier.value
        for kind, problem in ((one.chall.typ, one.error) for one in found.challenges if one.error is not None):
            code, detail = acme_network.code_of(problem), acme_network.detail_of(problem)
            reasons.append(problem_documents.explain_validation(name, code, detail, challenge=kind))
            codes.add(code)
            failed.add(budget.failing_name(name))
            is_wildcard = bool(found.wildcard)
            of_it = (host for host in hosts if host.startswith("*.") is is_wildcard)
            blamed |= {host: reasons[-1] for host in of_it if budget.failing_name(host) == budget.failing_name(name)}
    if not reasons and order.error is not None:
        code, detail = acme_network.code_of(order.error), acme_network.detail_of(order.error)
        reasons.append(problem_documents.explain_request(", ".join(hosts), code, detail))
        codes.add(code)
    if len(reasons) > _MOST_NAMED:
        reasons[_MOST_NAMED:] = [
            f"and the same kind of trouble with {acme_network.quoted(tuple(blamed)[_MOST_NAMED:])}"
        ]
    error = order_error.OrderError(
        "; ".join(reasons)
        or f"cannot get a certificate for {acme_network.quoted(hosts)}: the CA gave the order up without a reason; "
        "nothing to do, daemun tries again",
        cause=order_error.cause_of_validation(frozenset(codes)),
        blamed=blamed,
    )
    return OrderFailure(error=error, failed=frozenset(failed))
