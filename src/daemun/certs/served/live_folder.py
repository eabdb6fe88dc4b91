"""live/NAME: what nginx loads. Key and chain of one generation are always together.

live/NAME is a relative link to live/.generations/NAME/N/, swapped by renaming a new link over it. A generation is whole
and on the disk before the link names it, and is never changed afterwards. The one before stays, because nginx may be
about to read its chain or its key.

Names that have the same certificate may share a generation: those of one site lead to that of one of them, and those of
many sites that have nothing yet to live/.generations/.shared-NUMBER/1/, until each has its own.
"""

import collections.abc
import contextlib
import os
import pathlib
import secrets
import shutil

from cryptography.hazmat.primitives import serialization

from daemun import durable, regular_files
from daemun.certs.served import bundle
from daemun.core.layout import CHAIN, KEY, SECOND_CHAIN, SECOND_KEY

_GENERATIONS = ".generations"
_SHARED = ".shared-"
"""No name begins so: they are made of host names."""
_LEAF = "cert.pem"
_LIKE = {_LEAF: CHAIN, SECOND_CHAIN: CHAIN, SECOND_KEY: KEY}
"""Files that are links to another one where they hold the same."""


Parse = collections.abc.Callable[[bytes, bytes], bundle.Bundle]
"""As `bundle.parse`."""


def read(live: pathlib.Path, name: str, parse: Parse = bundle.parse) -> bundle.Bundle | None:
    """What live/NAME holds; None: nothing that could be served (missing, or damaged by a person or a power cut)."""
    return _read_pair(f"{live}/{name}", CHAIN, KEY, parse)


def read_second(live: pathlib.Path, name: str, parse: Parse = bundle.parse) -> bundle.Bundle | None:
    """The second certificate in live/NAME, or the first again; None: as `read`, or there is no room for one."""
    return _read_pair(f"{live}/{name}", SECOND_CHAIN, SECOND_KEY, parse)


def _read_pair(folder: str, chain: str, key: str, parse: Parse) -> bundle.Bundle | None:
    try:
        return parse(_read_file(f"{folder}/{chain}"), _read_file(f"{folder}/{key}"))
    except (OSError, bundle.BundleError):
        return None


def _read_file(path: str) -> bytes:
    with regular_files.open_for_reading(path) as file:  # as fast as can be, ten thousand at a start
        return file.read()


def mark(live: pathlib.Path, name: str, *, has_second: bool = False) -> object:
    """Equal as long as nothing changes what live/NAME holds: two calls to the system. None: it holds nothing."""
    files = (CHAIN, KEY, SECOND_CHAIN, SECOND_KEY) if has_second else (CHAIN, KEY)
    found: list[int] = []
    try:
        for file in files:
            one = os.stat(f"{live}/{name}/{file}")  # noqa: PTH116 - of all names, all the time
            found += (one.st_dev, one.st_ino, one.st_size, one.st_ctime_ns)
    except OSError:
        return None
    return tuple(found)


def holds(
    live: pathlib.Path,
    name: str,
    wanted: bundle.Bundle,
    *,
    worker_gid: int | None,
    second: bundle.Bundle | None = None,
) -> bool:
    """Whether live/NAME holds exactly this, and nginx's workers may read it. second: as of `replace`."""
    pairs = [(CHAIN, KEY, wanted)] if second is None else [(CHAIN, KEY, wanted), (SECOND_CHAIN, SECOND_KEY, second)]
    folder = f"{live}/{name}"
    try:
        return all(
            _read_file(f"{folder}/{chain}") == one.fullchain_pem
            and _read_file(f"{folder}/{key}") == one.key_pem
            and _is_readable_by(f"{folder}/{key}", worker_gid)
            for chain, key, one in pairs
        )
    except OSError:
        return False


def publish(live: pathlib.Path, name: str, new: bundle.Bundle, *, worker_gid: int | None) -> None:
    """Make live/NAME hold the bundle, also after a power cut. Nothing is written when it does already.

    worker_gid: the group of nginx's workers, which may read it besides the owner; None: the owner alone.
    Raises: OSError; live/NAME is then as it was.
    """
    replace(live, name, new, before=read(live, name), worker_gid=worker_gid, lasting=True)


def replace(
    live: pathlib.Path,
    name: str,
    new: bundle.Bundle,
    *,
    before: bundle.Bundle | None,
    worker_gid: int | None,
    lasting: bool,
    second: bundle.Bundle | None = None,
) -> None:
    """As `publish`, for a caller that just read `before`.

    second: with a key of another type, or `new` itself as long as there is none; None: there is to be none. A name that
    had room for one keeps it: nginx may still run with a configuration that looks there.
    lasting: whether it survives a power cut. Without, `read` finds nothing then, and thousands are written in the time
    of a few. A killed process loses nothing either way.
    """
    is_there = second is None or read_second(live, name) == second
    # Another name's generations go on with what that name holds.
    is_at_home = home_of(live, name) == name or is_shared(live, name)
    if before == new and is_there and is_at_home and _is_readable_by(f"{live}/{name}/{KEY}", worker_gid):
        return
    generations = live / _GENERATIONS / name
    number, is_first = 1, _make_generations(generations, worker_gid)
    current = None if is_first else _current(live, name)
    if not is_first:
        number = max(_numbers(generations), default=0) + 1
        if second is None and os.path.exists(f"{live}/{name}/{SECOND_CHAIN}"):  # noqa: PTH110 - of thousands
            second = new
    generation = f"{generations}/{number}"
    _make_directory(generation, worker_gid)
    _write_files(generation, _files(new, second), worker_gid, lasting=lasting)
    if lasting:
        durable.sync_directory(pathlib.Path(generation))
        durable.sync_directory(generations)
    _clear(f"{live}/{name}")
    # A file system looks for room near the folder: in live/ itself, with thousands of names, that takes longer than all
    # the rest (ext4: 130 us instead of 15).
    durable.point_link(live / name, f"{_GENERATIONS}/{name}/{number}", lasting=lasting, drafts=generations)
    if not is_first:
        for old in _numbers(generations):
            if str(old) not in {str(number), current}:
                shutil.rmtree(generations / str(old), ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # a part of it was deleted
            if current is not None and not _is_readable_by(f"{generations}/{current}/{KEY}", worker_gid):
                _give(generations / current, worker_gid)  # the workers' account is another one now


def join(live: pathlib.Path, name: str, home: str) -> None:
    """Make live/NAME lead where live/HOME leads, which was written before. Raises: OSError."""
    target = _target(f"{live}/{home}")
    if _target(f"{live}/{name}") == target:
        return
    if not os.path.islink(f"{live}/{name}"):  # noqa: PTH114 - of thousands
        _clear(f"{live}/{name}")
        with contextlib.suppress(OSError):
            os.symlink(target, f"{live}/{name}")  # noqa: PTH211
            return
    durable.point_link(live / name, target, lasting=False, drafts=live / _GENERATIONS)


def share(
    live: pathlib.Path,
    names: collections.abc.Iterable[str],
    new: bundle.Bundle,
    *,
    worker_gid: int | None,
    has_second: bool = False,
) -> None:
    """Make live/NAME of all these names, which hold nothing, hold the bundle. It may be gone after a power cut.

    has_second: in the place of a second one, too.
    Raises: OSError; some of them may hold it then.
    """
    shared = f"{_SHARED}{secrets.token_hex(8)}"
    generations = live / _GENERATIONS / shared
    _make_generations(generations, worker_gid)
    _make_directory(f"{generations}/1", worker_gid)
    _write_files(f"{generations}/1", _files(new, new if has_second else None), worker_gid, lasting=False)
    target = f"{_GENERATIONS}/{shared}/1"
    # One link with many names: a tenth of the time that as many links take.
    first = f"{generations}/link"
    os.symlink(target, first)  # noqa: PTH211
    for name in names:
        try:
            os.link(first, f"{live}/{name}", follow_symlinks=False)
        except OSError:  # something is there, or the file system gives a link one name only
            durable.point_link(live / name, target, lasting=False, drafts=generations)


def is_shared(live: pathlib.Path, name: str) -> bool:
    """Whether live/NAME holds what other names hold, too."""
    return _target(f"{live}/{name}").startswith(f"{_GENERATIONS}/{_SHARED}")


def home_of(live: pathlib.Path, name: str) -> str:
    """The name whose generations hold what live/NAME leads to."""
    return _target(f"{live}/{name}").removeprefix(f"{_GENERATIONS}/").partition("/")[0]


def _clear(place: str) -> None:
    """Make room for a link where a folder was copied over it."""
    if os.path.isdir(place) and not os.path.islink(place):  # noqa: PTH112, PTH114 - of thousands
        shutil.rmtree(place)


def _target(link: str) -> str:
    """Where a link leads; empty when it is none."""
    try:
        return os.readlink(link)  # noqa: PTH115 - called for thousands
    except OSError:
        return ""


def remove_except(live: pathlib.Path, keep: collections.abc.Collection[str]) -> None:
    """Remove every name but those to keep. Only for names that no running nginx configuration uses any more."""
    with contextlib.suppress(FileNotFoundError):
        for name in set(os.listdir(live)) - {*keep, _GENERATIONS}:  # noqa: PTH208 - called in every round, for all names
            if (live / name).is_symlink():
                (live / name).unlink()
        unused = set(os.listdir(live / _GENERATIONS)).difference(keep)  # noqa: PTH208
        if unused:
            unused -= {home_of(live, name) for name in keep}
        for name in unused:
            shutil.rmtree(live / _GENERATIONS / name)


def times(live: pathlib.Path) -> tuple[int, ...]:
    """When a name or a generation of one was last added or removed; empty: there are none."""
    try:
        return tuple(os.stat(folder).st_mtime_ns for folder in (live, live / _GENERATIONS))  # noqa: PTH116
    except OSError:
        return ()


def written(live: pathlib.Path) -> frozenset[str]:
    """All names that have generations of their own."""
    try:
        return frozenset(os.listdir(live / _GENERATIONS))  # noqa: PTH208 - of thousands
    except OSError:
        return frozenset()


def names(live: pathlib.Path) -> frozenset[str]:
    """All that live/ has a link for."""
    try:
        return frozenset(os.listdir(live)) - {_GENERATIONS}  # noqa: PTH208 - called in every round
    except OSError:
        return frozenset()


def remove(live: pathlib.Path, name: str) -> None:
    """Remove one name; handshakes for it fail from now on."""
    (live / name).unlink(missing_ok=True)
    shutil.rmtree(live / _GENERATIONS / name, ignore_errors=True)


def _files(new: bundle.Bundle, second: bundle.Bundle | None) -> dict[str, bytes]:
    leaf, *issuers = (certificate.public_bytes(serialization.Encoding.PEM) for certificate in new.chain)
    beside = {} if second is None else {SECOND_CHAIN: second.fullchain_pem, SECOND_KEY: second.key_pem}
    return {CHAIN: new.fullchain_pem, KEY: new.key_pem, _LEAF: leaf, "chain.pem": b"".join(issuers), **beside}


def _current(live: pathlib.Path, name: str) -> str | None:
    """The number of its own generation that live/NAME points to, as text; None: it has none, or shares another's."""
    return os.path.basename(_target(f"{live}/{name}")) if home_of(live, name) == name else None  # noqa: PTH119


def _numbers(generations: pathlib.Path) -> list[int]:
    return [int(path.name) for path in generations.iterdir() if path.name.isdecimal()]


# What follows is done for every certificate of a first start, so it calls the system without pathlib between.


def _make_generations(path: pathlib.Path, worker_gid: int | None) -> bool:
    """The folder of a name's generations, with those above it. Returns: whether it is new."""
    if not path.parent.exists():
        path.parent.parent.mkdir(parents=True, exist_ok=True)
    for above in (path.parent.parent, path.parent):
        _make_directory(str(above), worker_gid)
    return _make_directory(str(path), worker_gid)


def _make_directory(path: str, worker_gid: int | None) -> bool:
    """Returns: whether it is new. Its owner and rights are right in any case."""
    is_new = True
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102
    except FileExistsError:
        is_new = False
        found = os.stat(path)  # noqa: PTH116
        if found.st_mode & 0o777 == _mode(worker_gid, 0o700, 0o750) and worker_gid in {None, found.st_gid}:
            return is_new
    _restrict(path, worker_gid, for_owner=0o700, for_group=0o750)
    return is_new


def _write_files(
    generation: str, files: collections.abc.Mapping[str, bytes], worker_gid: int | None, *, lasting: bool
) -> None:
    for name, content in files.items():
        if name in _LIKE and content == files[_LIKE[name]]:
            os.link(f"{generation}/{_LIKE[name]}", f"{generation}/{name}")
            continue
        # Created for the owner alone: no moment passes in which others could read a key.
        descriptor = os.open(f"{generation}/{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            _restrict(descriptor, worker_gid, for_owner=0o600, for_group=0o640)
            if lasting:
                os.fsync(descriptor)


def _give(generation: pathlib.Path, worker_gid: int | None) -> None:
    for path in generation.iterdir():
        _restrict(str(path), worker_gid, for_owner=0o600, for_group=0o640)
    _restrict(str(generation), worker_gid, for_owner=0o700, for_group=0o750)


def _restrict(path: str | int, worker_gid: int | None, *, for_owner: int, for_group: int) -> None:
    """path: or a descriptor."""
    if worker_gid is not None:
        os.chown(path, -1, worker_gid)
    os.chmod(path, _mode(worker_gid, for_owner, for_group))  # noqa: PTH101


def _mode(worker_gid: int | None, for_owner: int, for_group: int) -> int:
    return for_owner if worker_gid is None else for_group


def _is_readable_by(path: str, worker_gid: int | None) -> bool:
    """Whether the file is as `_write` makes it; not so after the workers' account was changed."""
    status = os.stat(path)  # noqa: PTH116 - of thousands
    if worker_gid is None:
        return status.st_mode & 0o777 == 0o600
    return status.st_mode & 0o777 == 0o640 and status.st_gid == worker_gid
