"""Who may come in by name and password, as values that the judge gets. Pure.

nginx asks the judge by the name of a policy and the digest of what it held when the configuration was made. The digest
keeps what nginx remembers of one policy apart from the next version of it.
"""

import collections.abc
import dataclasses
import hashlib
import json
import re

JUDGE_PATH = re.compile(rb"/judge/(?P<name>[a-z0-9_.-]+)/(?P<digest>[0-9a-f]{32})\b")
"""How nginx's files name a policy (`Policy.path`)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """name: of the site and route, [a-z0-9_.-]. realm: what browsers show. users: user -> hashed password, sorted."""

    name: str
    realm: str
    users: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(_value(self)).encode()).hexdigest()[:32]

    @property
    def path(self) -> str:
        """What nginx requests of the judge."""
        return f"/judge/{self.name}/{self.digest}"


def encode(policies: collections.abc.Iterable[Policy]) -> bytes:
    """In their order: of several with one name, the last is the current one."""
    return json.dumps([_value(one) for one in policies]).encode()


def decode(content: bytes) -> tuple[Policy, ...]:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
    return tuple(
        Policy(
            name=str(one["name"]),
            realm=str(one["realm"]),
            users=tuple((str(user), str(hashed)) for user, hashed in one["users"].items()),
        )
        for one in json.loads(content)
    )


def _value(policy: Policy) -> dict[str, object]:
    return {"name": policy.name, "realm": policy.realm, "users": dict(policy.users)}


def find_named(files: collections.abc.Mapping[str, bytes]) -> frozenset[tuple[str, str]]:
    """Name and digest of the policies that nginx's files name."""
    return frozenset(
        (match["name"].decode(), match["digest"].decode())
        for content in files.values()
        if b"/judge/" in content
        for match in JUDGE_PATH.finditer(content)
    )


def choose(
    wanted: collections.abc.Iterable[Policy],
    kept: collections.abc.Iterable[Policy],
    named: collections.abc.Container[tuple[str, str]],
) -> tuple[Policy, ...]:
    """What the judge is to know: all that is wanted, and before them those of before that nginx's files still name, as
    the files of a site that is kept at its last good version do."""
    current = {(one.name, one.digest): one for one in wanted}
    before = {key: one for one in kept if (key := (one.name, one.digest)) in named and key not in current}
    return tuple(found[key] for found in (before, current) for key in sorted(found))
