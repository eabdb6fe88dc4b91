"""Names made from names: files, services, certificates; and which names a public CA signs. Pure.

Rules for host names: RFC 1123 section 2.1 and RFC 5890; special names: RFC 6761, RFC 6762, RFC 8375, RFC 9476 and
ICANN's reservation of `.internal` (2024).
"""

import functools
import hashlib
import ipaddress
import re

LOCAL_SUFFIXES = ("localhost", "test", "internal", "local", "lan", "home.arpa", "example", "invalid", "onion", "alt")

VARIABLES = frozenset(
    {
        "args",
        "content_type",
        "host",
        "http_host",
        "http_origin",
        "http_referer",
        "http_user_agent",
        "is_args",
        "msec",
        "query_string",
        "remote_addr",
        "remote_port",
        "request_id",
        "request_method",
        "request_uri",
        "scheme",
        "server_addr",
        "server_port",
        "server_protocol",
        "ssl_cipher",
        "ssl_protocol",
        "ssl_server_name",
        "time_iso8601",
        "time_local",
        "uri",
    }
)
"""nginx variables that a header value, a redirect or a hash key may use. Each exists in every nginx build that daemun
accepts, and none is about the machine or of other requests. `$cookie_NAME`, `$arg_NAME` and `$http_NAME` are allowed
too (`is_variable`). Source: nginx.org/en/docs/varindex.html"""

LOG_VARIABLES = frozenset(
    {
        "body_bytes_sent",
        "bytes_sent",
        "connection",
        "connection_requests",
        "connection_time",
        "content_length",
        "document_uri",
        "gzip_ratio",
        "hostname",
        "http2",
        "https",
        "pid",
        "pipe",
        "proxy_protocol_addr",
        "proxy_protocol_port",
        "remote_user",
        "request",
        "request_completion",
        "request_length",
        "request_time",
        "server_name",
        "ssl_alpn_protocol",
        "ssl_client_s_dn",
        "ssl_client_verify",
        "ssl_curve",
        "ssl_session_reused",
        "status",
        "tcpinfo_rtt",
        "upstream_addr",
        "upstream_bytes_received",
        "upstream_bytes_sent",
        "upstream_cache_status",
        "upstream_connect_time",
        "upstream_header_time",
        "upstream_response_length",
        "upstream_response_time",
        "upstream_status",
    }
)
"""What a line of the access log may use besides. Source: nginx.org/en/docs/varindex.html"""

_PREFIXED = re.compile(r"(cookie|arg|http)_[a-z0-9_]{1,64}\Z")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")


def is_variable(name: str) -> bool:
    """Whether `$name` may stand in an owner's text."""
    return name in VARIABLES or _PREFIXED.match(name) is not None


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address a host is ("10.0.0.1", "::1" or "[::1]"), None for a name."""
    # Every address has a colon or ends in a digit. Most hosts are names, and all are looked up again and again.
    may_be_one = ":" in host or host.removesuffix("]")[-1:].isdigit()
    return _parse_address(host) if may_be_one else None


def is_address_for_visitors(text: str) -> bool:
    """Whether a machine can be reached by this IP address from another one."""
    found = None if "%" in text or "[" in text else address_of(text)
    found = getattr(found, "ipv4_mapped", None) or found
    return found is not None and not (
        found.is_unspecified or found.is_loopback or found.is_link_local or found.is_multicast
    )


@functools.lru_cache(maxsize=4096)
def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def is_host_name(text: str) -> bool:
    """Whether text is a lower-case DNS name of at most 253 characters (an underscore is tolerated: Docker uses it)."""
    return len(text) <= 253 and all(_LABEL.match(label) for label in text.split("."))


def is_pattern(host: str) -> bool:
    """Whether a site's host is one that no certificate can carry: "~expression" or "www.example.*"."""
    return host.startswith("~") or host.endswith(".*")


@functools.lru_cache(maxsize=1 << 14)
def is_signed_publicly(name: str) -> bool:
    """Whether a public CA can sign this identifier: a name under a public suffix without an underscore, or a global IP
    address.

    A wildcard counts as the name it stands under.
    """
    if is_pattern(name):
        return False
    address = address_of(name)
    if address is not None:
        return address.is_global
    bare = name.removeprefix("*.")
    if "." not in bare or "_" in bare:  # CA/Browser Forum ballot SC12: no certificates for names with underscores
        return False
    return not any(bare == suffix or bare.endswith("." + suffix) for suffix in LOCAL_SUFFIXES)


@functools.lru_cache(maxsize=1 << 14)
def slug(host: str) -> str:
    """A file name for a host: readable, unique per host, safe on every file system.

    "shop.example.com" stays; "*.example.com" -> "_.example.com"; "www.example.*" -> "www.example._";
    "[::1]" -> "_v6_--1"; "~expression" -> "-re_" and a digest (its file comes first: one of the others may be for any
    name); what is longer than 100 characters is cut and made unique by a digest. No host label starts with an
    underscore alone ("_" before the first dot is refused by `validation.validate`), so no two hosts meet.
    """
    address = address_of(host)
    if address is not None and address.version == 6:
        return "_v6_" + address.compressed.replace(":", "-")
    if host.startswith("~"):
        return "-re_" + hashlib.sha256(host.encode()).hexdigest()[:20]
    text = "_" + host[1:] if host.startswith("*.") else host
    text = text[:-1] + "_" if text.endswith(".*") else text
    return text if len(text) <= 100 else f"{text[:80]}_{_digest(host)}"


def upstream_name(host: str, path: str) -> str:
    """The name of a route's upstream block and its shared zone: stable while host and path are, unique per pair."""
    return slug(host) if path == "/" else f"{slug(host)}_{_digest(path)}"


def variable_suffix(host: str, path: str = "/") -> str:
    """What distinguishes the nginx variables of one site or route: ten hexadecimal digits, stable while both are."""
    return _digest(f"{host} {path}")


def service_name(host: str, port: int) -> str:
    """The name under which nginx queries the addresses of a named server (`dns_service.Service.name`)."""
    return f"{_digest(f'{host}:{port}')}.daemun"


def checked_name(place: str, check: str) -> str:
    """As `service_name`, for an endpoint or pool that is only answered while it passes a check."""
    return f"{_digest(f'{place} {check}')}.daemun"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]
