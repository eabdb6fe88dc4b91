"""Who is signed in: one session for all sites, and for each site a cookie of its own. No I/O; the time is an argument.

A session begins on the host of the sign-in. A site gets its own secret, which is good on that host alone, so that what
one site's server might learn opens no other. Secrets are drawn of 256 bits and kept as digests.

What must be good only once is kept here, too: the time step of the last one-time code, and recovery codes that were
used, by user, and how far passkeys have counted. So is what users changed of their accounts
(`core.access.login_changes`), which ends sessions with it.
"""

import collections.abc
import dataclasses
import hashlib
import json
import secrets
import typing

from daemun.core.access import login_changes, login_providers, login_users
from daemun.judge import login_session, shared_sign_ins

MOST_OF_A_USER = 100
"""Sessions; the one that was used longest ago ends first."""
MOST_OF_PROVIDERS = 10_000
"""Sessions of accounts elsewhere, of which there may be any number; the same one ends first."""
MOST_OF_A_SITE = 4
"""Secrets of one session for one host: several tabs may have come back at the same time."""
_LONGEST_AGENT = 200
_MOST_CODES = 10_000
_PARTS_OF_IDLE = 20
"""How exactly the last use survives a restart."""
_Record = shared_sign_ins.Record


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def draw() -> str:
    return secrets.token_urlsafe(32)


@dataclasses.dataclass(slots=True)
class Spent:
    """Codes that a user has used. step: of the last one-time code. codes: digests of recovery codes."""

    step: int = -1
    codes: set[str] = dataclasses.field(default_factory=set)


class SessionTable:
    """Sessions, site cookies and codes. changed: something must be saved. changes: of users, never altered in place.
    is_shared: in a fleet. touched: called with each user of whom other machines are to learn something new."""

    def __init__(self) -> None:
        self.idle_s = self.lifetime_s = 0.0
        self.changed = False
        self.changes: login_changes.Changes = {}
        self.is_shared = False
        self.touched: collections.abc.Callable[[str], None] = lambda _: None
        self._ended: dict[str, tuple[str, float]] = {}
        """Sessions that were ended here or elsewhere: of whom, and until when that is kept."""
        self._sessions: dict[str, login_session.Session] = {}
        self._by_site: dict[str, str] = {}
        self._spent: dict[str, Spent] = {}
        self._counters: dict[str, int] = {}
        self._site_codes: dict[str, login_session.SiteCode] = {}

    def limit(self, *, idle_s: float, lifetime_s: float) -> None:
        """How long sessions last from now on, those that there are, too."""
        self.idle_s, self.lifetime_s = idle_s, lifetime_s

    # --- sessions ----------------------------------------------------------------------------------------------

    def begin(
        self,
        user: str,
        stamp: str,
        *,
        address: str,
        agent: str,
        now_s: float,
        password_s: float = 0.0,
        identity: login_providers.Identity | None = None,
    ) -> str:
        """A new session. Returns: its secret."""
        secret = draw()
        self._make_room(MOST_OF_A_USER, lambda one: one.user == user)
        if identity is not None:
            self._make_room(MOST_OF_PROVIDERS, lambda one: one.identity is not None)
        self._sessions[digest(secret)] = login_session.Session(
            number=secrets.token_hex(6),
            user=user,
            stamp=stamp,
            created_s=now_s,
            seen_s=now_s,
            saved_s=now_s,
            password_s=password_s,
            address=address,
            agent="".join(sign for sign in agent if sign.isprintable())[:_LONGEST_AGENT],
            identity=identity,
        )
        self._note(user)
        return secret

    def _note(self, user: str) -> None:
        self.changed = True
        self.touched(user)

    def _make_room(self, most: int, is_meant: collections.abc.Callable[[login_session.Session], bool]) -> None:
        """For one more."""
        found = [(one.seen_s, key) for key, one in self._sessions.items() if is_meant(one)]
        for _, key in sorted(found)[: max(0, len(found) + 1 - most)]:
            self._end(key)

    def find(self, secret: str, now_s: float) -> tuple[str, login_session.Session] | None:
        """The session of the sign-in's own cookie, and its key."""
        return self._use(digest(secret), now_s) if secret else None

    def get(self, key: str) -> login_session.Session | None:
        """By its key, without using it."""
        return self._sessions.get(key)

    def find_on(self, secret: str, host: str, now_s: float) -> login_session.Session | None:
        """The session of the cookie of a site."""
        site = digest(secret)
        key = self._by_site.get(site)
        session = self._sessions.get(key) if key is not None else None
        if key is None or session is None or session.sites.get(site) != host:
            return None
        found = self._use(key, now_s)
        return None if found is None else found[1]

    def enter(self, key: str, host: str, now_s: float) -> str | None:
        """A secret for a site. key: of a session. None: that is over."""
        if self._use(key, now_s) is None:
            return None
        sites = self._sessions[key].sites
        others = [site for site, name in sites.items() if name == host]
        for site in others[: max(0, len(others) + 1 - MOST_OF_A_SITE)]:
            del sites[site], self._by_site[site]
        secret = draw()
        sites[digest(secret)] = host
        self._by_site[digest(secret)] = key
        self._note(self._sessions[key].user)
        return secret

    def end(self, is_meant: collections.abc.Callable[[login_session.Session], bool]) -> int:
        """On all machines. Returns: how many ended."""
        keys = [key for key, one in self._sessions.items() if is_meant(one)]
        for key in keys:
            self._end(key)
        return len(keys)

    def _end(self, key: str) -> None:
        session = self._sessions[key]
        self._remove(key)
        if self.is_shared:
            self._ended[key] = session.user, session.created_s + 2 * self.lifetime_s
            self.touched(session.user)

    def drop(self, is_meant: collections.abc.Callable[[login_session.Session], bool]) -> None:
        """Those that are over for a reason that other machines know, too, or know better."""
        for key in [key for key, one in self._sessions.items() if is_meant(one)]:
            self._remove(key)

    def end_old(self, now_s: float) -> None:
        self.drop(lambda one: self._is_over(one, now_s))
        self._ended = {key: one for key, one in self._ended.items() if one[1] > now_s}

    def list(self, now_s: float) -> list[login_session.Session]:
        return sorted(
            (one for one in self._sessions.values() if not self._is_over(one, now_s)),
            key=lambda one: (one.user, one.created_s),
        )

    def _use(self, key: str, now_s: float) -> tuple[str, login_session.Session] | None:
        session = self._sessions.get(key)
        if session is None:
            return None
        if self._is_over(session, now_s):
            self._remove(key)
            return None
        session.seen_s = max(session.seen_s, now_s)
        if session.seen_s - session.saved_s > self.idle_s / _PARTS_OF_IDLE:
            session.saved_s = session.seen_s
            self._note(session.user)
        return key, session

    def _is_over(self, session: login_session.Session, now_s: float) -> bool:
        """A clock that was put back far makes no session last longer."""
        is_odd = now_s < session.created_s - self.idle_s
        return is_odd or now_s - session.seen_s > self.idle_s or now_s - session.created_s > self.lifetime_s

    def _remove(self, key: str) -> None:
        session = self._sessions.pop(key)
        for site in session.sites:
            self._by_site.pop(site, None)
        self.changed = True

    # --- what users change of their accounts -------------------------------------------------------------------

    def change_user(self, before: login_users.User, after: login_users.User, *, kept_session: str) -> None:
        """after: with the next revision; another stamp ends all sessions of the user but one. kept: its key."""
        name = before.name
        self.changes = {**self.changes, name: login_changes.follow(self.changes.get(name), before, after)}
        self._note(name)
        if after.stamp == before.stamp:
            return
        ours = [key for key, one in self._sessions.items() if one.user == name]
        for key in ours:
            if key != kept_session:
                self._end(key)
            else:
                self._sessions[key].stamp = after.stamp
                self._sessions[key].version += 1

    def drop_changes(self, stored: collections.abc.Iterable[login_users.User]) -> None:
        """Those that the store has."""
        left = login_changes.find_due(stored, self.changes)
        if len(left) != len(self.changes):
            self.changes, self.changed = left, True

    # --- what is good once -------------------------------------------------------------------------------------

    def spend_step(self, user: str, step: int) -> bool:
        """Whether the code of this time step, or of a later one, was not used before; from now on it was."""
        spent = self._spent.setdefault(user, Spent())
        if step <= spent.step:
            return False
        spent.step = step
        self._note(user)
        return True

    def begin_steps(self, user: str, step: int) -> None:
        """The same for the first code of a new secret."""
        self._spent.setdefault(user, Spent()).step = step
        self._note(user)

    def spend_code(self, user: str, code: str) -> bool:
        """The same of a recovery code's digest."""
        spent = self._spent.setdefault(user, Spent())
        if code in spent.codes:
            return False
        spent.codes.add(code)
        self._note(user)
        return True

    def find_counter(self, passkey: str) -> int:
        """Of the last signature of a passkey; 0: it has none, or was not used."""
        return self._counters.get(passkey, 0)

    def note_counter(self, passkey: str, counter: int) -> None:
        """counter: 0: forget it."""
        if counter:
            self._counters[passkey] = counter
        else:
            self._counters.pop(passkey, None)
        self.changed = True

    def is_spent(self, user: str, code: str) -> bool:
        """Whether a recovery code was used, by its digest."""
        return user in self._spent and code in self._spent[user].codes

    def keep_spent(self, codes: collections.abc.Mapping[str, collections.abc.Collection[str]]) -> None:
        """Forget codes that users have no more. What was used of users that are gone stays: their file may be damaged,
        and be put back. codes: the recovery codes by user."""
        for user, one in self._spent.items():
            one.codes &= set(codes.get(user, one.codes))

    def keep_counters(self, passkeys: collections.abc.Container[str]) -> None:
        """Forget those of other passkeys, by their ids."""
        left = {passkey: counter for passkey, counter in self._counters.items() if passkey in passkeys}
        if left != self._counters:
            self._counters, self.changed = left, True

    # --- codes that lead to sites ------------------------------------------------------------------------------

    def add_code(self, code: str, found: login_session.SiteCode) -> None:
        """In memory alone, but for other machines. The oldest go first."""
        self._site_codes[digest(code)] = found
        while len(self._site_codes) > _MOST_CODES:
            del self._site_codes[next(iter(self._site_codes))]
        if (session := self._sessions.get(found.session)) is not None:
            self.touched(session.user)

    def has_code(self, code: str) -> bool:
        return digest(code) in self._site_codes

    def use_code(self, code: str) -> login_session.SiteCode | None:
        """None: there is none, or not any more."""
        found = self._site_codes.pop(digest(code), None)
        if found is not None and self.is_shared and (session := self._sessions.get(found.session)) is not None:
            self._ended[digest(code)] = session.user, found.until_s
            self.touched(session.user)
        return found

    # --- with other machines of a fleet ------------------------------------------------------------------------

    def list_users(self) -> set[str]:
        """Of whom there is anything to share."""
        ended = {user for user, _ in self._ended.values()}
        return {one.user for one in self._sessions.values()} | ended | {*self._spent}

    def _ends_s(self, session: login_session.Session) -> float:
        """Without a further use."""
        return min(session.seen_s + self.idle_s, session.created_s + self.lifetime_s)

    def describe(self, users: collections.abc.Iterable[str]) -> tuple[_Record, ...]:
        """What is shared of each. One walk over all there is for all of them: it may be of ten thousand people."""
        found = {user: self._begin_record(user) for user in users}
        for key, one in self._sessions.items():
            if one.user in found:
                found[one.user]["sessions"][key] = {**login_session.value_of(one), "over_s": self._ends_s(one)}
        for key, (user, until_s) in self._ended.items():
            if user in found:
                found[user]["ended"][key] = until_s
        for key, code in self._site_codes.items():
            if (session := self._sessions.get(code.session)) is not None and session.user in found:
                found[session.user]["site_codes"][key] = dataclasses.asdict(code)
        return tuple(found.values())

    def _begin_record(self, user: str) -> _Record:
        spent = self._spent.get(user, Spent())
        once = {"step": spent.step, "codes": sorted(spent.codes)}
        return {"user": user, "sessions": {}, "ended": {}, "site_codes": {}, **once}

    def take(self, records: collections.abc.Collection[_Record], now_s: float) -> None:
        """What other machines know of users. Raises: as `load`, with a part of it taken."""
        ours = {one["user"]: one for one in self.describe(record["user"] for record in records)}
        for one in records:
            ours[one["user"]] = self._take(ours[one["user"]], one, now_s)

    def _take(self, ours: _Record, record: _Record, now_s: float) -> _Record:
        """Returns: what is known of the user then."""
        user = record["user"]
        found = shared_sign_ins.merge(ours, record, now_s)
        for key, until_s in found["ended"].items():
            self._ended[key] = user, until_s
            self._site_codes.pop(key, None)
        for key in self._sessions.keys() & (ours["sessions"].keys() - found["sessions"].keys()):
            self._remove(key)
        for key, value in found["sessions"].items():
            session = login_session.read(value)
            if key in self._sessions:
                login_session.follow(self._sessions[key], session)
            elif not self._is_over(session, now_s):
                self._sessions[key] = session
            self._by_site |= dict.fromkeys(session.sites, key)
        for key, value in found["site_codes"].items():
            self._site_codes[key] = login_session.read_code(value)
        if found["step"] >= 0 or found["codes"]:
            self._spent[user] = Spent(found["step"], set(found["codes"]))
        self.changed = True
        return found

    # --- as text -----------------------------------------------------------------------------------------------

    def copy(self) -> "SessionTable":
        """As it is now, to be written elsewhere (`encode`) while it changes here: some microseconds a session."""
        copied = SessionTable()
        copied.limit(idle_s=self.idle_s, lifetime_s=self.lifetime_s)
        copied._sessions = {key: login_session.copy(one) for key, one in self._sessions.items()}
        copied._by_site = dict(self._by_site)
        copied.changes, copied.is_shared, copied._ended = self.changes, self.is_shared, dict(self._ended)
        copied._counters = dict(self._counters)
        copied._spent = {user: Spent(one.step, set(one.codes)) for user, one in self._spent.items()}
        return copied

    def encode(self) -> bytes:
        """One session after the other, so that other threads run between them."""
        sessions = (
            f"{json.dumps(key)}: {json.dumps(login_session.value_of(one))}" for key, one in self._sessions.items()
        )
        spent = {user: {"step": one.step, "codes": sorted(one.codes)} for user, one in self._spent.items()}
        changes = {name: login_changes.value_of(one) for name, one in self.changes.items()}
        parts = {"spent": json.dumps(spent), "changes": json.dumps(changes), "counters": json.dumps(self._counters)}
        if self.is_shared:
            parts["ended"] = json.dumps(self._ended)
        rest = ", ".join(f'"{name}": {text}' for name, text in parts.items())
        return f'{{"sessions": {{{", ".join(sessions)}}}, {rest}}}'.encode()

    def load(self, content: bytes) -> None:
        """Instead of all there is. Raises: ValueError, KeyError, TypeError, AttributeError when it is no such text."""
        found = json.loads(content)
        sessions = {str(key): login_session.read(one) for key, one in found["sessions"].items()}
        changes = read_changes(found)
        ended = found.get("ended")
        self.is_shared = self.is_shared or ended is not None
        self._ended = {str(key): (str(user), float(until_s)) for key, (user, until_s) in (ended or {}).items()}
        self._counters = {str(key): int(counter) for key, counter in found.get("counters", {}).items()}
        self._spent = {
            str(user): Spent(int(one["step"]), set(map(str, one["codes"]))) for user, one in found["spent"].items()
        }
        self._sessions, self.changes = sessions, changes
        self._by_site = {site: key for key, one in sessions.items() for site in one.sites}


def read_changes(found: dict[str, typing.Any]) -> dict[str, login_changes.Change]:
    """Of all that `SessionTable.encode` wrote. Raises: as `SessionTable.load`."""
    return {str(name): login_changes.read(one) for name, one in found.get("changes", {}).items()}
