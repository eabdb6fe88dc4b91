"""The URL that a person asks about, as a browser sends it and as nginx takes it apart. Pure."""

import dataclasses
import urllib.parse

from daemun.core import value_parsers
from daemun.core.texts import names, words

LONGEST = 8192
"""Of a URL. nginx refuses a longer request line by default, too (large_client_header_buffers)."""
_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestedUrl:
    """scheme: "http" or "https". host: as sites have it. port: None: that of the scheme. path: as nginx compares it,
    decoded, without "." and "..". sent: path and query of the request line. is_websocket: of ws:// and wss://.
    remarks: what is unusual about it, and harmless."""

    scheme: str
    host: str
    port: int | None = None
    path: str = "/"
    sent: str = "/"
    is_websocket: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def is_https(self) -> bool:
        return self.scheme == "https"

    @property
    def effective_port(self) -> int:
        return self.port if self.port is not None else _PORTS[self.scheme]

    @property
    def authority(self) -> str:
        """The value of Host."""
        is_default = self.effective_port == _PORTS[self.scheme]
        return self.host if is_default else f"{self.host}:{self.effective_port}"

    @property
    def query(self) -> str:
        return self.sent.partition("?")[2]

    @property
    def written(self) -> str:
        """As a person writes it, with ws:// or wss:// where it was so."""
        return f"ws{str(self).removeprefix('http')}" if self.is_websocket else str(self)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.sent}"


def parse(text: str) -> RequestedUrl:
    """A URL, or a host with or without a path, which is meant with https. Raises: ValueError with why it is none."""
    written = text.strip()
    if len(written) > LONGEST:
        raise ValueError(f"is {len(written)} characters long, at most {LONGEST}")
    if not written or not written.isprintable():
        raise ValueError("expected a URL such as https://app.example.com/path")
    given = written if "://" in written else f"https://{written.removeprefix('//')}"
    try:
        parts = urllib.parse.urlsplit(given)
        port = parts.port
    except ValueError as error:
        has_credentials = words.without_credentials(given) != given  # of which the error shows a part
        raise ValueError("is no URL" if has_credentials else f"is no URL: {error}") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"has the scheme {words.quoted(parts.scheme)}; expected http, https, ws or wss")
    if not parts.hostname:
        raise ValueError("names no host; expected a URL such as https://app.example.com/path")
    host, remarks = _read_host(parts.hostname)
    if parts.username is not None or parts.password is not None:
        remarks = (*remarks, "name and password in a URL are left out: use --header for Authorization")
    path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return RequestedUrl(
        scheme=_SCHEMES[parts.scheme],
        host=host,
        port=port,
        path=normal_path(path),
        sent=f"{path}?{query}" if query else path,
        is_websocket=parts.scheme in {"ws", "wss"},
        remarks=remarks,
    )


def join(base: RequestedUrl, location: str) -> RequestedUrl | None:
    """Where an answer of this URL sends a browser; None: nowhere that it can go."""
    try:
        return parse(urllib.parse.urljoin(str(base), location.strip()))
    except ValueError:
        return None


def _read_host(hostname: str) -> tuple[str, tuple[str, ...]]:
    bare = hostname.removesuffix(".")
    remarks = ["the dot at the end of the name is no part of it for the gate"] if bare != hostname else []
    address = names.address_of(bare)
    if address is not None:
        return (f"[{address.compressed}]" if address.version == 6 else str(address)), tuple(remarks)
    try:
        host = value_parsers.parse_host(bare)
    except ValueError as error:
        raise ValueError(f"names the host {words.quoted(bare)}, which {error}") from None
    if not names.is_host_name(host):
        raise ValueError(f"names {words.quoted(bare)}, which is no host name")
    if host != bare:
        remarks.append(f"{words.quoted(bare)} is {host} for DNS, certificates and the gate (IDNA)")
    return host, tuple(remarks)


def normal_path(sent: str) -> str:
    """The path that nginx compares with those of routes (ngx_http_parse_complex_uri): decoded, slashes merged, without
    "." and ".."."""
    decoded = urllib.parse.unquote(sent.partition("?")[0].partition("#")[0], errors="surrogateescape")
    found: list[str] = []
    parts = [part for part in decoded.split("/") if part]
    for part in parts:
        if part == "..":
            found = found[:-1]
        elif part != ".":
            found.append(part)
    ends_open = decoded.endswith("/") or (bool(parts) and parts[-1] in {".", ".."})
    joined = "/" + "/".join(found)
    return joined + "/" if ends_open and found else joined
