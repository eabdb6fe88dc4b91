"""The folders that people mount into nginx-proxy: certificates, passwords, and nginx written by hand.

Reading them (`Reader`) touches the disk; what was found is a plain value. Whoever can write there owns the gate, so
hand-written nginx is taken from there, parsed and placed where it belongs; one that nginx refuses quarantines its site
alone.
"""

import collections.abc
import dataclasses
import hashlib
import pathlib

from cryptography import x509

from daemun.core import directive, model, names, rules, words
from daemun.sources import nginx_snippet

ROOT = "/etc/nginx"
HTML = "/usr/share/nginx/html"
FOLDERS = ("certs", "conf.d", "htpasswd", "toplevel.conf.d", "vhost.d")
NETWORKS = ("127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "fc00::/7")
"""Whose clients are internal, unless network_internal.conf says otherwise."""

_GENERATED = frozenset({"default.conf"})
"""In conf.d: there nginx's packages put their example, and nginx-proxy what it made itself."""
_MAX_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
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
    """What was found.

    certificates: by the file's name without ".crt".
    trusted: names of the files with CAs and revocation lists for clients; whether each can be read as such.
    vhosts: vhost.d, by the file's name; None: it cannot be parsed. passwords: htpasswd, names of its files.
    http: conf.d and proxy.conf. internal: networks of internal clients. page: of errors of the fallback.
    """

    root: str = ROOT
    certificates: tuple[tuple[str, Certificate], ...] = ()
    trusted: tuple[tuple[str, bool], ...] = ()
    vhosts: tuple[tuple[str, model.Snippet | None], ...] = ()
    passwords: frozenset[str] = frozenset()
    http: model.Snippet = ()
    internal: tuple[str, ...] = NETWORKS
    page: str | None = None
    problems: tuple[model.Problem, ...] = ()

    def certificate(self, name: str) -> Certificate | None:
        """None: it is not there, or its key is not."""
        found = dict(self.certificates).get(name)
        return found if found is not None and found.has_key else None

    def vhost(self, *file_names: str) -> tuple[bool, model.Snippet]:
        """The first file that exists. Returns: whether it could be parsed, and it."""
        known = dict(self.vhosts)
        for name in file_names:
            if name in known:
                snippet = known[name]
                return snippet is not None, snippet or ()
        return True, ()

    def has_vhost(self, file_name: str) -> bool:
        return any(name == file_name for name, _ in self.vhosts)


def file_name(host: str) -> str:
    """How files are called that are for a host."""
    return sha1(host) if host.startswith("~") else host


def sha1(text: str) -> str:
    """Only a name: nginx-proxy's users have files that are called so."""
    return hashlib.sha1(text.encode(errors="replace"), usedforsecurity=False).hexdigest()


# --- reading ---------------------------------------------------------------------------------------------------


class Reader:
    """Reads the folders again and again. A file of hand-written nginx that breaks keeps what it said before.

    root: where nginx-proxy has its folders. html: where its pages are.
    """

    def __init__(self, root: str = ROOT, html: str = HTML) -> None:
        self._root = pathlib.Path(root)
        self._html = pathlib.Path(html)
        self._good: dict[pathlib.Path, model.Snippet] = {}
        self._problems: list[model.Problem] = []

    def read(self) -> Folders:
        """Blocking, milliseconds. What cannot be read is a problem, never an exception."""
        self._problems = []
        vhosts = {path.name: self._parse(path) for path in list_files(self._root / "vhost.d")}
        page = self._html / "errors" / "50x.html"
        return Folders(
            root=str(self._root),
            certificates=tuple(self._certificates()),
            trusted=tuple(self._trusted()),
            vhosts=tuple(vhosts.items()),
            passwords=frozenset(path.name for path in list_files(self._root / "htpasswd")),
            http=self._http(),
            internal=self._internal(),
            page=str(page) if page.is_file() else None,
            problems=(*self._problems, *self._unsupported()),
        )

    def _certificates(self) -> collections.abc.Iterator[tuple[str, Certificate]]:
        for path in list_files(self._root / "certs"):
            if path.suffix != ".crt" or path.name.endswith("ca.crt"):
                continue
            key = path.with_suffix(".key")
            yield (
                path.stem,
                Certificate(
                    path=str(path),
                    key=str(key),
                    has_key=key.is_file(),
                    names=_names_in(path),
                    is_companions=(path.resolve().parent / ".companion").exists(),
                ),
            )

    def _trusted(self) -> collections.abc.Iterator[tuple[str, bool]]:
        """nginx reads them when it starts, and one that it cannot read would stop every change."""
        for path in list_files(self._root / "certs"):
            if not path.name.endswith(("ca.crt", "crl.pem")):
                continue
            is_good = _is_trust(path)
            if not is_good:
                self._tell(path, "expected PEM with certificates, or a revocation list", what="the file")
            yield path.name, is_good

    def _http(self) -> model.Snippet:
        paths = [path for path in list_files(self._root / "conf.d") if path.suffix == ".conf"]
        paths = [path for path in paths if path.name not in _GENERATED]
        headers = self._root / "proxy.conf"
        nodes: list[directive.Node] = []
        for path in [*paths, *([headers] if headers.is_file() else [])]:
            snippet = self._parse(path)
            if snippet:
                nodes += [directive.Comment(str(path)), *snippet]
        return tuple(nodes)

    def _internal(self) -> tuple[str, ...]:
        """`allow` lines; whatever else such a file says, others are refused."""
        path = self._root / "network_internal.conf"
        snippet = self._parse(path) if path.is_file() else None
        if snippet is None:
            return NETWORKS
        lines = [node for node in snippet if isinstance(node, directive.Directive)]
        allowed = [node.args[0].value for node in lines if node.name == "allow" and len(node.args) == 1]
        bad = [node.name for node in lines if node.name not in {"allow", "deny"}]
        bad += [network for network in allowed if rules.check_network(network) is not None]
        if bad or not allowed:
            self._tell(
                path, f"expected `allow NETWORK;` lines, found {words.quoted(bad[0] if bad else '')}", is_error=False
            )
            return NETWORKS
        return tuple(allowed)

    def _parse(self, path: pathlib.Path) -> model.Snippet | None:
        """None: it never could be parsed."""
        try:
            text = _read_text(path)
            self._good[path] = nginx_snippet.parse_snippet(text)
        except nginx_snippet.SnippetError as error:
            self._tell(path, f"line {error.line}: {error}")
        except (OSError, ValueError) as error:
            self._tell(path, str(getattr(error, "strerror", None) or error).lower())
        return self._good.get(path)

    def _tell(
        self, path: pathlib.Path, cause: str, *, is_error: bool = True, what: str = "the hand-written nginx"
    ) -> None:
        origin = model.Origin(source="docker", place=str(path))
        severity = model.Severity.ERROR if is_error else model.Severity.WARNING
        kept = "; what it said before is still used" if path in self._good else ""
        message = f"cannot use {what}: {cause}{kept}"
        self._problems.append(model.Problem(origin=origin, message=message, severity=severity))

    def _unsupported(self) -> collections.abc.Iterator[model.Problem]:
        found = [*list_files(self._root / "toplevel.conf.d")]
        found += [
            path for path in list_files(self._root / "certs") if path.name.endswith((".dhparam.pem", ".chain.pem"))
        ]
        for path in found:
            cause = "DHE parameters and OCSP stapling are not taken from files"
            if path.parent.name == "toplevel.conf.d":
                cause = "TCP and UDP streams are not supported"
            yield model.Problem(
                origin=model.Origin(source="docker", place=str(path)),
                message=f"the file is not used: {cause}",
                severity=model.Severity.WARNING,
            )


def list_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Its files, sorted; none when there is no such folder."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:
        return []


def _read_text(path: pathlib.Path) -> str:
    """Raises: OSError, ValueError."""
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
    return content.decode()


def _is_trust(path: pathlib.Path) -> bool:
    try:
        content = path.read_bytes()
        if path.name.endswith("crl.pem"):
            x509.load_pem_x509_crl(content)
        else:
            x509.load_pem_x509_certificates(content)
    except (OSError, ValueError):
        return False
    return True


def _names_in(path: pathlib.Path) -> tuple[str, ...] | None:
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except (OSError, ValueError, IndexError):
        return None
    addresses = extension.get_values_for_type(x509.IPAddress)
    return (*extension.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))


# --- choosing --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """certificate: None: there is none for the host. note: what deserves a look."""

    certificate: Certificate | None = None
    note: str | None = None


def choose_certificate(folders: Folders, host: str, *, named: str | None, trusts_default: bool) -> Chosen:
    """CERT_NAME, else the host's own, else that of the domain above if it is for the host, else the default one."""
    if named is not None:
        found = folders.certificate(named)
        if found is not None:
            return Chosen(certificate=found)
        missing = f"CERT_NAME: {words.quoted(f'{named}.crt')} and its key are not both in {folders.root}/certs"
        return Chosen(note=missing)
    own = folders.certificate(file_name(host))
    if own is not None:
        return Chosen(certificate=own)
    note = None
    if "." in host and not names.is_pattern(host) and host.count(".") >= 2 and names.address_of(host) is None:
        above = host.partition(".")[2]
        parent = folders.certificate(above)
        if parent is not None and _covers(parent, host):
            return Chosen(certificate=parent)
        if parent is not None:
            note = f"{words.quoted(f'{above}.crt')} is not used, because it is not for {words.quoted(host)}"
    default = folders.certificate("default") if trusts_default else None
    return Chosen(certificate=default, note=note)


def _covers(certificate: Certificate, host: str) -> bool:
    if certificate.names is None:
        return False
    above = host.partition(".")[2]
    return any(name.lower() in {host, f"*.{above}"} for name in certificate.names)


def choose_clients(folders: Folders, host: str, mode: str) -> tuple[bool, model.ClientCertificates | None]:
    """Which certificates clients must show: the host's CA, else the one for all; mode: "on", "optional" or "off".

    Returns: whether the files can be used, and them.
    """
    if mode == "off":
        return True, None
    known = dict(folders.trusted)
    for stem, revoked in ((f"{file_name(host)}.ca.crt", f"{file_name(host)}.crl.pem"), ("ca.crt", "ca.crl.pem")):
        if stem not in known:
            continue
        if not (known[stem] and known.get(revoked, True)):
            return False, None
        crl = f"{folders.root}/certs/{revoked}" if revoked in known else None
        return True, model.ClientCertificates(
            ca_file=f"{folders.root}/certs/{stem}", crl_file=crl, is_optional=mode == "optional"
        )
    return True, None


def find_location(folders: Folders, host: str, path: str) -> tuple[bool, bool, model.Snippet]:
    """What an owner wrote for a location.

    Returns: whether the file could be parsed; whether it stands instead of the location; the nginx, passwords first.
    """
    name, digest = file_name(host), sha1(path)
    overrides = [f"{name}_{digest}_location_override", *([f"{name}_location_override"] if path == "/" else [])]
    if any(folders.has_vhost(one) for one in overrides):
        is_good, snippet = folders.vhost(*overrides)
        return is_good, True, snippet
    is_good, snippet = folders.vhost(f"{name}_{digest}_location", f"{name}_location", "default_location")
    return is_good, False, (*_passwords(folders, host, path), *snippet)


def _passwords(folders: Folders, host: str, path: str) -> model.Snippet:
    name = file_name(host)
    for file, realm in ((f"{name}_{sha1(path)}", f"{name}{path}"), (name, "access" if name != host else name)):
        if file in folders.passwords:
            return (
                directive.Directive("auth_basic", (directive.Expr(f"Restricted {_plain(realm)}"),)),
                directive.Directive("auth_basic_user_file", (directive.Expr(f"{folders.root}/htpasswd/{file}"),)),
            )
    return ()


def _plain(text: str) -> str:
    """Without what a quoted string of a header or a variable is made of."""
    return "".join(char for char in text if char.isprintable() and char not in '"\\$')
