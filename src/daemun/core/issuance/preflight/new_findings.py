"""How findings are made, and words that several of them use. Pure."""

import collections.abc

from daemun.core import model, words
from daemun.core.issuance.preflight import facts

_MOST_SHOWN = 3


def good(topic: str, message: str, host: str | None = None) -> model.Finding:
    return model.Finding(topic=topic, weight=model.Weight.GOOD, message=message, host=host)


def warns(topic: str, message: str, cure: str, host: str | None = None) -> model.Finding:
    return model.Finding(topic=topic, weight=model.Weight.WARNS, message=message, cure=cure, host=host)


def blocks(topic: str, message: str, cure: str, host: str | None = None) -> model.Finding:
    return model.Finding(topic=topic, weight=model.Weight.BLOCKS, message=message, cure=cure, host=host)


def fails_for_sure(topic: str, message: str, cure: str, context: facts.OrderContext) -> model.Finding:
    """Blocks at a CA that browsers trust; a private one may know better."""
    make = blocks if context.is_public else warns
    return make(topic, message, cure, context.host)


def joined(items: collections.abc.Iterable[object]) -> str:
    return words.listed(map(str, items), last="and")


def this_machine(here: facts.Here) -> str:
    """ "this machine", with addresses of it that the internet could know. A router's it does not know."""
    shown = here.public[:_MOST_SHOWN]
    return f"this machine ({joined(shown)})" if shown else "this machine's public address"
