"""Who may come in by name and password, or signed in, as values that the judge gets. Pure.

nginx asks the judge by the name of a policy and the digest of what it held when the configuration was made. The digest
keeps what nginx remembers of one policy apart from the next version of it.
"""

import collections.abc
import dataclasses
import hashlib
import json
import re
import typing

from daemun.core.access import login_providers

JUDGE_PATH = re.compile(rb"/judge/(?P<name>[a-z0-9_.-]+)/(?P<digest>[0-9a-f]{32})\b")
"""How nginx's files name a policy (`Policy.path`)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """name: of the site and route, [a-z0-9_.-]. realm: what browsers show. users: user -> hashed password, sorted.
    digest: computed once, for there may be ten thousand users."""

    name: str
    realm: str
    users: tuple[tuple[str, str], ...]
    digest: str = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", _digest(_value(self)))

    @property
    def path(self) -> str:
        """What nginx requests of the judge."""
        return f"/judge/{self.name}/{self.digest}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoginPolicy:
    """Who may come in of those who signed in: whom one of the lists has; nothing set: everybody. name: as of `Policy`.
    emails: addresses, and "*@DOMAIN". also: what they must fulfil, too (`restrict`); it is not passed on."""

    name: str
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    also: "LoginPolicy | None" = None

    @property
    def digest(self) -> str:
        return _digest(_value(self))

    @property
    def path(self) -> str:
        """What nginx requests of the judge."""
        return f"/judge/{self.name}/{self.digest}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoginHost:
    """Where people sign in. hosts: the names of the sites that they come from, patterns among them. ports: at which
    the gate and its sites have HTTPS. port: of the host in URLs. providers: where they may sign in instead. name: no
    policy's."""

    host: str
    idle_s: float
    lifetime_s: float
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    port: int = 443
    providers: tuple[login_providers.Provider, ...] = ()
    name: str = "@login"

    @property
    def digest(self) -> str:
        return _digest(_value(self))


AnyPolicy = Policy | LoginPolicy | LoginHost


def encode(policies: collections.abc.Iterable[AnyPolicy]) -> bytes:
    """In their order: of several with one name, the last is the current one."""
    return json.dumps([_value(one) for one in policies]).encode()


def decode(content: bytes) -> tuple[AnyPolicy, ...]:
    """Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
    return tuple(_read(one) for one in json.loads(content))


def _read(value: dict[str, typing.Any]) -> AnyPolicy:
    kind = value.get("kind")
    if kind == "login":
        names, groups, emails = (tuple(map(str, value[key])) for key in ("users", "groups", "emails"))
        return LoginPolicy(name=str(value["name"]), users=names, groups=groups, emails=emails)
    if kind == "login host":
        return LoginHost(
            host=str(value["host"]),
            idle_s=float(value["idle_s"]),
            lifetime_s=float(value["lifetime_s"]),
            hosts=tuple(map(str, value["hosts"])),
            ports=tuple(map(int, value["ports"])),
            port=int(value.get("port", 443)),
            providers=tuple(login_providers.from_json(one) for one in value.get("providers", ())),
        )
    users = tuple((str(user), str(hashed)) for user, hashed in value["users"].items())
    return Policy(name=str(value["name"]), realm=str(value["realm"]), users=users)


def _value(policy: AnyPolicy) -> dict[str, object]:
    match policy:
        case Policy():
            return {"name": policy.name, "realm": policy.realm, "users": dict(policy.users)}
        case LoginPolicy():
            lists = {"users": policy.users, "groups": policy.groups, "emails": policy.emails}
            return {"kind": "login", "name": policy.name, **lists}
        case LoginHost():
            providers = [login_providers.to_json(one) for one in policy.providers]
            return {"kind": "login host", **dataclasses.asdict(policy), "providers": providers}


def _digest(value: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def find_host(policies: collections.abc.Iterable[AnyPolicy]) -> LoginHost | None:
    """The current one; None: nobody signs in."""
    return next((one for one in reversed(tuple(policies)) if isinstance(one, LoginHost)), None)


def find_named(files: collections.abc.Mapping[str, bytes]) -> frozenset[tuple[str, str]]:
    """Name and digest of the policies that nginx's files name."""
    return frozenset(
        (match["name"].decode(), match["digest"].decode())
        for content in files.values()
        if b"/judge/" in content
        for match in JUDGE_PATH.finditer(content)
    )


def choose(
    wanted: collections.abc.Iterable[AnyPolicy],
    earlier: collections.abc.Iterable[AnyPolicy],
    named: collections.abc.Container[tuple[str, str]],
) -> tuple[AnyPolicy, ...]:
    """What the judge is to know: all that is wanted, and before them those of before that nginx's files still name, as
    the files of a site that is kept at its last good version do."""
    current = {(one.name, one.digest): one for one in wanted}
    before = {key: one for one in earlier if (key := (one.name, one.digest)) in named and key not in current}
    return tuple(found[key] for found in (before, current) for key in sorted(found))


def restrict(earlier: AnyPolicy, current: AnyPolicy) -> AnyPolicy:
    """What holds for files that name an older policy of a place: whom that one lets in and the current one, too, with
    today's password. Neither one who was removed since, nor one who was added for what is not served yet."""
    if isinstance(earlier, LoginPolicy) and isinstance(current, LoginPolicy):
        return dataclasses.replace(earlier, also=None if earlier == current else current)
    if not isinstance(earlier, Policy) or not isinstance(current, Policy):
        return earlier
    known = {user for user, _ in earlier.users}
    return dataclasses.replace(earlier, users=tuple(one for one in current.users if one[0] in known))
