"""Tokens by which programs use the dashboard's API, as values that the store holds. Pure.

A token is 256 random bits, so a plain digest of it is enough. It opens the API of the dashboard and no site; those of
sites are `access_tokens`.
"""

import base64
import collections.abc
import dataclasses
import ipaddress
import json
import typing

from daemun.core.access import dashboard_roles, operator_sessions

KEY = "dashboard/tokens.json"
"""Of the store."""
PREFIX = "daemun_api_"
RANDOM_BYTES = 32
MOST = 1000
MOST_NETWORKS = 50
_SAVED_S = 3600.0
"""How exactly the last use survives a restart."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """name: what people name it by. digest: of the secret. created_s, ends_s: since the epoch; no end: None. networks:
    from where it is good; none: from everywhere. by: who made it. seen_s: its last use; None: never."""

    name: str
    role: dashboard_roles.Role
    digest: str = dataclasses.field(repr=False)
    created_s: float
    ends_s: float | None = None
    networks: tuple[Network, ...] = ()
    by: str = ""
    seen_s: float | None = None

    def is_over(self, now_s: float) -> bool:
        return self.ends_s is not None and now_s >= self.ends_s

    def is_for(self, address: str) -> bool:
        """address: of who sends it. What is no address is nowhere."""
        if not self.networks:
            return True
        try:
            found = ipaddress.ip_address(address.strip("[]"))
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks if network.version == found.version)

    def use(self, now_s: float) -> "ApiToken":
        """The same, used now; itself where that needs not be written."""
        is_known = self.seen_s is not None and 0 <= now_s - self.seen_s < _SAVED_S
        return self if is_known else dataclasses.replace(self, seen_s=now_s)


def note_uses(
    stored: collections.abc.Iterable[ApiToken], ours: collections.abc.Mapping[str, ApiToken]
) -> list[ApiToken]:
    """Those that are stored, each with its last use by what is known here (by digests), too."""
    return [
        one
        if (seen_s := ours[one.digest].seen_s if one.digest in ours else None) is None
        else dataclasses.replace(one, seen_s=seen_s if one.seen_s is None else max(seen_s, one.seen_s))
        for one in stored
    ]


def read_network(text: str) -> Network:
    """An address, or a network; what stands behind its prefix does not matter. Raises: ValueError."""
    found = ipaddress.ip_network(text.strip(), strict=False)
    if isinstance(found, ipaddress.IPv6Network) and found.network_address.ipv4_mapped is not None:
        raise ValueError("it is an address of IPv4 as IPv6; write it as IPv4")
    return found


def make_secret(random: bytes) -> str:
    """What a program sends. random: RANDOM_BYTES of them."""
    return PREFIX + base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def digest(secret: str) -> str:
    return operator_sessions.digest(secret)


def encode(tokens: collections.abc.Iterable[ApiToken]) -> bytes:
    return json.dumps([_value(one) for one in sorted(tokens, key=lambda one: one.name)], indent=1).encode()


def decode(content: bytes) -> tuple[ApiToken, ...]:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
    return tuple(_read(one) for one in json.loads(content))


def _value(token: ApiToken) -> dict[str, object]:
    networks = [str(one) for one in token.networks]
    return {**dataclasses.asdict(token), "role": token.role.word, "networks": networks}


def _read(value: dict[str, typing.Any]) -> ApiToken:
    role = dashboard_roles.read_role(str(value["role"]))
    if role is None:
        raise ValueError("there is no such role")
    return ApiToken(
        name=str(value["name"]),
        role=role,
        digest=str(value["digest"]),
        created_s=operator_sessions.read_moment(value["created_s"]),
        ends_s=None if value["ends_s"] is None else operator_sessions.read_moment(value["ends_s"]),
        networks=tuple(read_network(str(one)) for one in value["networks"]),
        by=str(value["by"]),
        seen_s=None if value["seen_s"] is None else operator_sessions.read_moment(value["seen_s"]),
    )
