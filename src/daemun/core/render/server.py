"""What servers have in common: where they listen, their certificate, the ACME challenge."""

from daemun.core import directive, model, names
from daemun.core.directive import Expr
from daemun.core.render import environment, values
from daemun.errors import RenderError

LISTEN_HTTP = "listen/http.conf"
LISTEN_HTTPS = "listen/https.conf"
CHALLENGE = "challenge.conf"

CHALLENGE_PATH = "/.well-known/acme-challenge/"
_TOKEN = r"[A-Za-z0-9_-]{16,256}"  # noqa: S105 - RFC 8555 section 8.3: base64url, 128 bits or more


def listen_http() -> directive.Directive:
    """Every server includes its listen lines, so that a site that is kept at its last good version listens where the
    others do, and all servers of one port have the same parameters."""
    return values.line("include", LISTEN_HTTP)


def listen_https() -> directive.Directive:
    return values.line("include", LISTEN_HTTPS)


def challenge() -> directive.Directive:
    return values.line("include", CHALLENGE)


def certificate(name: str) -> tuple[directive.Directive, ...]:
    """Through a variable, so that nginx loads it when a handshake asks for it, and again when it changed.

    name: a folder under live/, or a variable that holds one.
    """
    folder = f"$daemun_live/{name}"
    return (
        values.line("ssl_certificate", Expr(f"{folder}/fullchain.pem")),
        values.line("ssl_certificate_key", Expr(f"{folder}/privkey.pem")),
    )


def anything(action: directive.Directive) -> directive.Directive:
    """The location for all paths."""
    return values.line("location", "/", block=(action,))


# --- the included files ----------------------------------------------------------------------------------------


def listen_lines(addresses: tuple[model.Address, ...], *options: str, ipv6: bool) -> tuple[directive.Directive, ...]:
    """Raises: RenderError when an address is none."""
    written = dict.fromkeys(place for address in addresses for place in _places(address, ipv6=ipv6))
    return tuple(values.line("listen", place, *options) for place in written)


def _places(address: model.Address, *, ipv6: bool) -> tuple[str, ...]:
    port = values.integer(address.port, "port", least=1)
    if address.host is None:
        return (port, f"[::]:{port}") if ipv6 else (port,)
    found = names.address_of(address.host)
    if found is None:
        raise RenderError(f"cannot listen on {address}: it is no IP address")
    return (values.endpoint(found, address.port),)


def challenge_file(env: environment.Environment) -> tuple[directive.Node, ...]:
    """HTTP-01 (RFC 8555 section 8.3), answered without state: any token, and the account's thumbprint."""
    answer = (
        values.line("return", "404")
        if env.thumbprint is None
        else values.line("return", "200", Expr(f"$daemun_token.{values.literal(env.thumbprint)}"))
    )
    token = values.line(
        "location",
        "~",
        Expr(rf"^{CHALLENGE_PATH.replace('.', chr(92) + '.')}(?<daemun_token>{_TOKEN})\z"),
        block=(
            values.line("root", env.layout.challenges),
            values.line("default_type", "text/plain"),
            values.line("try_files", Expr("/$daemun_token"), "@daemun_challenge"),
        ),
    )
    return (
        directive.Comment("Proof for certificate authorities that this gate answers for a name. A file wins, for"),
        directive.Comment("other ACME clients; what is not shaped like a token is 404."),
        values.line("location", "^~", CHALLENGE_PATH, block=(*_open_to_all(), token, values.line("return", "404"))),
        values.line(
            "location",
            Expr("@daemun_challenge"),
            block=(*_open_to_all(), values.line("default_type", "text/plain"), answer),
        ),
    )


def _open_to_all() -> tuple[directive.Directive, ...]:
    """Whatever an owner's snippet asks of visitors, a certificate authority cannot give it."""
    return values.line("auth_basic", "off"), values.line("allow", "all")


def listen_file(addresses: tuple[model.Address, ...], *options: str, ipv6: bool) -> tuple[directive.Node, ...]:
    return (
        directive.Comment("Where every server listens."),
        *listen_lines(addresses, *options, ipv6=ipv6),
    )
