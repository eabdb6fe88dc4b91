"""What is known of an nginx binary from running it with -V, as values. Pure."""

import dataclasses
import enum
import re

_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_MODULE = re.compile(
    r"--(?:with-(?P<own>(?:http|stream|mail)[a-z0-9_]*?)(?:_module)?(?:=dynamic)?|add-(?:dynamic-)?module=(?P<added>.+))"
)
_OPENSSL = re.compile(r"^built with OpenSSL (?P<built>\S+).*?(?:\(running with OpenSSL (?P<running>[^\s)]+).*)?$", re.M)


GLIBC = "glibc"


class BuildOrigin(enum.Enum):
    """Where a binary comes from. REPLACED: it serves, and its file was deleted or replaced meanwhile."""

    SYSTEM = "system"
    INSTALLED = "installed"
    BUNDLED = "bundled"
    NAMED = "named"
    REPLACED = "replaced"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """version: (1, 31, 3). arguments: configure's. libc: "glibc" or "musl or static".

    openssl: the version that it runs with, "3.6.5"; None: it has another library.
    patched: the CVEs that the changelog of its distribution's package names: they are mended there without a new
    version. None: it is no distribution's package.
    """

    path: str
    version: tuple[int, ...]
    arguments: frozenset[str]
    openssl: str | None
    libc: str
    patched: frozenset[str] | None = None

    @property
    def text(self) -> str:
        return ".".join(map(str, self.version))

    def has(self, module: str) -> bool:
        """Whether a module that is not built by default was: "http_v3", "mail", "stream_ssl_preread"."""
        names = (f"--with-{module}_module", f"--with-{module}")
        return any(name in self.arguments or f"{name}=dynamic" in self.arguments for name in names)

    def lacks(self, module: str) -> bool:
        """Whether a module that is built by default was left out: "http_ssi"."""
        return bool(self.arguments & {f"--without-{module}_module", f"--without-{module}"})

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that configure's arguments name: "http_v3", "stream", "njs-0.9.9/nginx"."""
        matches = (_MODULE.fullmatch(argument) for argument in self.arguments)
        return tuple(sorted({match["own"] or match["added"] for match in matches if match is not None}))


def parse_openssl(printed: str) -> str | None:
    """The version of the OpenSSL that a binary runs with, from what `nginx -V` prints."""
    match = _OPENSSL.search(printed)
    return (match["running"] or match["built"]) if match is not None else None


def find_patched(changelog: str, version: str) -> frozenset[str] | None:
    """The CVEs that a Debian changelog names. None: it is another version's. version: nginx's, "1.30.6".

    Source: deb-changelog(5): the first line is "PACKAGE (VERSION) SUITE; urgency=..."."""
    first = re.match(r"\S+ \((?:\d+:)?(?P<version>[^)]+)\)", changelog.lstrip())
    if first is None or not re.match(rf"{re.escape(version)}(?![\d.])", first["version"]):
        return None
    return frozenset(_CVE.findall(changelog))
