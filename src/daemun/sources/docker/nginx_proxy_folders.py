"""What was found in the folders that people mount into nginx-proxy, and which file is for what. Pure.

`nginx_proxy_reader` reads them: certificates, passwords, and nginx written by hand.
"""

import dataclasses
import hashlib
import re

from daemun.core import directive, model
from daemun.core.texts import names, words
from daemun.sources.docker import nginx_proxy_values as parse

ROOT = "/etc/nginx"
INTERNAL = "network_internal.conf"
FOLDERS = ("certs", "conf.d", "htpasswd", "toplevel.conf.d", "vhost.d")

_FILE = re.compile(
    r"(?P<host>.+?)(?P<rest>(?:_[0-9a-f]{40})?(?:_location(?:_override)?)?(?:\.ca\.crt|\.crl\.pem)?)", re.DOTALL
)
_CHALLENGE = "/.well-known/acme-challenge/"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NginxProxyCertificate:
    """names: what it was issued for; None when the file cannot be read as a certificate. has_key: its key is there.

    is_companions: acme-companion ordered it, and renews it no more.
    """

    path: str
    key: str
    has_key: bool
    names: tuple[str, ...] | None
    is_companions: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The contents of nginx-proxy's mounted folders.

    certificates: by the file's name without ".crt".
    trusted: files with CAs and revocation lists for clients, and the digest of each; None: it cannot be read as such.
    vhosts: vhost.d; None: it cannot be parsed. passwords: htpasswd.
    These three are by the name that `normal_name` makes of the file's; spelled: where the two differ, the file's own.
    can_be_read: whether all that may be there for them was found.
    http: conf.d and proxy.conf. internal: network_internal.conf; None: there is none. page: of errors of the fallback.
    web_root: where other ACME clients put files.
    """

    root: str = ROOT
    certificates: tuple[tuple[str, NginxProxyCertificate], ...] = ()
    trusted: tuple[tuple[str, str | None], ...] = ()
    vhosts: tuple[tuple[str, model.Snippet | None], ...] = ()
    passwords: frozenset[str] = frozenset()
    spelled: tuple[tuple[str, str], ...] = ()
    can_be_read: bool = True
    http: tuple[model.SnippetFile, ...] = ()
    internal: model.Snippet | None = None
    page: str | None = None
    web_root: str | None = None
    problems: tuple[model.Problem, ...] = ()

    def certificate(self, name: str) -> NginxProxyCertificate | None:
        """None: it is not there, or its key is not."""
        found = dict(self.certificates).get(name)
        return found if found is not None and found.has_key else None

    def vhost(self, *file_names: str) -> tuple[bool, model.Snippet]:
        """The first file that exists. Returns: whether it could be parsed, and it."""
        known = dict(self.vhosts)
        for name in file_names:
            if name in known:
                snippet = known[name]
                return self.can_be_read and snippet is not None, snippet or ()
        return self.can_be_read, ()

    def has_vhost(self, file_name: str) -> bool:
        return any(name == file_name for name, _ in self.vhosts)

    def path(self, folder: str, name: str) -> str:
        """Where a file is that is called so, but for its spelling."""
        key = f"{folder}/{name}"
        return f"{self.root}/{dict(self.spelled).get(key, key)}"


def file_name(host: str) -> str:
    """How files are called that are for a host."""
    return sha1(host) if host.startswith("~") else host


def normal_name(name: str) -> str:
    """A file's name with its host in the form of `model.Site.host`, however its owner spells that."""
    found = _FILE.fullmatch(name)
    if found is None:
        return name
    try:
        return f"{parse.host(found['host'])}{found['rest']}"
    except ValueError:
        return name


def digests(path: str, written: tuple[str, ...]) -> tuple[str, ...]:
    """What files for a path may be called after. nginx-proxy takes the digest of the variable's raw value, to which
    nginx is indifferent where it has white space: written: the raw values. path: as `model.Route.path`."""
    spellings = dict.fromkeys((*written, *(one.strip() for one in written), path))
    return tuple(dict.fromkeys(sha1(one) for one in spellings))


def sha1(text: str) -> str:
    """Only a name: nginx-proxy's users have files that are called so."""
    return hashlib.sha1(text.encode(errors="replace"), usedforsecurity=False).hexdigest()


# --- choosing --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCertificate:
    """certificate: None: there is none for the host. note: what deserves a look."""

    certificate: NginxProxyCertificate | None = None
    note: str | None = None


def choose_certificate(folders: Folders, host: str, *, named: str | None, trusts_default: bool) -> ChosenCertificate:
    """CERT_NAME, else the host's own, else that of the domain above if it is for the host, else the default one."""
    if named is not None:
        found = folders.certificate(named)
        if found is not None:
            return ChosenCertificate(certificate=found)
        missing = f"CERT_NAME: {words.quoted(f'{named}.crt')} and its key are not both in {folders.root}/certs"
        return ChosenCertificate(note=missing)
    own = folders.certificate(file_name(host))
    if own is not None:
        return ChosenCertificate(certificate=own)
    note = None
    if "." in host and not names.is_pattern(host) and host.count(".") >= 2 and names.address_of(host) is None:
        above = host.partition(".")[2]
        parent = folders.certificate(above)
        if parent is not None and _covers(parent, host):
            return ChosenCertificate(certificate=parent)
        if parent is not None:
            note = f"{words.quoted(f'{above}.crt')} is not used, because it is not for {words.quoted(host)}"
    default = folders.certificate("default") if trusts_default else None
    return ChosenCertificate(certificate=default, note=note)


def _covers(certificate: NginxProxyCertificate, host: str) -> bool:
    if certificate.names is None:
        return False
    above = host.partition(".")[2]
    return any(name.lower() in {host, f"*.{above}"} for name in certificate.names)


def choose_clients(folders: Folders, host: str, mode: str) -> tuple[bool, model.ClientVerification | None]:
    """Which certificates clients must show: the host's CA, else the one for all; mode: "on", "optional" or "off".

    Returns: whether the files can be used, and them.
    """
    if mode == "off":
        return True, None
    known = dict(folders.trusted)
    for stem, revoked in ((f"{file_name(host)}.ca.crt", f"{file_name(host)}.crl.pem"), ("ca.crt", "ca.crl.pem")):
        if stem not in known:
            continue
        digests_ = [known[name] for name in (stem, revoked) if name in known]
        if None in digests_:
            return False, None
        return True, model.ClientVerification(
            ca_file=folders.path("certs", stem),
            crl_file=folders.path("certs", revoked) if revoked in known else None,
            digest=" ".join(filter(None, digests_)),
            is_optional=mode == "optional",
        )
    return True, None


def find_server(folders: Folders, host: str, *, answers_challenge: bool) -> tuple[bool, model.Snippet]:
    """What an owner wrote for a host, without what nginx would refuse beside daemun's own location for the challenge.

    Returns: whether the file could be parsed; the nginx.
    """
    is_good, snippet = folders.vhost(file_name(host), "default")
    return is_good, tuple(node for node in snippet if not (answers_challenge and is_challenge(node)))


def is_challenge(node: directive.Node) -> bool:
    """Whether it is a location for the ACME challenge, as acme-companion writes one into the files of hosts."""
    return (
        isinstance(node, directive.Directive)
        and node.name == "location"
        and [arg.value for arg in node.args] in ([_CHALLENGE], ["^~", _CHALLENGE])
    )


def find_location(
    folders: Folders, host: str, path: str, *, written: tuple[str, ...] = ()
) -> tuple[bool, bool, model.Snippet]:
    """What an owner wrote for a location. written: how containers spell its path.

    Returns: whether the file could be parsed; whether it stands instead of the location; the nginx, passwords first.
    """
    name = file_name(host)
    of_path = [f"{name}_{digest}" for digest in digests(path, written)]
    overrides = [f"{one}_location_override" for one in (*of_path, *([name] if path == "/" else []))]
    if any(folders.has_vhost(one) for one in overrides):
        is_good, snippet = folders.vhost(*overrides)
        return is_good, True, snippet
    is_good, snippet = folders.vhost(*(f"{one}_location" for one in (*of_path, name, "default")))
    return is_good, False, (*_passwords(folders, host, path, of_path), *snippet)


def _passwords(folders: Folders, host: str, path: str, of_path: list[str]) -> model.Snippet:
    name = file_name(host)
    of_host = "access" if name != host else name
    for file, realm in (*((one, f"{name}{path}") for one in of_path), (name, of_host)):
        if file in folders.passwords:
            return (
                directive.Directive("auth_basic", (directive.Expr(f"Restricted {_plain(realm)}"),)),
                directive.Directive("auth_basic_user_file", (directive.Expr(folders.path("htpasswd", file)),)),
            )
    return ()


def _plain(text: str) -> str:
    """Without what a quoted string of a header or a variable is made of."""
    return "".join(char for char in text if char.isprintable() and char not in '"\\$')
