"""What nginx keeps of servers' answers (`core.render.response_cache`), and how it is forgotten.

nginx of open source has no directive for it. Compared, and not taken: deleting the file that the md5 of a key names, as
one path has many keys (ports, `Origin`, headers, variants by Vary); deleting files, whose size nginx goes on counting
until it would have removed them, and then logs a failed unlink for each (ngx_http_file_cache_delete); a number in the
key, which is for whole hosts only and has to be read from the disk for each request.

So each file is read as far as its key, and those that are meant get another version of the format: nginx takes them for
absent (ngx_http_file_cache_read), answers that are on their way from them go on, and it replaces or removes the
files itself. Workers own the folder, so nothing is followed out of it.
"""

import collections.abc
import contextlib
import dataclasses
import os
import posixpath
import stat
import urllib.parse

_KEY = b"\nKEY: "
_HEADER_BYTES = 1 << 10
"""Of what stands before the key (ngx_http_file_cache_header_t, 336 bytes in 1.31.3)."""
_KEY_BYTES = 72 << 10
"""Of the key at most: what the header of a request can hold."""
_VERSION_BYTES = 8
"""ngx_uint_t, first in the file."""
_PARTS = 7


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """What an answer was requested by. site: as its key names it (`response_cache`). path: decoded, without what leads
    nowhere."""

    site: str
    host: str
    path: str
    query: str


def parse_key(key: str) -> CacheKey | None:
    """None: it is not one of ours."""
    parts = key.split(" ", _PARTS - 1)
    if len(parts) < _PARTS - 1:
        return None
    authority, slash, target = parts[_PARTS - 2].partition("/")
    path, _, query = f"{slash}{target}".partition("?")
    return CacheKey(site=parts[0], host=_without_port(authority), path=normal_path(path), query=query)


def normal_path(path: str) -> str:
    """As nginx compares paths: decoded, "//" and dots resolved."""
    decoded = urllib.parse.unquote(path, errors="surrogateescape")
    found = posixpath.normpath(f"/{decoded.lstrip('/')}")
    return f"{found}/" if decoded.endswith("/") and found != "/" else found


def leads_up(path: str) -> bool:
    """Whether it has segments that lead nowhere or up. A star at its end is none of them."""
    parts = urllib.parse.unquote(path.removesuffix("*"), errors="surrogateescape").split("/")
    return not {".", ".."}.isdisjoint(parts)


def _without_port(authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host.lower() if colon and port.isdecimal() else authority.lower()


def purge(folder: str, is_meant: collections.abc.Callable[[CacheKey], bool]) -> int:
    """Let nginx forget the answers that are meant. Returns: how many. Blocking, about 20 µs for each that is kept.

    Raises: OSError; one that is gone meanwhile is none. FileNotFoundError: nothing was ever kept.
    """
    os.stat(folder)  # noqa: PTH116 - `fwalk` passes over a folder that is not there
    count = 0
    for _, _, names, descriptor in os.fwalk(os.path.realpath(folder), follow_symlinks=False, onerror=_raise):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                count += _forget(name, descriptor, is_meant)
    return count


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _forget(name: str, folder: int, is_meant: collections.abc.Callable[[CacheKey], bool]) -> bool:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        return False
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode) or opened.st_nlink != 1:
            return False
        key = _read_key(descriptor)
        kept = None if key is None else parse_key(key)
        if kept is None or not is_meant(kept):
            return False
        os.pwrite(descriptor, bytes(_VERSION_BYTES), 0)
    finally:
        os.close(descriptor)
    return True


def _read_key(descriptor: int) -> str | None:
    """None: it is forgotten already, or nginx has not written so far."""
    head = os.pread(descriptor, 4 * _HEADER_BYTES, 0)
    start = head.find(_KEY, 0, _HEADER_BYTES)
    if start < 0 or not any(head[:_VERSION_BYTES]):
        return None
    start += len(_KEY)
    if (end := head.find(b"\n", start)) < 0:
        head = os.pread(descriptor, _KEY_BYTES, 0)
        end = head.find(b"\n", start)
    return None if end < 0 else os.fsdecode(head[start:end])
