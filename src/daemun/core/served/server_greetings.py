"""What servers answer with that speak another protocol than a route says. Pure."""

import re

_LONGEST = 60
_KINDS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"SSH-\d"), "an SSH server"),
    (re.compile(rb"-(?:ERR|NOAUTH|DENIED|WRONGPASS)\b"), "a Redis server"),
    (re.compile(rb"220[ -]"), "a mail or FTP server"),
    (re.compile(rb"\* (?:OK|PREAUTH|BYE)\b"), "an IMAP server"),
    (re.compile(rb"\+OK\b"), "a POP3 server"),
    (re.compile(rb"RFB \d"), "a VNC server"),
    (re.compile(rb"AMQP"), "an AMQP server"),
    (re.compile(rb"@RSYNCD:"), "an rsync server"),
    (re.compile(rb"INFO \{"), "a NATS server"),
    (re.compile(rb"(?:ERROR|CLIENT_ERROR\b.*)\r?\n"), "a memcached server"),
    (re.compile(rb"E\0\0..S?(?:FATAL|ERROR|.*\0C)", re.DOTALL), "a PostgreSQL server"),
    (re.compile(rb".{3}\0\n[\w.-]+\0|.{3}\0\xff.{2}", re.DOTALL), "a MySQL or MariaDB server"),
)
_PAGE = re.compile(rb"\s*(?:<!|<\?xml|</?[a-z])", re.IGNORECASE)
_HTTP2_SETTINGS = re.compile(rb"\0..\x04[\0\x01]\0\0\0\0", re.DOTALL)
"""RFC 9113 sections 4.1 and 6.5: the first frame of a server, of stream 0."""
_PLAIN_REFUSED = re.compile(rb"\b(?:https|ssl|tls)\b", re.IGNORECASE)
_CERTIFICATE_WANTED = re.compile(
    rb"no required ssl certificate|(?:client|ssl) certificate (?:is )?required", re.IGNORECASE
)


def describe(head: bytes) -> str | None:
    """ "an SSH server ("SSH-2.0-OpenSSH_9.2")"; None: that is not known."""
    kind = next((kind for pattern, kind in _KINDS if pattern.match(head)), None)
    if kind is None:
        return "it sends a page without a head (HTTP/0.9)" if is_page(head) else None
    line = head.splitlines()[0].decode("ascii", "replace")
    return f'it is {kind} ("{line[:_LONGEST]}")' if line.isprintable() and line.isascii() else f"it is {kind}"


def is_page(head: bytes) -> bool:
    """A page whose head is missing: a script that prints no headers, or a server of HTTP/0.9."""
    return _PAGE.match(head) is not None


def is_http2(head: bytes) -> bool:
    """What a server that knows HTTP/2 alone sends first."""
    return _HTTP2_SETTINGS.match(head) is not None


def refuses_plain_http(answer: bytes) -> bool:
    """Whether a server of https answers so to a request without TLS: "The plain HTTP request was sent to HTTPS port"
    (nginx), "Client sent an HTTP request to an HTTPS server." (Go, Caddy, Traefik), "You're speaking plain HTTP to an
    SSL-enabled server port." (Apache), "This combination of host and port requires TLS." (Tomcat); or that it sends the
    client to https."""
    status = answer.split(None, 2)[1:2]
    if status in ([b"400"], [b"403"], [b"426"], [b"497"]):
        return _PLAIN_REFUSED.search(answer) is not None
    return re.search(rb"^location:\s*https://", answer, re.IGNORECASE | re.MULTILINE) is not None


def wants_client_certificate(answer: bytes) -> bool:
    """nginx: "400 No required SSL certificate was sent"."""
    return answer.split(None, 2)[1:2] in ([b"400"], [b"403"]) and _CERTIFICATE_WANTED.search(answer) is not None
