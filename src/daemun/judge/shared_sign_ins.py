"""What the machines of a fleet share of one user's sign-ins: sessions, which of them ended, and what was good once.
JSON values, merged so that the order in which machines learn of them does not matter. Pure.

    {"user": NAME, "sessions": {KEY: {...}}, "ended": {KEY: SECONDS}, "site_codes": {KEY: {...}}, "step": NUMBER,
     "codes": [DIGEST, ...]}

A session that was ended, or a code that led to a site, stays so, whatever another machine knows of it: its key is kept
for as long as it could have been used.
"""

import collections.abc
import hashlib
import json
import typing

FOLDER = "sign-ins"
"""Of the store."""
_KEPT_S = 86400.0
"""How long a session that is over by its age is kept: another machine may know of a later use."""

Record = dict[str, typing.Any]


def key_of(user: str) -> str:
    """Names of users may have any letters, and keys may not (`store.keys`)."""
    return f"{FOLDER}/{hashlib.sha256(user.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def merge(one: Record, other: Record, now_s: float) -> Record:
    """Both of the same user."""
    known: dict[str, float] = {}
    for key, until_s in (*one["ended"].items(), *other["ended"].items()):
        known[key] = max(until_s, known.get(key, until_s))
    ended = {key: until_s for key, until_s in known.items() if until_s > now_s}
    keys = sorted({*one["sessions"], *other["sessions"]} - known.keys())
    sessions = {key: _merge_session(one["sessions"].get(key), other["sessions"].get(key)) for key in keys}
    return {
        "user": one["user"],
        "sessions": {key: session for key, session in sessions.items() if session["over_s"] + _KEPT_S > now_s},
        "ended": dict(sorted(ended.items())),
        "site_codes": {
            key: code
            for key, code in sorted({**one["site_codes"], **other["site_codes"]}.items())
            if key not in known and code["until_s"] > now_s
        },
        "step": max(one["step"], other["step"]),
        "codes": sorted({*one["codes"], *other["codes"]}),
    }


def _merge_session(one: Record | None, other: Record | None) -> Record:
    if one is None or other is None:
        found = one or other
        assert found is not None
        return found
    newer = max(one, other, key=lambda each: (each["version"], each["stamp"], each["password_s"]))
    latest = {name: max(one[name], other[name]) for name in ("seen_s", "saved_s", "over_s")}
    return {**newer, **latest, "sites": dict(sorted({**one["sites"], **other["sites"]}.items()))}


def encode(record: Record) -> bytes:
    return json.dumps(record, sort_keys=True).encode()


def decode(content: bytes) -> Record:
    """Raises: ValueError, LookupError, TypeError, AttributeError."""
    return check(json.loads(content))


def check(value: typing.Any) -> Record:
    """Of the form that `merge` takes. Raises: as `decode`."""
    return {
        "user": str(value["user"]),
        "sessions": {str(key): _check_session(one) for key, one in value["sessions"].items()},
        "ended": {str(key): float(until_s) for key, until_s in value["ended"].items()},
        "site_codes": {str(key): _check_code(one) for key, one in value["site_codes"].items()},
        "step": int(value["step"]),
        "codes": sorted(map(str, value["codes"])),
    }


def _check_session(value: Record) -> Record:
    moments = {name: float(value[name]) for name in ("seen_s", "saved_s", "over_s", "password_s")}
    sites = {str(site): str(host) for site, host in value["sites"].items()}
    return {**value, **moments, "sites": sites, "stamp": str(value["stamp"]), "version": int(value["version"])}


def _check_code(value: Record) -> Record:
    return {**value, "until_s": float(value["until_s"])}


def alter(content: bytes | None, ours: Record, now_s: float) -> bytes:
    """What is to be stored where this is. What is damaged is nothing."""
    try:
        stored = decode(content) if content is not None else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        stored = None
    return encode(merge(stored if stored is not None else ours, ours, now_s))


def end(content: bytes | None, now_s: float) -> bytes | None:
    """The same; None: nothing of it counts any more. Without that everybody who came by a provider once would stay."""
    try:
        stored = decode(content) if content is not None else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return content
    if stored is None:
        return None
    left = merge(stored, stored, now_s)
    is_used = left["step"] >= 0 or left["codes"]  # what was good once must not be good again
    return content if is_used or left["sessions"] or left["ended"] or left["site_codes"] else None


def read_all(contents: collections.abc.Iterable[bytes]) -> list[Record]:
    """Those that are whole."""
    found = []
    for content in contents:
        try:
            found.append(decode(content))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
    return found
