"""What servers have in common: where they listen, their certificate, the ACME challenge."""

from daemun.core import arguments, directive, layout, model, render_environment
from daemun.core.directive import Expr
from daemun.core.options import listen_option
from daemun.core.plan import generation_files
from daemun.core.render import effective_access, quic, site_scope, sni_passthrough
from daemun.core.texts import names
from daemun.errors import RenderError

CHALLENGE = "challenge.conf"

CHALLENGE_PATH = "/.well-known/acme-challenge/"
_TOKEN = r"[A-Za-z0-9_-]{16,256}"  # noqa: S105 - RFC 8555 section 8.3: base64url, 128 bits or more

_ANSWER, _OURS = "@daemun_challenge", "@daemun_challenge_ours"

ListenerLines = tuple[tuple[str, ...], ...]
"""The words of `listen` lines that the default servers of an earlier generation have."""


def listen_http(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """Where a site listens for plain HTTP. A server without a port of its own includes its listen lines, so that a site
    that is kept at its last good version listens where the others do."""
    if scope.site.http_port is None:
        return (arguments.line("include", generation_files.LISTEN_HTTP),)
    places = own_addresses(scope.settings.listen.http, scope.site.http_port)
    return listen_lines(places, *_protocol(scope.settings), ipv6=scope.environment.ipv6)


def listen_https(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    if scope.site.https_port is None:
        files = [generation_files.LISTEN_HTTPS]
        if quic.is_on(scope.site, scope.settings, scope.environment.nginx):
            files.append(generation_files.LISTEN_QUIC)
        return tuple(arguments.line("include", file) for file in files)
    places = own_addresses(scope.settings.listen.https, scope.site.https_port)
    return listen_lines(places, "ssl", *_protocol(scope.settings), ipv6=scope.environment.ipv6)


def own_addresses(addresses: tuple[model.Address, ...], port: int) -> tuple[model.Address, ...]:
    """The same addresses with another port."""
    return tuple(dict.fromkeys(address.with_port(port) for address in addresses))


def _protocol(settings: model.Globals) -> tuple[str, ...]:
    return ("proxy_protocol",) if settings.has_proxy_lines else ()


def challenge() -> directive.Directive:
    return arguments.line("include", CHALLENGE)


def certificate(name: str, *, is_followed: bool, has_two_types: bool = False) -> tuple[directive.Node, ...]:
    """Through variables, so that nginx loads it when a handshake needs it, and again when it changed.

    name: a folder under live/, or a variable that holds one.
    is_followed: each handshake looks where live/NAME leads, so that a new pair is shown at once, and never the chain of
    one with the key of another. It needs the server's `root` for that: see `has_root`. Without, a worker looks once a
    second whether the files are others.
    has_two_types: the folder has a second certificate, for clients that do not take the first.
    """
    folder = f"$daemun_live/{name}"
    if not is_followed:
        return pairs(folder, has_two_types=has_two_types)
    return (
        directive.Comment("Nothing is served from this root. With it, $daemun_pair is where the certificate is now."),
        arguments.line("root", Expr(f"{folder}/{layout.CHAIN}")),
        *pairs("$daemun_pair", has_two_types=has_two_types),
    )


def pairs(folder: str, *, has_two_types: bool) -> tuple[directive.Directive, ...]:
    """OpenSSL chooses of two by what the client takes; of the same algorithm the last one counts."""
    second = ((layout.SECOND_CHAIN, layout.SECOND_KEY),) if has_two_types else ()
    return tuple(
        arguments.line(name, Expr(f"{folder}/{file}"))
        for pair in ((layout.CHAIN, layout.KEY), *second)
        for name, file in zip(("ssl_certificate", "ssl_certificate_key"), pair, strict=True)
    )


def has_root(settings: model.Globals, site: model.Site | None = None) -> bool:
    """Whether hand-written nginx around this site may set a `root`, or rely on there being none."""
    if site is not None and (site.snippet or any(one.snippet for one in site.routes)):
        return True
    return bool(site_scope.owned(settings.snippet, "root"))


def anything(*actions: directive.Node) -> directive.Directive:
    """The location for all paths."""
    return arguments.line("location", "/", block=actions)


# --- the included files ----------------------------------------------------------------------------------------


def listen_lines(addresses: tuple[model.Address, ...], *options: str, ipv6: bool) -> tuple[directive.Directive, ...]:
    """Raises: RenderError when an address is none."""
    written = dict.fromkeys(place for address in addresses for place in _places(address, ipv6=ipv6))
    return tuple(arguments.line("listen", place, *options) for place in written)


def _places(address: model.Address, *, ipv6: bool) -> tuple[str, ...]:
    cause = listen_option.check_address(address)
    if cause is not None:
        raise RenderError(f"cannot listen on {address}: {cause}")
    found = None if address.host is None else names.address_of(address.host)
    if found is not None:
        return (arguments.endpoint(found, address.port),)
    return (str(address.port), f"[::]:{address.port}") if ipv6 else (str(address.port),)


def challenge_file(env: render_environment.Environment, settings: model.Globals) -> tuple[directive.Node, ...]:
    """HTTP-01 (RFC 8555 section 8.3), answered without state: any token, and the account's thumbprint."""
    first, *others = _challenge(env, settings.challenge_files)
    return (
        directive.Comment("Proof for certificate authorities that this gate answers for a name. A file wins, for"),
        directive.Comment("other ACME clients; what is not shaped like a token is 404."),
        arguments.line(
            "location",
            "^~",
            CHALLENGE_PATH,
            block=(*effective_access.open_lines(env), first, arguments.line("return", "404")),
        ),
        *others,
    )


def challenge_of_unknown(env: render_environment.Environment, settings: model.Globals) -> tuple[directive.Node, ...]:
    """For names that no site has, some of which are in certificates of sites. Where the owner's files are not for them,
    what is not shaped like a token is answered as any other path."""
    return (challenge(),) if settings.challenges_unknown else _challenge(env, None)


def _challenge(env: render_environment.Environment, files: str | None) -> tuple[directive.Directive, ...]:
    """The location of a token, and those that it hands over to. files: a web root whose files go first, of any name:
    other clients choose their own."""
    answer = (
        arguments.line("return", "404")
        if env.thumbprint is None
        else arguments.line("return", "200", Expr(f"$daemun_token.{arguments.literal(env.thumbprint)}"))
    )
    text = arguments.line("default_type", "text/plain")
    ours = (
        arguments.line("root", env.layout.challenges),
        text,
        arguments.line("try_files", Expr("/$daemun_token"), _ANSWER),
    )
    last = arguments.line("location", Expr(_ANSWER), block=(*effective_access.open_lines(env), text, answer))
    if files is None:
        return (_of_token(_TOKEN, ours), last)
    odd = arguments.line(
        "if", Expr("$daemun_token"), "!~", Expr(rf"^{_TOKEN}\z"), block=(arguments.line("return", "404"),)
    )
    theirs = (
        arguments.line("root", files),
        text,
        arguments.line("try_files", Expr(f"{CHALLENGE_PATH}$daemun_token"), _OURS),
    )
    then = arguments.line("location", Expr(_OURS), block=(*effective_access.open_lines(env), odd, *ours))
    return (_of_token(r"[^/\x00-\x1f\x7f]+", theirs), then, last)


def _of_token(name: str, block: tuple[directive.Directive, ...]) -> directive.Directive:
    place = rf"^{CHALLENGE_PATH.replace('.', chr(92) + '.')}(?<daemun_token>{name})\z"
    return arguments.line("location", "~", Expr(place), block=block)


def listen_http_file(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    lines = listen_lines(settings.listen.http, *_protocol(settings), ipv6=env.ipv6)
    return (directive.Comment("Where every server listens."), *lines)


def listen_https_file(settings: model.Globals, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    return (directive.Comment("Where every server listens."), *_of_gate(settings, env))


def listen_quic_file(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """There is one always: the last good version of a site may include it."""
    lines = _datagrams(desired, env, is_default=False)
    return (directive.Comment("Where servers with HTTP/3 listen, too."), *lines)


def by_name_file(desired: model.Desired, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """The gate's addresses for HTTPS, where streams have some of the names."""
    settings = desired.globals
    lines = listen_lines(settings.listen.https, *_protocol(settings), ipv6=env.ipv6)
    return sni_passthrough.nodes(desired, env, lines)


def _datagrams(
    desired: model.Desired, env: render_environment.Environment, *, is_default: bool
) -> tuple[directive.Directive, ...]:
    """The addresses for HTTP/3."""
    if not quic.has_listeners(desired, env.nginx):
        return ()
    return listen_lines(desired.globals.listen.https, *quic.options(is_default=is_default), ipv6=env.ipv6)


def _of_gate(
    settings: model.Globals, env: render_environment.Environment, *options: str
) -> tuple[directive.Directive, ...]:
    """The addresses for HTTPS that all sites have; a PROXY line was read before a connection was passed on."""
    if sni_passthrough.is_on(settings, env):
        return (arguments.line("listen", sni_passthrough.sites_socket(env.layout), "ssl", *options),)
    return listen_lines(settings.listen.https, "ssl", *_protocol(settings), *options, ipv6=env.ipv6)


def default_lines(
    desired: model.Desired, env: render_environment.Environment, earlier: ListenerLines = (), *, https: bool
) -> tuple[directive.Directive, ...]:
    """Where the server for unknown names listens: everywhere that any site does, also one of an earlier generation.

    Raises: RenderError.
    """
    settings = desired.globals
    addresses = settings.listen.https if https else settings.listen.http
    options = (*(("ssl",) if https else ()), *_protocol(settings), "default_server")
    ours = _of_gate(settings, env, "default_server") if https else listen_lines(addresses, *options, ipv6=env.ipv6)
    sites = [site for site in desired.enabled if site_scope.has_tls(site) or not https]
    own = sorted({port for site in sites if (port := site.https_port if https else site.http_port) is not None})
    places = tuple(place for port in own for place in own_addresses(addresses, port))
    lines = tuple(dict.fromkeys((*ours, *listen_lines(places, *options, ipv6=env.ipv6))))
    taken = {line.args[0].value for line in lines}
    more = [words for words in earlier if ("ssl" in words) == https and words[0] not in taken and "quic" not in words]
    datagrams = _datagrams(desired, env, is_default=True) if https else ()
    return (*lines, *(arguments.line("listen", *words) for words in more), *datagrams)
