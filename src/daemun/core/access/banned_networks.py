"""Addresses that are refused on every site, and the names under which nginx finds them. Pure.

nginx tests for each request whether a file with a name of the visitor's address exists, so a ban binds at once and
needs no reload. Such a name stands for a network of a few lengths (`LENGTHS`): a ban of another length has several.
"""

import collections.abc
import dataclasses
import datetime
import enum
import ipaddress

from daemun.core.texts import words

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LENGTHS = {4: (32, 24, 16), 6: (64, 48, 32)}
"""The lengths of prefixes that a name can stand for, in the order in which nginx tests them. An IPv6 customer has a /64
(RFC 6177), so nothing shorter than that is distinguished."""
SHORTEST = {4: 8, 6: 19}
"""A shorter prefix is a mistake, and would have too many names."""
LOOPBACK: tuple[Network, ...] = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::/64"))


class Reason(enum.Enum):
    """OWNER: `daemun ban`. GUESSES: too many wrong names and passwords. CROWDSEC: a decision of CrowdSec."""

    OWNER = "owner"
    GUESSES = "guesses"
    CROWDSEC = "crowdsec"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """network: as `str(parse(...))`. since, until: aware UTC; until None: for good. note: what else is known of it.

    is_wait: the visitor may come in again by itself, soon (429 instead of 403).
    """

    network: str
    reason: Reason
    since: datetime.datetime
    until: datetime.datetime | None = None
    note: str = ""

    @property
    def is_wait(self) -> bool:
        return self.reason is Reason.GUESSES

    def is_over(self, now: datetime.datetime) -> bool:
        return self.until is not None and self.until <= now


def parse(text: str) -> Network:
    """An address or a network, of IPv6 a /64 at most. Raises: ValueError with what is wrong."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        form = 'such as "203.0.113.7", "203.0.113.0/24" or "2001:db8::1"'
        raise ValueError(f"{words.quoted(text)} is neither an address nor a network; expected one {form}") from None
    if isinstance(found, ipaddress.IPv6Network):
        mapped = found.network_address.ipv4_mapped
        if mapped is not None and found.prefixlen >= 96:
            found = ipaddress.IPv4Network((int(mapped), found.prefixlen - 96))
    if found.prefixlen < SHORTEST[found.version]:
        raise ValueError(f"{found} is too large; the largest network is a /{SHORTEST[found.version]}")
    longest = LENGTHS[found.version][0]
    return found.supernet(new_prefix=longest) if found.prefixlen > longest else found


def show(network: Network) -> str:
    """An address alone is written as one."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def find_length(network: Network) -> int:
    """The length of its names."""
    return min(length for length in LENGTHS[network.version] if length >= network.prefixlen)


def find_step(network: Network) -> int:
    """How many names nginx must test of an address until it meets this network."""
    return LENGTHS[network.version].index(find_length(network)) + 1


def find_names(network: Network) -> collections.abc.Iterator[str]:
    """`203.0.113.7`, `203.0.113` for a /24, `2001:db8:0:0` for a /64: the address without its last parts."""
    length = find_length(network)
    for part in network.subnets(new_prefix=length):
        address = part.network_address
        if isinstance(address, ipaddress.IPv4Address):
            yield ".".join(str(address).split(".")[: length // 8])
        else:
            number = int(address) >> 64
            groups = (f"{number >> shift & 0xFFFF:x}" for shift in (48, 32, 16, 0))
            yield ":".join(list(groups)[: length // 16])


def without(network: Network, spared: collections.abc.Iterable[Network]) -> tuple[Network, ...]:
    """What is left of it. spared: of IPv6 a /64 at most, as `widen` makes them."""
    left: tuple[Network, ...] = (network,)
    for one in spared:
        left = tuple(part for whole in left for part in _subtract(whole, one))
    return left


def widen(networks: collections.abc.Iterable[str]) -> tuple[Network, ...]:
    """As `without` needs them."""
    every = (ipaddress.ip_network(one, strict=False) for one in networks)
    return tuple(
        one.supernet(new_prefix=LENGTHS[6][0]) if one.version == 6 and one.prefixlen > LENGTHS[6][0] else one
        for one in every
    )


def _subtract(whole: Network, part: Network) -> collections.abc.Iterator[Network]:
    if whole.version != part.version or not whole.overlaps(part):
        yield whole
    elif not whole.subnet_of(part):  # type: ignore[arg-type]
        yield from whole.address_exclude(part)  # type: ignore[arg-type]
