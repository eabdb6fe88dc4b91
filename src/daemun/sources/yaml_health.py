"""What daemun.yaml may say of health checks."""

import typing

import pydantic

from daemun.core import model, words
from daemun.sources import yaml_entry


def _statuses(value: object) -> object:
    """200, "200-399", or a list of them."""
    return tuple(_status_range(one) for one in (value if isinstance(value, list) else [value]))


def _status_range(value: object) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, value
    low, dash, high = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not (low.isascii() and low.isdigit() and len(low) == 3 and (not dash or (high.isdigit() and len(high) == 3))):
        raise ValueError(f'expected a status such as 200, or a range such as "200-399", found {words.describe(value)}')
    return int(low), int(high or low)


class HealthEntry(yaml_entry.OptionMap):
    """A path, `tcp`, `off`, or this map."""

    shape = 'a path such as "/healthz", tcp, off, or a map'
    path: str | None = None
    interval: yaml_entry.Duration = model.Health().interval_s
    timeout: yaml_entry.Duration = model.Health().timeout_s
    threshold: int = model.Health().threshold
    recover: int = model.Health().recover
    status: typing.Annotated[tuple[tuple[int, int], ...], pydantic.BeforeValidator(_statuses)] = model.Health().statuses
    host: str | None = None

    def translate(self) -> model.Health:
        return model.Health(
            path=self.path,
            host=self.host,
            interval_s=self.interval,
            timeout_s=self.timeout,
            threshold=self.threshold,
            recover=self.recover,
            statuses=self.status,
        )


def _health(value: object) -> object:
    """ "/healthz" is a path, "tcp" a map of defaults."""
    if value is False or value == "off":
        return None
    if value == "tcp":
        return {}
    return {"path": value} if isinstance(value, str) and value.startswith("/") else value


Health = typing.Annotated[HealthEntry | None, pydantic.BeforeValidator(_health)]
