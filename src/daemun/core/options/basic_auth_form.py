"""`access: {basic_auth: ...}`: who may come in by name and password (RFC 7617). Verified by `daemun.judge`."""

import collections.abc
import dataclasses
import re
import typing

import pydantic

from daemun.core import password_hashes
from daemun.core.options import forms
from daemun.core.options.option import Place
from daemun.core.texts import rules

REALM = "Restricted"
_LONGEST_REALM = 200
MOST_USERS = 10_000

Users = tuple[tuple[str, str], ...]

_BETWEEN = re.compile(r"[\s,]+(?=[^\s,:$]+:)")
"""Between two users of a text: a hash may hold commas, and no colon."""
_EXPECTED = "expected a map of users and their hashed passwords, alice: HASH; `daemun password` makes a HASH"


def parse_users(value: object) -> object:
    """A map, lines of a htpasswd file, or a text with these. What was found is left out of the message."""
    if isinstance(value, str):
        value = _BETWEEN.split(value.strip())
    if isinstance(value, list | tuple):
        pairs = [one.strip().partition(":") for one in value if isinstance(one, str)]
        if not value or len(pairs) != len(value) or not all(colon for _, colon, _ in pairs):
            raise ValueError(f"{_EXPECTED}, or lines such as alice:HASH")
        return tuple((password_hashes.normalize(user), hashed) for user, _, hashed in pairs)
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError(_EXPECTED)
    return tuple((password_hashes.normalize(str(user)), hashed.strip()) for user, hashed in value.items())


_LINES: forms.Json = {"type": "array", "items": forms.TEXT}
_USERS: forms.Json = {"anyOf": [{"type": "object", "additionalProperties": forms.TEXT}, _LINES, forms.TEXT]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth(forms.OptionMap):
    """users: name and hashed password. file: absolute path of a htpasswd file."""

    shape: typing.ClassVar[str] = "a map with `users` or `file`"
    file_only: typing.ClassVar[frozenset[str]] = frozenset({"file"})
    texts: typing.ClassVar[frozenset[str]] = frozenset({"users", "realm"})
    meanings: typing.ClassVar[dict[str, str]] = {
        "users": "names, and the hash of each one's password, as `daemun password` or `htpasswd` make them",
        "file": "a htpasswd file, with a line NAME:HASH for each user",
        "realm": f"what browsers show beside the question; {REALM}",
    }
    users: typing.Annotated[
        Users, pydantic.BeforeValidator(parse_users), pydantic.WithJsonSchema(_USERS), forms.HASHES
    ] = ()
    file: forms.File | None = None
    realm: forms.Text = REALM

    @property
    def known_users(self) -> Users:
        """Those of the file behind the others, once it was read."""
        return self.users


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadBasicAuth(BasicAuth):
    """The same once the file was read (`with_file`). of_file: whom it names and `users` does not."""

    of_file: Users = ()

    @property
    def known_users(self) -> Users:
        return (*self.users, *self.of_file)


def _parse(value: object) -> object:
    """Labels hold the users in one text. An empty key is a mistake: it must neither open the site nor close it."""
    if value is None:
        raise ValueError("expected a map with `users` or `file`, found nothing")
    if isinstance(value, str) and ":" not in value:
        raise ValueError("expected a map with `users` or `file`, found a text; write {file: ./htpasswd}")
    return {"users": value} if isinstance(value, str | list) else value


Form = typing.Annotated[
    BasicAuth | None, pydantic.BeforeValidator(_parse), forms.Also(forms.TEXT, {"type": "array", "items": forms.TEXT})
]


def check(value: BasicAuth, place: Place) -> None:
    seen: set[str] = set()
    for user, hashed in value.users:
        shown = user if password_hashes.check_user(user) is None else "?"
        if (cause := password_hashes.check_user(user) or password_hashes.check_hash(hashed)) is not None:
            place.add(cause, "users", shown)
        elif user in seen:
            place.add("is there twice; keep one of them", "users", shown)
        seen.add(user)
    if len(value.users) > MOST_USERS:
        place.add(f"has {len(value.users)} users; expected {MOST_USERS} at most", "users")
    if not value.users and value.file is None:
        place.add("lets nobody in: it has no users; write `users` or `file`")
    if value.file is not None:
        place.add_value(value.file, rules.check_absolute(value.file), "file")
    cause = rules.check_text(value.realm)
    if cause is None and len(value.realm) > _LONGEST_REALM:
        cause = f"has {len(value.realm)} characters; expected {_LONGEST_REALM} at most"
    place.add(cause, "realm")


# --- htpasswd files --------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Htpasswd:
    """users: of the lines that can be used. faults: line and cause of the others."""

    users: Users
    faults: tuple[tuple[int, str], ...]


def parse_htpasswd(content: bytes) -> Htpasswd:
    """What is behind a second colon is a remark, as nginx has it. Pure."""
    users: dict[str, str] = {}
    faults: list[tuple[int, str]] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            faults.append((number, "is no text (UTF-8)"))
            continue
        if not text or text.startswith("#"):
            continue
        user, colon, rest = password_hashes.normalize(text).partition(":")
        cause = password_hashes.check_user(user) if colon else "has no colon; expected NAME:HASH"
        hashed = rest.partition(":")[0]
        cause = cause or password_hashes.check_hash(hashed)
        if cause is None and user in users:
            cause = "has a name that an earlier line has; keep one of them"
        if cause is None and len(users) >= MOST_USERS:
            faults.append((number, f"is one user too many; expected {MOST_USERS} at most"))
            break
        if cause is None:
            users[user] = hashed
        else:
            faults.append((number, cause))
    return Htpasswd(users=tuple(users.items()), faults=tuple(faults))


def with_file(value: BasicAuth, read: collections.abc.Callable[[str], bytes | None]) -> BasicAuth:
    """The same with the users that its file names now. read: None: it cannot be read, and lets no user in."""
    if value.file is None:
        return value
    known = {user for user, _ in value.users}
    found = parse_htpasswd(read(value.file) or b"").users
    more = tuple(one for one in found if one[0] not in known)
    return ReadBasicAuth(users=value.users, file=value.file, realm=value.realm, of_file=more)
