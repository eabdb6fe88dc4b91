"""live/NAME: what nginx loads. Key and chain of one generation are always together.

live/NAME is a relative link to live/.generations/NAME/N/, swapped by renaming a new link over it. A generation is whole
and on the disk before the link names it, and is never changed afterwards. The one before stays, because nginx may be
between reading its chain and its key. File names are certbot's, so that people and programs know them.
"""

import collections.abc
import contextlib
import os
import pathlib
import shutil

from cryptography.hazmat.primitives import serialization

from daemun import durable
from daemun.certs import bundle

_GENERATIONS = ".generations"
_CHAIN, _KEY = "fullchain.pem", "privkey.pem"


def read(live: pathlib.Path, name: str) -> bundle.Bundle | None:
    """What live/NAME holds; None: nothing that could be served (missing, or damaged by a person or a power cut)."""
    try:
        return bundle.parse((live / name / _CHAIN).read_bytes(), (live / name / _KEY).read_bytes())
    except (OSError, bundle.BundleError):
        return None


def publish(live: pathlib.Path, name: str, new: bundle.Bundle, *, worker_gid: int | None) -> None:
    """Make live/NAME hold the bundle. Nothing is written when it does already.

    worker_gid: the group of nginx's workers, which may read it besides the owner; None: the owner alone.
    Raises: OSError; live/NAME is then as it was.
    """
    if read(live, name) == new and _is_readable_by(live / name / _KEY, worker_gid):
        return
    generations = live / _GENERATIONS / name
    for directory in (live, live / _GENERATIONS, generations):
        _make_directory(directory, worker_gid)
    current = _current(live, name)
    generation = generations / str(max(_numbers(generations), default=0) + 1)
    _make_directory(generation, worker_gid)
    for file, content in _files(new).items():
        _write(generation / file, content, worker_gid)
    durable.sync_directory(generation)
    durable.sync_directory(generations)
    durable.point_link(live / name, pathlib.Path(_GENERATIONS, name, generation.name))
    for number in _numbers(generations):
        if str(number) not in {generation.name, current}:
            shutil.rmtree(generations / str(number), ignore_errors=True)


def remove_except(live: pathlib.Path, keep: collections.abc.Collection[str]) -> None:
    """Remove every name but those to keep. Only for names that no running nginx configuration uses any more."""
    with contextlib.suppress(FileNotFoundError):
        for link in live.iterdir():
            if link.is_symlink() and link.name not in keep:
                link.unlink()
        for generations in (live / _GENERATIONS).iterdir():
            if generations.name not in keep:
                shutil.rmtree(generations)


def remove(live: pathlib.Path, name: str) -> None:
    """Remove one name; handshakes for it fail from now on."""
    (live / name).unlink(missing_ok=True)
    shutil.rmtree(live / _GENERATIONS / name, ignore_errors=True)


def _files(new: bundle.Bundle) -> dict[str, bytes]:
    leaf, *issuers = (certificate.public_bytes(serialization.Encoding.PEM) for certificate in new.chain)
    return {_CHAIN: new.fullchain_pem, _KEY: new.key_pem, "cert.pem": leaf, "chain.pem": b"".join(issuers)}


def _current(live: pathlib.Path, name: str) -> str | None:
    """The number of the generation that live/NAME points to, as text."""
    try:
        return (live / name).readlink().name
    except OSError:
        return None


def _numbers(generations: pathlib.Path) -> list[int]:
    return [int(path.name) for path in generations.iterdir() if path.name.isdecimal()]


def _make_directory(path: pathlib.Path, worker_gid: int | None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    _restrict(path, worker_gid, for_owner=0o700, for_group=0o750)


def _write(path: pathlib.Path, content: bytes, worker_gid: int | None) -> None:
    # Created for the owner alone: no moment passes in which others could read a key.
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        _restrict(path, worker_gid, for_owner=0o600, for_group=0o640)
        file.flush()
        os.fsync(descriptor)


def _restrict(path: pathlib.Path, worker_gid: int | None, *, for_owner: int, for_group: int) -> None:
    if worker_gid is not None:
        os.chown(path, -1, worker_gid)
    path.chmod(for_owner if worker_gid is None else for_group)


def _is_readable_by(path: pathlib.Path, worker_gid: int | None) -> bool:
    """Whether the file is as `_write` makes it; not so after the workers' account was changed."""
    status = path.stat()
    if worker_gid is None:
        return status.st_mode & 0o777 == 0o600
    return status.st_mode & 0o777 == 0o640 and status.st_gid == worker_gid
