"""Reads what people mount into nginx-proxy and acme-companion. Blocking, milliseconds; what is found is a plain value.

Whoever can write there owns the gate, so hand-written nginx is taken from there, parsed and placed where it belongs;
one that nginx refuses quarantines its site alone. What is there and not used is reported, each file with its reason.
"""

import collections.abc
import dataclasses
import pathlib

from cryptography import x509

from daemun import causes, regular_files
from daemun.core import directive, model
from daemun.core.texts import words
from daemun.sources import included_files, loaded_files, nginx_snippet
from daemun.sources.docker import nginx_proxy_folders as folders

WEB_ROOT = "usr/share/nginx/html"
PAGE = f"{WEB_ROOT}/errors/50x.html"
NOT_USED = {
    "app/letsencrypt_user_data": "a certificate belongs to a site; make each host in it a site of daemun.yaml",
    "app/nginx.tmpl": "daemun has no template; put what you changed into conf.d, vhost.d or daemun.yaml",
    "etc/acme.sh": "daemun has an account of its own, and orders each certificate once more",
}
"""Path below the root of the file system -> why, and what to do. Its last part also counts beside the folders."""

_GENERATED = "default.conf"
"""In conf.d: there nginx's packages put their example, and nginx-proxy what it made itself."""
_STANDALONE = "standalone-cert-"
"""In conf.d: so begin the servers that acme-companion makes for `letsencrypt_user_data`."""
_MAX_BYTES = 1 << 20

Signature = tuple[tuple[str, int, int] | str, ...]


class NginxProxyReader:
    """Reads again and again. A file of hand-written nginx that breaks keeps its last good content.

    root: where nginx-proxy has its folders. machine: the root of the file system, for what is elsewhere.
    """

    def __init__(self, root: str = folders.ROOT, machine: str = "/") -> None:
        self._root = pathlib.Path(root)
        self._machine = pathlib.Path(machine)
        self._good: dict[pathlib.Path, model.Snippet] = {}
        self._problems: list[model.Problem] = []
        self._spelled: dict[str, str] = {}
        self._is_open = True
        self._loaded: list[directive.Directive] = []

    def read(self) -> folders.Folders:
        """What cannot be read is a problem, never an exception."""
        self._problems, self._spelled, self._is_open, self._loaded = [], {}, True, []
        page = self._machine / PAGE
        found = folders.Folders(
            root=str(self._root),
            certificates=tuple(self._certificates()),
            trusted=tuple(self._trusted()),
            vhosts=tuple(self._vhosts()),
            passwords=frozenset(self._passwords()),
            spelled=tuple(self._spelled.items()),
            can_be_read=self._is_open,
            http=tuple(self._http()),
            internal=self._internal(),
            web_root=str(self._machine / WEB_ROOT),
            page=str(page) if page.is_file() else None,
        )
        return dataclasses.replace(found, problems=(*self._problems, *self._unsupported()))

    def sign(self) -> Signature:
        """Changes whenever a file of the folders does, or one that hand-written nginx of the folders loads."""
        watched = (*(self._root / name for name in folders.FOLDERS), self._root, (self._machine / PAGE).parent)
        base = str(self._root.absolute())
        found: list[tuple[str, int, int] | str] = [loaded_files.digest_of(line, base) for line in self._loaded]
        for path in (path for folder in watched for path in _list_files(folder)):
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((str(path), status.st_mtime_ns, status.st_size))
        return tuple(found)

    def _named(self, folder: str) -> dict[str, pathlib.Path]:
        """What is in it by normal names. Of two that have the same one, that which is spelled so counts.

        Also what is no file, as Docker makes a folder of a file that is to be mounted and is missing: it was to guard
        something.
        """
        found: dict[str, pathlib.Path] = {}
        files = [path for path in self._list(self._root / folder) if not path.name.startswith(".")]
        for path in sorted(files, key=lambda path: path.name != folders.normal_name(path.name)):
            name = folders.normal_name(path.name)
            if name in found:
                self._problems.append(_unused(path, f"{words.quoted(found[name].name)} is for the same host"))
                continue
            found[name] = path
            if name != path.name:
                self._spelled[f"{folder}/{name}"] = f"{folder}/{path.name}"
        return found

    def _list(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Empty when there is none. One that cannot be read is reported, and closes what its files may guard."""
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            self._is_open = False
            self._report(folder, f"{causes.describe(error)}; every host answers 503", what="the folder")
            return []

    def _passwords(self) -> collections.abc.Iterator[str]:
        for name, path in self._named("htpasswd").items():
            if not path.is_file():
                self._report(
                    path, "expected a file with passwords, found none, so no visitor is let in", what="the file"
                )
            yield name

    # --- certificates ---

    def _certificates(self) -> collections.abc.Iterator[tuple[str, folders.NginxProxyCertificate]]:
        for path in _list_files(self._root / "certs"):
            if path.suffix != ".crt" or path.name.endswith("ca.crt"):
                continue
            key = path.with_suffix(".key")
            found = folders.NginxProxyCertificate(
                path=str(path),
                key=str(key),
                has_key=key.is_file(),
                names=_names_in(path),
                is_companions=(path.resolve().parent / ".companion").exists(),
            )
            if not found.has_key:
                self._problems.append(_unused(path, f"its key {words.quoted(key.name)} is not there"))
            yield path.stem, found

    def _trusted(self) -> collections.abc.Iterator[tuple[str, str | None]]:
        """nginx reads them when it starts, and one that it cannot read would stop every change."""
        for name, path in self._named("certs").items():
            if not path.name.endswith(("ca.crt", "crl.pem")):
                continue
            is_good = _is_trust(path)
            if not is_good:
                self._report(path, "expected PEM with certificates, or a revocation list", what="the file")
            yield name, loaded_files.digest(str(path)) if is_good else None

    # --- nginx written by hand ---

    def _vhosts(self) -> collections.abc.Iterator[tuple[str, model.Snippet | None]]:
        for name, path in self._named("vhost.d").items():
            snippet = self._parse(path)
            if any(folders.is_challenge(node) for node in snippet or ()):
                cause = "its location for the ACME challenge is not used where daemun answers the challenge"
                self._problems.append(_warning(path, cause))
            yield name, snippet

    def _http(self) -> collections.abc.Iterator[model.SnippetFile]:
        paths = [path for path in _list_files(self._root / "conf.d") if path.suffix == ".conf"]
        paths = [path for path in paths if path.name != _GENERATED and not path.name.startswith(_STANDALONE)]
        headers = self._root / "proxy.conf"
        for path in [*paths, *([headers] if headers.is_file() else [])]:
            snippet = self._parse(path)
            if snippet:
                yield model.SnippetFile(place=str(path), snippet=snippet)

    def _internal(self) -> model.Snippet | None:
        """Which clients are internal. A file that cannot be used lets no visitor in, whatever it held before."""
        path = self._root / folders.INTERNAL
        if path not in _list_all(self._root):
            return None
        try:
            # With what it includes: whether all others are refused, and which of our lines yield, follows from that.
            snippet = included_files.read_whole(self._parse_file(path), self._root.absolute())
        except (nginx_snippet.SnippetError, OSError, ValueError) as error:
            self._report(path, f"{_cause(error)}; no visitor is let in where NETWORK_ACCESS is internal")
            return model.NOBODY
        directives = {node.name for node in snippet if isinstance(node, directive.Directive)}
        if not directives:
            cause = "it says nothing, so no visitor is let in where NETWORK_ACCESS is internal"
            self._problems.append(_warning(path, f"{cause}; write `allow all;` to let all in"))
        return (
            snippet if directives and ("deny" in directives or "allow" not in directives) else (*snippet, *model.NOBODY)
        )

    def _parse(self, path: pathlib.Path) -> model.Snippet | None:
        """None: it never could be parsed."""
        try:
            self._good[path] = self._parse_text(path)
        except (nginx_snippet.SnippetError, OSError, ValueError) as error:
            self._report(path, _cause(error))
        return self._good.get(path)

    def _parse_text(self, path: pathlib.Path) -> model.Snippet:
        """Raises: as `_parse_file`."""
        return loaded_files.with_content(self._parse_file(path), self._root.absolute())

    def _parse_file(self, path: pathlib.Path) -> model.Snippet:
        """Relative paths start where they do in nginx-proxy. Raises: SnippetError, OSError, ValueError."""
        snippet = nginx_snippet.parse_snippet(_read_text(path), _places(path), self._root.absolute())
        self._loaded += loaded_files.find(snippet)
        return snippet

    # --- what is reported ---

    def _unsupported(self) -> collections.abc.Iterator[model.Problem]:
        for path in _list_files(self._root / "toplevel.conf.d"):
            yield _unused(path, "TCP and UDP streams are not supported")
        for path in (*_list_files(self._root / "certs"), *_list_files(self._root / "dhparam")):
            if path.name.endswith(("dhparam.pem", ".chain.pem")):
                yield _unused(path, "DHE parameters and OCSP stapling are not taken from files")
        for path in _list_files(self._root / "conf.d"):
            if path.name.startswith(_STANDALONE):
                yield _unused(path, f"acme-companion made it; {NOT_USED['app/letsencrypt_user_data']}")
        for place, reason in NOT_USED.items():
            beside = self._root / pathlib.PurePath(place).name
            for path in dict.fromkeys((self._machine / place, beside)):
                if path.is_file() or _list_all(path):
                    yield _unused(path, reason)

    def _report(
        self, path: pathlib.Path, cause: str, *, is_error: bool = True, what: str = "the hand-written nginx"
    ) -> None:
        severity = model.Severity.ERROR if is_error else model.Severity.WARNING
        kept = "; what it said before is still used" if path in self._good else ""
        message = f"cannot use {what}: {cause}{kept}"
        self._problems.append(model.Problem(origin=_origin(path), message=message, severity=severity))


def _places(path: pathlib.Path) -> nginx_snippet.Place:
    """What each directive of a file notes beside it."""
    return lambda line, column: f"{path}:{line}:{column}"


def _cause(error: Exception) -> str:
    if isinstance(error, nginx_snippet.SnippetError):
        return f"line {error.line}: {error}"
    strerror = getattr(error, "strerror", None)
    return str(strerror).lower() if strerror else str(error)


def _origin(path: pathlib.Path) -> model.Origin:
    return model.Origin(source="docker", place=str(path))


def _unused(path: pathlib.Path, cause: str) -> model.Problem:
    return _warning(path, f"the {'folder' if path.is_dir() else 'file'} is not used: {cause}")


def _warning(path: pathlib.Path, message: str) -> model.Problem:
    return model.Problem(origin=_origin(path), message=message, severity=model.Severity.WARNING)


def _list_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Its files, sorted; none when there is no such folder."""
    return [path for path in _list_all(folder) if path.is_file() and not path.name.startswith(".")]


def _list_all(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read_text(path: pathlib.Path) -> str:
    """Raises: OSError, ValueError."""
    content = regular_files.read(path, _MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
    return content.decode()


def _is_trust(path: pathlib.Path) -> bool:
    try:
        content = regular_files.read(path)
        if path.name.endswith("crl.pem"):
            x509.load_pem_x509_crl(content)
        else:
            x509.load_pem_x509_certificates(content)
    except (OSError, ValueError):
        return False
    return True


def _names_in(path: pathlib.Path) -> tuple[str, ...] | None:
    try:
        certificate = x509.load_pem_x509_certificates(regular_files.read(path))[0]
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except (OSError, ValueError, IndexError):
        return None
    addresses = extension.get_values_for_type(x509.IPAddress)
    return (*extension.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))
