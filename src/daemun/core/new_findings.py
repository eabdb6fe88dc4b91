"""How findings are made. Pure."""

from daemun.core import model


def good(topic: str, message: str, host: str | None = None) -> model.Finding:
    return model.Finding(topic=topic, weight=model.Weight.GOOD, message=message, host=host)


def warns(topic: str, message: str, cure: str, host: str | None = None) -> model.Finding:
    return model.Finding(topic=topic, weight=model.Weight.WARNS, message=message, cure=cure, host=host)


def blocks(topic: str, message: str, cure: str, host: str | None = None) -> model.Finding:
    return model.Finding(topic=topic, weight=model.Weight.BLOCKS, message=message, cure=cure, host=host)
