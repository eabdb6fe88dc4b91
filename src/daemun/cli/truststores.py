"""Where this machine's programs look for the CAs they trust, and the commands that change it.

`plan_steps` is pure; `find_machine` looks, `run_step` acts. Certificates are distinguished by their fingerprint, so
that two state directories (the demo's and the real one) never replace each other's root.
Sources: update-ca-certificates(8), trust(1), certutil(1); the folders of browsers as Firefox's and Chromium's
packages (deb, rpm, snap, flatpak) make them.
"""

import collections.abc
import dataclasses
import hashlib
import os
import pathlib
import pwd
import shlex
import shutil
import ssl
import subprocess

from daemun import errors

DEBIAN_FOLDER = "/usr/local/share/ca-certificates"
BROWSERS = (
    ".pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
    ".mozilla/firefox/*",
    ".config/mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
)
TIMEOUT_S = 120.0
_ROOTS_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
ABSENT = "could not find certificate named"
"""certutil -D about what is not there, which is what was wanted."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The local CA's root certificate. fingerprint: SHA-256 of its DER form, lower-case hexadecimal."""

    path: str
    pem: bytes
    fingerprint: str

    @property
    def name(self) -> str:
        return f"daemun-{self.fingerprint[:12]}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundStores:
    """What there is to change.

    has_update_ca: Debian's way. has_trust: p11-kit's (Fedora, Arch, openSUSE). certutil: its path.
    databases: NSS folders of the user's browsers. user: whose they are; None: the one who runs this.
    """

    is_root: bool
    has_update_ca: bool = False
    has_trust: bool = False
    certutil: str | None = None
    databases: tuple[str, ...] = ()
    user: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrustStep:
    """One command. what: for people ("the system's store"). reads_root: it reads the certificate on standard input."""

    what: str
    argv: tuple[str, ...]
    needs_root: bool = False
    user: str | None = None
    reads_root: bool = False

    def __str__(self) -> str:
        return shlex.join(self.argv)


def read_root(path: pathlib.Path) -> Root:
    """Raises: EnvironmentProblemError when there is none yet, or it cannot be read."""
    try:
        pem = path.read_bytes()
        der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
    except FileNotFoundError as error:
        raise errors.EnvironmentProblemError(
            f"cannot trust the local CA: it is not made yet (no {path}); the first `daemun up` makes it"
        ) from error
    except (OSError, ValueError) as error:
        raise errors.EnvironmentProblemError(f"cannot read the local CA's root {path}: {error}") from error
    return Root(path=str(path), pem=pem, fingerprint=hashlib.sha256(der).hexdigest())


def _find(program: str) -> str | None:
    """Also in the folders of root's programs, which are not on the PATH of Debian's users."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *_ROOTS_FOLDERS]))


def find_machine(environ: collections.abc.Mapping[str, str]) -> FoundStores:
    """Look for the stores of the machine, and for the browsers of the user, who may have come here by sudo."""
    is_root = os.geteuid() == 0
    user = (environ.get("SUDO_USER") or None) if is_root else None
    try:
        home = pathlib.Path(pwd.getpwnam(user).pw_dir) if user else pathlib.Path.home()
    except KeyError:
        user, home = None, pathlib.Path.home()
    return FoundStores(
        is_root=is_root,
        has_update_ca=_find("update-ca-certificates") is not None,
        has_trust=_find("trust") is not None,
        certutil=_find("certutil"),
        databases=tuple(str(folder) for folder in find_databases(home)),
        user=user,
    )


def find_databases(home: pathlib.Path) -> list[pathlib.Path]:
    """The NSS databases of the browsers under a home directory. Only those that exist: a browser makes its own."""
    found = {file.parent for pattern in BROWSERS for file in home.glob(f"{pattern}/cert9.db")}
    return sorted(found)


def plan_steps(machine: FoundStores, root: Root, *, uninstall: bool) -> tuple[TrustStep, ...]:
    """The commands that make this machine trust the root, or no longer. Pure."""
    return (*_system_steps(machine, root, uninstall=uninstall), *_browser_steps(machine, root, uninstall=uninstall))


def run_step(step: TrustStep, root: Root) -> str | None:
    """Returns: None when it went well, else what the command printed."""
    try:
        done = subprocess.run(
            list(step.argv),
            input=root.pem if step.reads_root else b"",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=step.user,
            group=None if step.user is None else pwd.getpwnam(step.user).pw_gid,
            extra_groups=None if step.user is None else (),
            cwd="/",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    printed = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode == 0 or ("-D" in step.argv and ABSENT in printed):
        return None
    return printed or f"exit code {done.returncode}"


def _system_steps(machine: FoundStores, root: Root, *, uninstall: bool) -> tuple[TrustStep, ...]:
    what = "the system's store"
    if machine.has_update_ca:
        file = f"{DEBIAN_FOLDER}/{root.name}.crt"
        change = ("rm", "-f", file) if uninstall else ("install", "-D", "-m", "644", root.path, file)
        update = ("update-ca-certificates", *(["--fresh"] if uninstall else []))
        return (
            TrustStep(what=what, argv=change, needs_root=True),
            TrustStep(what=what, argv=update, needs_root=True),
        )
    if machine.has_trust:
        option = "--remove" if uninstall else "--store"
        return (TrustStep(what=what, argv=("trust", "anchor", option, root.path), needs_root=True),)
    return ()


def _browser_steps(machine: FoundStores, root: Root, *, uninstall: bool) -> tuple[TrustStep, ...]:
    """Browsers on Linux do not read the system's store, or not in each distribution."""
    if machine.certutil is None:
        return ()
    change = ("-D",) if uninstall else ("-A", "-t", "C,,")
    return tuple(
        TrustStep(
            what=f"the browser's store in {folder}",
            argv=(machine.certutil, *change, "-n", root.name, "-d", f"sql:{folder}"),
            user=machine.user,
            reads_root=not uninstall,
        )
        for folder in machine.databases
    )
