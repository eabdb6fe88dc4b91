"""The services that are known, by name, host, pool and check: of thousands, a change of one host concerns a few."""

import collections.abc
import typing

from daemun.core.services import dns_service

_Key = typing.TypeVar("_Key")
_Groups = dict[_Key, dict[str, dns_service.Service]]
"""Services that have something in common, by it and by name."""


class ServiceIndex:
    """Iterates over its services. What it returns of a group is a tuple: it may change meanwhile."""

    def __init__(self) -> None:
        self._by_name: dict[str, dns_service.Service] = {}
        self._on_host: _Groups[str] = {}
        self._of_pool: _Groups[str] = {}
        self._with_check: _Groups[dns_service.Check] = {}

    def __iter__(self) -> collections.abc.Iterator[dns_service.Service]:
        return iter(tuple(self._by_name.values()))

    def __getitem__(self, name: str) -> dns_service.Service:
        return self._by_name[name]

    def get(self, name: str) -> dns_service.Service | None:
        return self._by_name.get(name)

    def names(self) -> collections.abc.Set[str]:
        return self._by_name.keys()

    def put(self, service: dns_service.Service) -> bool:
        """Returns: whether it is new, or another than the one of that name."""
        before = self._by_name.get(service.name)
        if before is service or before == service:
            return False
        self.discard(service.name)
        self._by_name[service.name] = service
        _add(self._on_host, service.host, service)
        _add(self._of_pool, service.pool, service)
        _add(self._with_check, service.check, service)
        return True

    def discard(self, name: str) -> None:
        service = self._by_name.pop(name, None)
        if service is not None:
            _drop(self._on_host, service.host, name)
            _drop(self._of_pool, service.pool, name)
            _drop(self._with_check, service.check, name)

    def on_host(self, host: str) -> tuple[dns_service.Service, ...]:
        return tuple(self._on_host.get(host, {}).values())

    def of_pool(self, pool: str) -> tuple[dns_service.Service, ...]:
        return tuple(self._of_pool.get(pool, {}).values())

    def with_check(self, check: dns_service.Check) -> tuple[dns_service.Service, ...]:
        return tuple(self._with_check.get(check, {}).values())

    def with_checks(self) -> tuple[tuple[dns_service.Check, tuple[dns_service.Service, ...]], ...]:
        """All that have one, by it."""
        return tuple((check, tuple(services.values())) for check, services in self._with_check.items())


def _add(groups: _Groups[_Key], key: _Key | None, service: dns_service.Service) -> None:
    if key is not None:
        groups.setdefault(key, {})[service.name] = service


def _drop(groups: _Groups[_Key], key: _Key | None, name: str) -> None:
    if key is not None and name in groups.get(key, {}):
        del groups[key][name]
        if not groups[key]:
            del groups[key]
