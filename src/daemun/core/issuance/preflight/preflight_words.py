"""Words that several findings before an order use. Pure."""

import collections.abc

from daemun.core import model, new_findings
from daemun.core.issuance.preflight import facts
from daemun.core.texts import words

_MOST_SHOWN = 3


def fails_for_sure(topic: str, message: str, cure: str, context: facts.OrderContext) -> model.Finding:
    """Blocks at a CA that browsers trust; a private one may know better."""
    make = new_findings.blocks if context.is_public else new_findings.warns
    return make(topic, message, cure, context.host)


def joined(items: collections.abc.Iterable[object]) -> str:
    return words.listed(map(str, items), last="and")


def this_machine(here: facts.ThisMachine) -> str:
    """ "this machine", with addresses of it that the internet could know. A router's it does not know."""
    shown = here.public[:_MOST_SHOWN]
    return f"this machine ({joined(shown)})" if shown else "this machine's public address"
