"""What was read of certificates before, in a file, so that a start reads a hundred thousand of them in seconds.

Facts are found by a digest of the bytes of a chain and its key, so they are true whatever happened to any file; what is
not found is read in full. The file is a cache: it may be deleted at any time, and what a crash cuts off is read anew.

    CRC-32 of the rest ["DIGEST", not before, not after, [names], [addresses], issuer, ...]
"""

import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import sys
import threading
import zlib

from daemun import regular_files
from daemun.certs.served import bundle
from daemun.control import ports

_AT_ONCE = 64
"""So many are appended together."""
_FEW = 1000
"""What was replaced or expired is left out once the file could be half as long, but not while it is short."""


class FactsFile:
    """The facts of certificates by the digest of their bytes, kept in a file. Thread-safe."""

    def __init__(self, path: str, clock: ports.Clock) -> None:
        self._path = path
        self._clock = clock
        self._guard = threading.Lock()
        self._known: dict[bytes, bundle.Facts] | None = None
        self._new: list[tuple[bytes, bundle.Facts]] = []
        self._lines = 0

    def parse(self, fullchain_pem: bytes, key_pem: bytes) -> bundle.Bundle:
        """As `bundle.parse`."""
        digest = _digest(fullchain_pem, key_pem)
        with self._guard:
            found = self._load().get(digest)
        if found is not None:
            return bundle.Bundle(fullchain_pem=fullchain_pem, key_pem=key_pem, facts=found)
        new = bundle.parse(fullchain_pem, key_pem)
        self.note(new)
        return new

    def note(self, new: bundle.Bundle) -> None:
        """A pair that was read, or made, and will be read again."""
        digest = _digest(new.fullchain_pem, new.key_pem)
        with self._guard:
            known = self._load()
            if digest in known:
                return
            known[digest] = new.facts
            self._new.append((digest, new.facts))
            if len(self._new) >= _AT_ONCE:
                self._write()

    def flush(self) -> None:
        """Write what is new."""
        with self._guard:
            if self._new:
                self._write()

    def _load(self) -> dict[bytes, bundle.Facts]:
        if self._known is None:
            lines: list[bytes] = []
            with contextlib.suppress(OSError):
                lines = regular_files.read(self._path).splitlines()
            now = self._clock.now()
            decoded = (found for line in lines if (found := _decode(line)) is not None)
            self._known = {digest: facts for digest, facts in decoded if now < facts.not_after}
            self._lines = len(lines)
        return self._known

    def _write(self) -> None:
        """Where that fails, it is tried again with the next ones that are new: those of now are read once more."""
        known, new, self._new = self._load(), self._new, []
        with contextlib.suppress(OSError):
            if self._lines + len(new) <= 2 * len(known) + _FEW:
                _append(self._path, new)
                self._lines += len(new)
                return
            now = self._clock.now()
            self._known = {digest: facts for digest, facts in known.items() if now < facts.not_after}
            _append(f"{self._path}-new", list(self._known.items()))
            os.replace(f"{self._path}-new", self._path)  # noqa: PTH105
            self._lines = len(self._known)


def _digest(fullchain_pem: bytes, key_pem: bytes) -> bytes:
    return hashlib.sha256(b"%d %b%b" % (len(fullchain_pem), fullchain_pem, key_pem)).digest()


def _append(path: str, facts: list[tuple[bytes, bundle.Facts]]) -> None:
    """Raises: OSError. The first line may have been cut off by a full disk, so a new one is begun."""
    text = b"\n" + b"".join(_encode(*one) for one in facts)
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NONBLOCK, 0o600)  # a pipe is refused
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)


def _encode(digest: bytes, facts: bundle.Facts) -> bytes:
    moments = [moment.timestamp() for moment in (facts.not_before, facts.not_after)]
    named = [sorted(facts.dns), sorted(map(str, facts.addresses))]
    others = [facts.issuer, facts.issuer_digest, facts.fingerprint, facts.serial, facts.algorithm]
    text = json.dumps([digest.hex(), *moments, *named, *others], separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _decode(line: bytes) -> tuple[bytes, bundle.Facts] | None:
    """None: it is damaged, or of another version."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        digest, not_before, not_after, dns, addresses, issuer, issuer_digest, fingerprint, serial, algorithm = (
            json.loads(text)
        )
        return bytes.fromhex(digest), bundle.Facts(
            not_before=datetime.datetime.fromtimestamp(not_before, datetime.UTC),
            not_after=datetime.datetime.fromtimestamp(not_after, datetime.UTC),
            dns=frozenset(dns),
            addresses=frozenset(map(ipaddress.ip_address, addresses)),
            issuer=sys.intern(issuer),
            issuer_digest=sys.intern(issuer_digest),
            fingerprint=fingerprint,
            serial=serial,
            algorithm=sys.intern(algorithm),
        )
    except (ValueError, TypeError, OverflowError, OSError):
        return None
