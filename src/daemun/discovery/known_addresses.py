"""The last good addresses of every host, kept over restarts: a name server that is away when daemun or the machine
starts must not take sites down. A cache: what cannot be read counts as nothing known."""

import collections.abc
import ipaddress
import json

from daemun.control import damaged_keys, ports
from daemun.discovery import service_table

_KEY = "discovery/addresses"

AddressesByName = collections.abc.Mapping[str, tuple[service_table.Address, ...]]


def read_known(store: ports.Store) -> AddressesByName:
    return damaged_keys.read(store, _KEY, _parse, follows="all names are looked up anew, nothing is to do") or {}


def _parse(content: bytes) -> AddressesByName:
    rows = json.loads(content)
    return {host: tuple(ipaddress.ip_address(text) for text in texts) for host, texts in rows.items()}


def write_known(store: ports.Store, known: AddressesByName) -> None:
    rows = {host: [str(address) for address in addresses] for host, addresses in sorted(known.items())}
    store.write(_KEY, json.dumps(rows, indent=1).encode())
