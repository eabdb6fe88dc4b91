"""B1 to B4, N5, N6: whatever of a state directory is damaged, missing or cannot be written, every other site is served.

A walk over the files of a state directory that was in use, and over its folders and the room on its disk. Each step
begins with the same state directory, does one thing to it, and starts daemun. `make test-deep` does everything to every
file; the suite does one thing to each, another one to the next.
"""

import collections.abc
import contextlib
import dataclasses
import functools
import itertools
import os
import pathlib
import shutil
import socket
import ssl
import subprocess

import pytest
from cryptography import x509

from daemun.certs.served import certificate_records, local_ca
from daemun.store import file_store, memory_store
from daemun.wiring import clock
from tests.support import clients
from tests.support.daemon import Daemon, signpost, wait_for

pytestmark = [
    pytest.mark.nginx,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount, and to take root's own rights away"),
]

DEEP = bool(os.environ.get("DAEMUN_TEST_DEEP"))
HOSTS = ("a.test", "b.test", "own.test", "pub.example.com", "added.example.com")
WITHOUT_RIGHTS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""root may read whatever it likes, unless these rights are taken away."""

FILE = f"""\
acme: {{directory: "https://127.0.0.1:9/directory"}}
sites:
{signpost("a.test", "a.test")}{signpost("b.test", "b.test")}{signpost("pub.example.com", "pub.example.com")}
  own.test:
    tls: {{certificate: own.pem, key: own.key}}
    routes: {{/: {{redirect: "https://sign.test/own.test", status: 302}}}}
  any.example.com:
    on_demand: {{}}
    routes: {{/: {{redirect: "https://sign.test/added.example.com", status: 302}}}}
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a visitor gets: where the signpost leads, and the certificate's number."""

    location: str | None
    serial: int


def visit(gate: clients.GateAddress, host: str) -> Seen | None:
    """None: no answer at all. Nothing is verified: a local CA may be damaged."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((clients.LOOPBACK, gate.https), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            der = secure.getpeercert(binary_form=True)
            assert der is not None
            secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: secure.recv(65536), b""))
    except OSError:
        return None
    fields = dict(line.split(": ", 1) for line in answer.decode("latin-1").split("\r\n") if ": " in line)
    location = fields.get("Location", "").removeprefix("https://sign.test/")
    return Seen(location=location or None, serial=x509.load_der_x509_certificate(der).serial_number)


class Walk:
    """daemon: whose state directory is put back, damaged and started again. before: what visitors got of it whole."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.kept = daemon.root / "kept"
        self.before: dict[str, Seen] = {}
        self.failures: list[str] = []

    def prepare(self) -> None:
        """A state directory in use: of every kind of certificate one, and a name that was added."""
        daemon, now = self.daemon, clock.SystemClock().now()
        ca = local_ca.load_or_create(memory_store.MemoryStore(), now)
        own, public = ca.issue(["own.test"], now), ca.issue(["pub.example.com"], now)
        (daemon.root / "own.pem").write_bytes(own.fullchain_pem)
        (daemon.root / "own.key").write_bytes(own.key_pem)
        store = file_store.FileStore(daemon.state / "store")
        issued = certificate_records.Issued(directory="https://127.0.0.1:9/directory", bundle=public)
        certificate_records.write_issued(store, certificate_records.issued_key("pub.example.com"), issued)
        daemon.write(FILE)
        daemon.start()
        daemon.wait_ready()
        daemon.cli_good("domains", "add", "added.example.com")
        self.before = {host: self._wait_for(host) for host in HOSTS}
        daemon.wait((daemon.state / "store" / "history" / "daemun.yaml").exists, "the file to be remembered")
        self.stop()
        assert self.before["pub.example.com"].serial == public.leaf.serial_number
        subprocess.run(["cp", "-a", str(daemon.state), str(self.kept)], check=True)

    def files(self) -> list[pathlib.PurePath]:
        found = (path for path in self.kept.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(path.relative_to(self.kept) for path in found)

    def folders(self) -> list[pathlib.PurePath]:
        found = (path for path in self.kept.rglob("*") if path.is_dir() and not path.is_symlink())
        return sorted(path.relative_to(self.kept) for path in found)

    def put_back(self) -> None:
        shutil.rmtree(self.daemon.state, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.kept), str(self.daemon.state)], check=True)

    def stop(self) -> None:
        if self.daemon.is_running:
            self.daemon.terminate()
        left = self.daemon.nginx_processes()
        for process in left:
            process.kill()
        wait_for(lambda: not self.daemon.nginx_processes(), "nginx to end")

    def step(
        self, what: str, touched: collections.abc.Container[str] = (), without: collections.abc.Container[str] = ()
    ) -> None:
        """Start daemun, and look at every site. touched: whose certificate may be another one than before. without:
        what is lost."""
        log_begins = len(self.daemon.log_text())
        self.daemon.start()
        try:
            for host in (host for host in HOSTS if host not in without):
                seen = self._wait_for(host)
                if seen.serial != self.before[host].serial and host not in touched:
                    self.failures.append(f"{what}: {host} has another certificate than before")
            self.daemon.wait(
                lambda: "daemun is up" in self.daemon.log_text()[log_begins:], "the end of the first round"
            )
        except AssertionError as error:
            self.failures.append(f"{what}: {error}")
        finally:
            self.stop()
        if "Traceback" in self.daemon.log_text()[log_begins:]:
            self.failures.append(f"{what}: a traceback: {self.daemon.log_text()[log_begins:][-3000:]}")

    def _wait_for(self, host: str) -> Seen:
        def look() -> Seen | None:
            seen = visit(self.daemon.gate, host)
            return seen if seen is not None and seen.location == host else None

        return self.daemon.wait(look, f"{host} to answer", within_s=60)

    def end(self) -> None:
        assert not self.failures, "\n".join(self.failures)


@pytest.fixture
def walk(daemon: Daemon) -> Walk:
    made = Walk(daemon)
    made.prepare()
    return made


def _empty(path: pathlib.Path) -> None:
    path.write_bytes(b"")


def _cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garble(path: pathlib.Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 4)


def _hide(path: pathlib.Path) -> None:
    path.chmod(0)


FAULTS: dict[str, collections.abc.Callable[[pathlib.Path], None]] = {
    "empty": _empty,
    "cut in half": _cut,
    "garbage": _garble,
    "unreadable": _hide,
    "gone": pathlib.Path.unlink,
}


def _touched(path: pathlib.PurePath, fault: str) -> tuple[str, ...]:
    """Whose certificate may be made anew after this file was damaged. Every other one must be what it was."""
    local = ("a.test", "b.test", "added.example.com")
    if path.parts[:2] == ("store", "ca"):
        return local
    if path.name == "certificate.json" and fault == "gone":
        return ("pub.example.com",)
    return tuple(host for host in local if host in path.parts)


@pytest.mark.walk
def test_every_file(walk: Walk) -> None:
    """B2, B4: the account's key and the local CA's files are among them. Of a certificate that is on the disk twice (in
    the store or with its owner, and under live/) nothing is lost."""
    walk.daemon.run_by = WITHOUT_RIGHTS
    for damages in _every_damage(walk.files()) if DEEP else itertools.islice(_some_damages(walk.files()), 0, None, 2):
        walk.put_back()
        for path, fault in damages.items():
            FAULTS[fault](walk.daemon.state / path)
        what = ", ".join(f"{path} {fault}" for path, fault in damages.items())
        walk.step(what, {host for path, fault in damages.items() for host in _touched(path, fault)})
    walk.end()


Damages = dict[pathlib.PurePath, str]


def _every_damage(files: list[pathlib.PurePath]) -> collections.abc.Iterator[Damages]:
    """One fault of one file each time."""
    return ({path: fault} for path in files for fault in FAULTS)


def _some_damages(files: list[pathlib.PurePath]) -> collections.abc.Iterator[Damages]:
    """One fault of each file; a few files of different parts of the state directory at a time."""
    parts = {"store", "pairs", "nginx"}
    groups = [[path for path in files if path.parts[0] == part] for part in sorted(parts)]
    groups.append([path for path in files if path.parts[0] not in parts])
    faults = itertools.cycle(FAULTS)
    for some in itertools.zip_longest(*groups):
        yield {path: next(faults) for path in some if path is not None}


@pytest.mark.walk
def test_every_folder_that_is_read_only(walk: Walk) -> None:
    """As if it were a disk of its own."""
    for folder in (pathlib.PurePath(), *walk.folders()) if DEEP else (pathlib.PurePath(), *_FOLDERS):
        walk.put_back()
        with _read_only(walk.daemon.state / folder):
            walk.step(f"{folder} is read-only")
    walk.end()


_FOLDERS = tuple(map(pathlib.PurePath, ("store", "nginx", "pairs", "run", "logs")))


@contextlib.contextmanager
def _read_only(folder: pathlib.Path) -> collections.abc.Iterator[None]:
    done = subprocess.run(["mount", "--bind", str(folder), str(folder)], check=False)
    if done.returncode != 0:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.walk
def test_every_folder_that_is_missing(walk: Walk) -> None:
    for folder in walk.folders() if DEEP else _FOLDERS:
        walk.put_back()
        shutil.rmtree(walk.daemon.state / folder)
        is_lost = {"store", "pairs"} & set(folder.parts[:1])
        walk.step(f"{folder} is missing", HOSTS if is_lost else (), without=_lost(folder))
    walk.end()


def _lost(folder: pathlib.PurePath) -> tuple[str, ...]:
    """The names that were nowhere else."""
    is_lost = folder.parts in {("store",), ("store", "domains")}
    return ("added.example.com",) if is_lost else ()


@pytest.mark.walk
def test_every_room_that_a_disk_has_left(walk: Walk) -> None:
    """Each page less makes another write the first that finds none."""
    disk = walk.daemon.root / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this machine does not let tests mount a file system")
    walk.daemon.state = disk / "s"
    try:
        for pages in range(24) if DEEP else (0, 1, 4, 17):
            walk.put_back()
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            os.truncate(filler, filler.stat().st_size - pages * 4096)
            walk.step(f"{pages} pages are left")
            filler.unlink()
    finally:
        walk.daemon.close()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
    walk.end()


def _to_file(path: pathlib.Path) -> None:
    path.write_bytes(b"x")


def _to_lost_link(path: pathlib.Path) -> None:
    path.symlink_to("/mnt/none/of/it")


_MISPLACED: tuple[dict[str, collections.abc.Callable[[pathlib.Path], None]], ...] = (
    {
        "logs": _to_lost_link,
        "live": _to_file,
        "pairs": _to_lost_link,
        "challenges": _to_file,
        "run/nginx.pid": pathlib.Path.mkdir,
        "run/bans": _to_lost_link,
        "run/hold.sock": pathlib.Path.mkdir,
        "store/history/daemun.yaml": os.mkfifo,
        "store/accounts/key.pem": os.mkfifo,
    },
    {
        "nginx": _to_file,
        "run": _to_file,
        "live": _to_lost_link,
        "pairs": _to_file,
        "logs/error.log": pathlib.Path.mkdir,
        "logs/access.log": os.mkfifo,
    },
    {"store": _to_file, "run": _to_lost_link},
)


def _is_told(daemon: Daemon, text: str) -> bool:
    return text in daemon.cli("status").stdout


def test_what_stands_in_the_place_of_another_kind_is_set_aside(daemon: Daemon) -> None:
    """B1: nothing of what is served was damaged, and nothing was served. It is told as long as it lies there."""
    daemon.write("sites:\n" + signpost("a.test", "a"))
    daemon.start()
    daemon.wait_sign("a.test", "a")
    assert daemon.terminate() == 0
    for faults in _MISPLACED:
        for name, make in faults.items():
            path = daemon.state / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            make(path)
        daemon.start()
        daemon.wait_sign("a.test", "a")
        moved = [f"{daemon.state / name}.damaged-1" for name in faults if not name.startswith("store/")]
        for text in moved:
            daemon.wait(functools.partial(_is_told, daemon, text), f"{text} to be told")
        assert daemon.cli("status").returncode == 3
        for one in map(pathlib.Path, moved):
            assert os.path.lexists(one)
            if one.is_dir() and not one.is_symlink():
                one.rmdir()
            else:
                one.unlink()
        daemon.wait(lambda: ".damaged-1" not in daemon.cli("status").stdout, "the report to end")
        assert daemon.terminate() == 0


def test_folders_of_the_store_that_are_files(daemon: Daemon) -> None:
    """B2: it was "a defect in daemun", and every site was down for it."""
    daemon.write("sites:\n" + signpost("a.test", "a"))
    daemon.start()
    daemon.wait_sign("a.test", "a")
    assert daemon.terminate() == 0
    store = daemon.state / "store"
    names = ("accounts", "ca", "certs", "discovery", "history")
    for name in names:
        shutil.rmtree(store / name, ignore_errors=True)
        (store / name).write_text("x")
    daemon.start()
    daemon.wait_sign("a.test", "a")
    for name in names:
        text = f"{store / f'~{name}.damaged-1'}"
        daemon.wait(functools.partial(_is_told, daemon, text), f"{text} to be told")
        pathlib.Path(text).unlink()
    daemon.wait(lambda: ".damaged-1" not in daemon.cli("status").stdout, "the report to end")
    assert "Traceback" not in daemon.log_file.read_text()
    assert daemon.terminate() == 0
