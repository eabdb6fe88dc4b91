"""Lines of requests added up by minute, site, route and server. Pure.

A line has few values and no time, so that most lines of a busy minute are the same: those are counted as they are, and
each different one is read once. At 40,000 requests a second there is time for no more. Who writes the lines is nginx,
from the configuration, from addresses of servers and from numbers: no text of a visitor is in one.
"""

import collections
import collections.abc
import dataclasses
import functools
import re
import typing

from daemun.core import upstream_tries
from daemun.core.traffic import time_buckets, traffic_names

_OF, _ANSWER, _REQUEST_READ = "$daemun_traffic_of", "$status$request_time$bytes_sent", "$request_length$ssl_protocol"
_PASSED = "$upstream_addr|$upstream_response_time"
FIELDS = (_OF, _ANSWER, _REQUEST_READ, _PASSED)
"""Of a line, separated by one space each; empty where there is none. What ends by itself has no space behind it, which
would cost nginx 50 instructions: a status has three digits, a time three behind its point."""
FIELDS_WITH_CACHE = (_OF, _ANSWER, f"{_REQUEST_READ}$upstream_cache_status", _PASSED)
"""Where answers may come from a cache."""
REFUSED_BY = "$daemun_refused_by"
"""Behind the name of what is counted, in servers in which a rule may refuse requests (`render.counted_refusals`)."""

TIME, UPSTREAM_TIME, CACHE, REFUSED = "t", "u", "cache ", "refused "
"""What the names of counts begin with that are followed by a bucket, by what the cache did, or by a rule."""
HELD, RETRIES = "held", "retries"
_UPGRADED = "101"
"""A WebSocket ends when a visitor leaves: its time is none of an answer."""
MINUTE_S = 60

_REQUEST = re.compile(rb"([0-9]{1,13})([A-Z]{1,9}v[0-9.]{1,9})?([A-Z]{1,32})?")
_TIME = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")
_MOST_DIGITS = 13
_REMEMBERED = 1 << 14
_MOST_LINES = 50_000
"""Different ones, 10 MB of memory."""
T = typing.TypeVar("T")


@dataclasses.dataclass(slots=True, kw_only=True)
class Sums:
    """counts: of requests by status ("200"), time ("t17"), time of the servers ("u12"), TLS version ("TLSv1.3"), by
    what the cache did ("cache HIT"), by the rule that refused ("refused rate_limit"), how many waited ("held"), and of
    further tries of servers ("retries")."""

    requests: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    counts: dict[str, int] = dataclasses.field(default_factory=dict)

    def add(self, other: "Sums") -> None:
        self.requests += other.requests
        self.bytes_out += other.bytes_out
        self.bytes_in += other.bytes_in
        merge_counts(self.counts, other.counts)


def merge_counts(counts: dict[str, int], further: collections.abc.Mapping[str, int]) -> None:
    for name, count in further.items():
        counts[name] = counts.get(name, 0) + count


def find_refused(counts: collections.abc.Mapping[str, int]) -> dict[str, int]:
    """By rule, sorted by its name."""
    found = ((name.removeprefix(REFUSED), count) for name, count in counts.items() if name.startswith(REFUSED))
    return dict(sorted(found))


class Series(typing.NamedTuple):
    """What is counted apart. site: "" for names that no site has. route: "" where a site has one, or for what the site
    answers whatever the path. server: an address; "": the gate itself answered."""

    site: str
    route: str
    server: str


Key = tuple[int, Series]
"""The start of a minute, in seconds since the epoch, and what was counted in it."""


class _Memory(dict[bytes, T]):
    """What a part of a line means, read once: a look into a dictionary is all that a part costs that came before."""

    def __init__(self, read: collections.abc.Callable[[bytes], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, part: bytes) -> T:
        if len(self) >= _REMEMBERED:
            self.clear()
        value = self[part] = self._read(part)
        return value


class Addition:
    """Not thread-safe. run_folder: where daemun's own sockets are, which are no servers of a site."""

    def __init__(self, run_folder: str) -> None:
        self.unreadable = 0
        self._sums: dict[Key, Sums] = {}
        self._lines: collections.Counter[bytes] = collections.Counter()
        self._minute = 0
        self._statuses = _Memory(_status)
        self._buckets = _Memory(_bucket)
        self._requests = _Memory(_request)
        self._names = _Memory(_name)
        self._passed = _Memory(functools.partial(_read_passed, run_folder))

    def add(self, lines: bytes, at_s: float) -> None:
        """Whole lines, each with its end. at_s: when they were written, in seconds since the epoch."""
        minute = int(at_s) - int(at_s) % MINUTE_S
        if minute != self._minute or len(self._lines) > _MOST_LINES:
            self._read_lines()
            self._minute = minute
        self._lines.update(lines.split(b"\n"))

    def sums(self) -> dict[Key, Sums]:
        """Of all lines since the last `clear`."""
        self._read_lines()
        return self._sums

    def clear(self) -> None:
        self._sums = {}
        self._lines.clear()

    def __len__(self) -> int:
        """How many sums there are, those of the last lines not among them."""
        return len(self._sums)

    def _read_lines(self) -> None:
        self._lines.pop(b"", None)
        for line, count in self._lines.items():
            try:
                self._add(line, count)
            except (ValueError, ArithmeticError):  # a disk that was full, or a power cut
                self.unreadable += count
        self._lines.clear()

    def _add(self, line: bytes, count: int) -> None:
        """Raises: ValueError before anything is added."""
        of, answer, request, passed = line.split(b" ", 3)
        sent_at = answer.index(b".", 3) + 4
        code, time = self._statuses[answer[:3]], self._buckets[answer[3:sent_at]]
        server, upstream_time, held, retries = self._passed[passed]
        received, words = self._requests[request]
        bytes_out, bytes_in = _whole(answer[sent_at:]) * count, received * count
        site, route, refused = self._names[of]
        key = (self._minute, Series(site, route, server))
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = Sums()
        sums.requests += count
        sums.bytes_out += bytes_out
        sums.bytes_in += bytes_in
        counts = sums.counts
        counts[code] = counts.get(code, 0) + count
        if code != _UPGRADED:
            counts[time] = counts.get(time, 0) + count
            if upstream_time:
                counts[upstream_time] = counts.get(upstream_time, 0) + count
        for word in words:
            counts[word] = counts.get(word, 0) + count
        if refused:
            counts[refused] = counts.get(refused, 0) + count
        if held:
            counts[HELD] = counts.get(HELD, 0) + count
        if retries:
            counts[RETRIES] = counts.get(RETRIES, 0) + retries * count


def _status(status: bytes) -> str:
    if len(status) != 3 or not status.isdigit():
        raise ValueError(status)
    return status.decode()


def _bucket(took: bytes) -> str:
    return f"{TIME}{time_buckets.bucket_of(_milliseconds(took.decode('ascii')))}"


def _milliseconds(text: str) -> int:
    """Of "1.234". Raises: ValueError."""
    if _TIME.fullmatch(text) is None:
        raise ValueError(text)
    return round(float(text) * 1000)


def _whole(text: bytes) -> int:
    """A number of bytes that nginx can have counted. Raises: ValueError."""
    if len(text) > _MOST_DIGITS or not text.isdigit():
        raise ValueError(text)
    return int(text)


def _request(request: bytes) -> tuple[int, tuple[str, ...]]:
    """Its length, and what is counted of its version of TLS and of what the cache did."""
    parts = _REQUEST.fullmatch(request)
    if parts is None:
        raise ValueError(request)
    length, tls, cache = parts.groups(default=b"")
    return int(length), tuple([word.decode() for word in (tls, CACHE.encode() + cache if cache else b"") if word])


def _name(of: bytes) -> tuple[str, str, str]:
    """Site, route, and the name of the count of what the rule refused, or ""."""
    name = of.decode()
    rule = traffic_names.decode_rule(name)
    return (*traffic_names.decode(name), f"{REFUSED}{rule}" if rule else "")


def _read_passed(run_folder: str, passed: bytes) -> tuple[str, str, bool, int]:
    """Of the servers that were tried and their times: the last server, the bucket of all times together, whether the
    request waited, and how many further tries there were."""
    addresses, bar, times = passed.decode().rpartition("|")
    if not bar:
        raise ValueError(passed)
    tried = upstream_tries.split(addresses)
    servers = [one for one in tried if not one.startswith(f"unix:{run_folder}/")]
    if not servers:
        return "", "", False, 0
    held = any(one == f"unix:{run_folder}/hold.sock" for one in tried)
    known = [
        _milliseconds(time)
        for one, time in zip(tried, upstream_tries.split(times), strict=False)
        if time not in {"", "-"} and not one.startswith("unix:" + run_folder)
    ]
    bucket = f"{UPSTREAM_TIME}{time_buckets.bucket_of(sum(known))}" if known else ""
    return servers[-1], bucket, held, len(servers) - 1
