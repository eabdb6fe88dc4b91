"""Debian's newest packages of a program, nginx above all, and of the libraries that it needs, fetched and verified by
apt.

apt works in folders of its own, with settings of its own: the system's lists, packages and hooks are not touched, and
no right is needed. Of the system's settings only those for the network are taken over (proxies and the like).
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

from daemun import causes, errors

SUITES = ("sid", "testing")
"""The newest first; another one is only used when the one before it cannot be."""

NGINX = "nginx"
MODULES = (
    "libnginx-mod-stream",
    "libnginx-mod-http-geoip2",
    "libnginx-mod-http-brotli-filter",
    "libnginx-mod-http-brotli-static",
)
KEYRINGS = tuple(f"/usr/share/keyrings/debian-archive-keyring.{end}" for end in ("pgp", "gpg"))

_LIBRARY = re.compile(r"lib\S+|zlib1g")
_LEFT_OUT = frozenset({"libc-gconv-modules-extra"})
"""Conversions of character sets, which nginx does without."""
_NETWORK = re.compile(r'Acquire::(?:https?|ForceIPv[46])(?:::\S+)? "[^"]+";')
_TIMEOUT_S = 600.0
_EXPIRED = "is expired"
_MESSAGES = ("E:", "W: GPG error")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """version: of the program's package, "1.30.6-2". files: it and all that it needs. suite: Debian's."""

    version: str
    files: tuple[pathlib.Path, ...]
    suite: str


def fetch(
    folder: pathlib.Path,
    *,
    mirror: str | None,
    suites: tuple[str, ...],
    accept_expired: bool,
    program: str = NGINX,
    modules: tuple[str, ...] = MODULES,
) -> Fetched:
    """Fetch into a new folder. Blocking, seconds. mirror: None: the one that the system uses.

    program: its package. modules: further packages, where they fit it.
    accept_expired: also believe a list of packages whose last valid day has passed.
    Raises: EnvironmentProblemError with apt's words.
    """
    keyring = _find_keyring()
    for needed in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(needed) is None:
            raise errors.EnvironmentProblemError(
                f"cannot fetch Debian's nginx: there is no {needed}, for this is neither Debian nor Ubuntu; give "
                "packages with --from FILE.deb"
            )
    uri = mirror or find_mirror()
    refusals = []
    for suite in suites:
        apt = _Apt(folder / suite, accept_expired=accept_expired)
        try:
            apt.prepare(f"deb [signed-by={keyring}] {uri} {suite} main\n")
            apt.run("apt-get", "update")
            return _download(apt, suite, program, modules)
        except errors.EnvironmentProblemError as error:
            refusals.append(f"{suite}: {error}")
    cure = (
        "look at the network and the mirror, name another one with --mirror URL, or give packages with --from FILE.deb"
    )
    if all(_EXPIRED in refusal for refusal in refusals):
        cure = (
            "fixes may be missing there: name a mirror that is kept up to date with --mirror URL, or take this one all "
            "the same with --accept-expired"
        )
    raise errors.EnvironmentProblemError(f"cannot fetch {program} from {uri}: {'; '.join(refusals)}; {cure}")


def read_version(package: pathlib.Path) -> str | None:
    """The version of a package file, without its epoch; None: it is not nginx itself.

    Raises: EnvironmentProblemError.
    """
    fields = run(["dpkg-deb", "--field", str(package), "Package", "Version"])
    found = dict(line.split(": ", 1) for line in fields.splitlines() if ": " in line)
    return found["Version"].rpartition(":")[2] if found.get("Package") == NGINX else None


def run(command: list[str], *, environment: dict[str, str] | None = None, folder: pathlib.Path | None = None) -> str:
    """Run a program of Debian's. Returns: what it printed. Raises: EnvironmentProblemError with its words."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **(environment or {})},
            cwd=folder,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise errors.EnvironmentProblemError(f"{command[0]}: {causes.describe(error)}") from error
    except subprocess.TimeoutExpired as error:
        raise errors.EnvironmentProblemError(f"{command[0]} did not end within {_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        messages = [line.partition(":")[2].strip() for line in lines if line.startswith(_MESSAGES)] or lines[:1]
        words = (
            " ".join(line.removeprefix(f"{command[0]}: error: ") for line in dict.fromkeys(messages))
            or f"it ended with {done.returncode}"
        )
        raise errors.EnvironmentProblemError(f"{pathlib.Path(command[0]).name}: {words.rstrip('.')}")
    return done.stdout


class _Apt:
    def __init__(self, folder: pathlib.Path, *, accept_expired: bool) -> None:
        self.folder = folder
        self._settings = folder / "apt.conf"
        self._accept_expired = accept_expired

    def prepare(self, source: str) -> None:
        root = self.folder
        for name in ("etc/none.d", "lists/partial", "cache/archives/partial", "packages"):
            (root / name).mkdir(parents=True)
        (root / "etc/sources.list").write_text(source, encoding="utf-8")
        (root / "status").touch()
        nothing = ("main", "preferences", "trusted", "netrc")
        settings = [
            *_find_network_settings(),
            f'Dir::Etc "{root}/etc";',
            'Dir::Etc::sourcelist "sources.list";',
            *(f'Dir::Etc::{name} "none";' for name in nothing),
            *(
                f'Dir::Etc::{name} "none.d";'
                for name in ("parts", "sourceparts", *(f"{one}parts" for one in nothing[1:]))
            ),
            f'Dir::State "{root}"; Dir::State::lists "{root}/lists"; Dir::State::status "{root}/status";',
            f'Dir::Cache "{root}/cache"; Dir::Log "{root}";',
            'APT::Sandbox::User "root"; Acquire::Languages "none";',
            'Acquire::Retries "1"; Acquire::http::Timeout "20"; Acquire::https::Timeout "20";',
            'Acquire::AllowInsecureRepositories "false"; Acquire::AllowWeakRepositories "false";',
            'Acquire::AllowDowngradeToInsecureRepositories "false"; APT::Get::AllowUnauthenticated "false";',
            f'Acquire::Check-Valid-Until "{str(not self._accept_expired).lower()}";',
        ]
        self._settings.write_text("\n".join(settings) + "\n", encoding="utf-8")

    def run(self, *command: str, folder: pathlib.Path | None = None) -> str:
        return run([*command], environment={"APT_CONFIG": str(self._settings)}, folder=folder)

    def show(self, *packages: str) -> dict[str, dict[str, str]]:
        """The fields of packages, by name; those that are not there are left out."""
        try:
            printed = self.run("apt-cache", "show", "--no-all-versions", *packages)
        except errors.EnvironmentProblemError:
            return (
                {} if len(packages) == 1 else {name: one for each in packages for name, one in self.show(each).items()}
            )
        found = {}
        for paragraph in printed.strip().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if re.match(r"[A-Za-z-]+: ", line))
            if "Package" in fields:
                found[fields["Package"]] = fields
        return found


def _download(apt: _Apt, suite: str, program: str, modules: tuple[str, ...]) -> Fetched:
    found = apt.show(program, *modules)
    if program not in found:
        raise errors.EnvironmentProblemError(f"it has no {program}")
    offered = {one.split()[0] for one in found[program].get("Provides", "").split(", ") if one}
    chosen = {
        name: fields
        for name, fields in found.items()
        # Modules fit one binary interface, which is a package that only exists by name.
        if all(one in offered for one in _names(fields) if one.startswith("nginx-abi-"))
    }
    new = chosen
    while new:
        wanted = {one for fields in new.values() for one in _names(fields) if _LIBRARY.fullmatch(one)}
        wanted -= {one for one in wanted if one in chosen or one in _LEFT_OUT or one.startswith("libnginx-mod-")}
        new = apt.show(*sorted(wanted)) if wanted else {}
        chosen = {**chosen, **new}
    place = apt.folder / "packages"
    apt.run("apt-get", "download", *sorted(chosen), folder=place)
    return Fetched(
        version=found[program]["Version"].rpartition(":")[2], files=tuple(sorted(place.glob("*.deb"))), suite=suite
    )


def _names(fields: dict[str, str]) -> list[str]:
    """What a package depends on, by name; of alternatives the first. Source: Debian Policy 7.1."""
    wanted = f"{fields.get('Pre-Depends', '')}, {fields.get('Depends', '')}"
    return [re.split(r"[\s(:|]", one.strip(), maxsplit=1)[0] for one in wanted.split(",") if one.strip()]


def _find_keyring() -> str:
    for path in KEYRINGS:
        if os.path.exists(path):  # noqa: PTH110
            return path
    raise errors.EnvironmentProblemError(
        f"cannot verify Debian's packages: there is no {KEYRINGS[-1]}; install it (`apt install "
        "debian-archive-keyring`), or give packages with --from FILE.deb"
    )


def find_mirror() -> str:
    """The mirror of Debian that the system's own apt uses. Raises: EnvironmentProblemError when it has none."""
    printed = run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Identifier: Packages"])
    found = choose_mirror(printed)
    if found is None:
        raise errors.EnvironmentProblemError(
            "cannot fetch Debian's nginx: this system's apt uses no mirror of Debian; name one with --mirror URL, or "
            "give packages with --from FILE.deb"
        )
    return found


def choose_mirror(targets: str) -> str | None:
    """From lines of "ORIGIN|LABEL|URI", of which the first two are empty before apt's first update. Pure."""
    found = [line.split("|", 2) for line in targets.splitlines() if line.count("|") >= 2]
    usable = [(origin, label, uri.rstrip("/")) for origin, label, uri in found if re.fullmatch(r"https?://\S+", uri)]
    named = [uri for origin, label, uri in usable if origin == label == "Debian"]
    return next(iter([*named, *(uri for *_, uri in usable if uri.endswith("/debian"))]), None)


def is_for_network(line: str) -> bool:
    """Whether a line of `apt-config dump` sets something for the network. Pure."""
    return _NETWORK.fullmatch(line) is not None


def _find_network_settings() -> list[str]:
    try:
        return [line for line in run(["apt-config", "dump"]).splitlines() if is_for_network(line)]
    except errors.EnvironmentProblemError:
        return []
