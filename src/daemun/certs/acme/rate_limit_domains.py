"""What CAs count certificates by: the registered domain, or the block of addresses.

Source: letsencrypt.org/docs/rate-limits ("per registered domain, or IPv4 address, or IPv6 /64 range"), by the Public
Suffix List (publicsuffix.org), whose private part counts, too.
"""

import collections.abc
import functools
import ipaddress
import threading

import publicsuffixlist

from daemun.core.texts import names


def domains_of(hosts: collections.abc.Iterable[str]) -> frozenset[str]:
    """The registered domain or address range of each name (as in `model.Site.names`). The list is read on first use:
    a tenth of a second, once."""
    return frozenset(_domain_of(host) for host in hosts)


def _domain_of(host: str) -> str:
    address = names.address_of(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    if address is not None:
        return str(address)
    bare = host.removeprefix("*.")
    # A public suffix itself (also one of the private part) counts as what it is.
    return _suffixes().privatesuffix(bare) or bare


def _suffixes() -> publicsuffixlist.PublicSuffixList:
    with _reading:  # many orders begin at once, and would all read it
        return _read_suffixes()


_reading = threading.Lock()


@functools.cache
def _read_suffixes() -> publicsuffixlist.PublicSuffixList:
    return publicsuffixlist.PublicSuffixList()
