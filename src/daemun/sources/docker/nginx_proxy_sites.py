"""nginx-proxy's variables of several containers, merged: the route of a path, and what holds for a host. Pure."""

import collections.abc
import dataclasses
import typing

from daemun.core import directive, model
from daemun.core.issuance import challenge_choice
from daemun.core.options import balance_option, catalogue, hsts_option, redirect_status_option, upstream_tls_options
from daemun.core.texts import names, words
from daemun.sources.docker import nginx_proxy_folders, nginx_proxy_gate, route_requests
from daemun.sources.docker import nginx_proxy_values as parse

_NOTHING: model.Snippet = ()
_FASTCGI_ROOT = "/var/www/public"
_STRICT = ("VIRTUAL_PROTO", "VIRTUAL_DEST", "VIRTUAL_ROOT", "NETWORK_ACCESS")
"""What a container of a path must not contradict: its requests would go wrong."""
_CLOSED = (directive.Directive("return", (directive.Expr("503"),)),)
"""Instead of hand-written nginx that cannot be used: what it was to close must not be open."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compat:
    """is_on: `compat: nginx-proxy`, with nginx-proxy's own defaults; else daemun's hold where the two differ.

    gate: what nginx-proxy's own environment sets. folders: what is mounted. Both only count when it is on.
    """

    is_on: bool = False
    gate: nginx_proxy_gate.GateEnvironment = dataclasses.field(default_factory=nginx_proxy_gate.GateEnvironment)
    folders: nginx_proxy_folders.Folders = dataclasses.field(default_factory=nginx_proxy_folders.Folders)


# --- paths ---------------------------------------------------------------------------------------------------


def make_route(
    host: str,
    path: str,
    variables: collections.abc.Mapping[str, object],
    compat: Compat,
    origin: model.Origin,
    *,
    written: tuple[str, ...] = (),
) -> model.Route:
    """The route of a path, from its variables. written: how containers spell the path."""
    scheme = parse.PROTOCOLS[str(variables.get("VIRTUAL_PROTO", "http"))]
    is_http = scheme in {model.Scheme.HTTP, model.Scheme.HTTPS}
    destination = str(variables.get("VIRTUAL_DEST", "")) if is_http else ""
    given: dict[str, object] = {
        "balance": variables.get("loadbalance", balance_option.OPTION.default),
        # A container is reached by its address, which no certificate carries; nginx-proxy does not check either.
        "verify": upstream_tls_options.Verify(is_on=not scheme.is_encrypted),
        "keepalive": variables.get("keepalive"),
    }
    if scheme.is_cgi:
        given["root"] = str(variables.get("VIRTUAL_ROOT", _FASTCGI_ROOT))
    target = model.Target(scheme=scheme, path=destination or None)
    action = model.Proxy(targets=(target,), options=catalogue.values_of(given))
    is_good, is_replaced, snippet = True, False, _NOTHING
    if compat.is_on:
        is_good, is_replaced, snippet = nginx_proxy_folders.find_location(compat.folders, host, path, written=written)
    return model.Route(
        path=path,
        action=action,
        is_internal=variables.get("NETWORK_ACCESS") == "internal",
        replaced=is_replaced,
        snippet=snippet if is_good else _CLOSED,
        origin=origin,
    )


def complete(
    found: collections.abc.Sequence[route_requests.RouteRequest], compat: Compat
) -> tuple[route_requests.RouteRequest, ...]:
    """The requests for one host and path, the deciding one first, each completed by the others. One that contradicts
    what matters stays as it is, and so is not granted."""
    together: dict[str, object] = {}
    for request in found:
        together = {**dict(request.path_variables or ()), **together}
    written = tuple(dict.fromkeys(one for request in found for one in request.written))
    return tuple(_complete(request, together, compat, written) for request in found)


def _complete(
    request: route_requests.RouteRequest,
    together: collections.abc.Mapping[str, object],
    compat: Compat,
    written: tuple[str, ...],
) -> route_requests.RouteRequest:
    if request.path_variables is None:
        return request
    own = {name: value for name, value in request.path_variables if name in _STRICT}
    route = make_route(
        request.host, request.route.path, {**together, **own}, compat, request.route.origin, written=written
    )
    return dataclasses.replace(request, route=route, written=written)


# --- hosts ---------------------------------------------------------------------------------------------------


def merge_host(host: str, variables: collections.abc.Mapping[str, object], compat: Compat) -> route_requests.MergedSite:
    """The variables of a host's containers, completed by the gate's defaults and the owner's files."""
    notes: list[str] = []
    defaults = compat.gate.defaults if compat.is_on else nginx_proxy_gate.NginxProxyDefaults()
    tls, http = _choose_tls(host, variables, compat, defaults, notes)
    is_encrypted = tls.mode is not model.TlsMode.OFF
    hsts = typing.cast(hsts_option.Hsts | None, variables.get("HSTS", defaults.hsts))
    other_redirect = typing.cast(int, variables.get("NON_GET_REDIRECT", defaults.other_redirect))
    challenge = _choose_challenge(variables, defaults, tls, http, notes)
    is_good, snippet = True, _NOTHING
    if compat.is_on:
        is_good, snippet = nginx_proxy_folders.find_server(compat.folders, host, answers_challenge=challenge)
    mode = str(variables.get("ssl_verify_client", "on"))
    is_known, clients = True, None
    if compat.is_on and is_encrypted:
        is_known, clients = nginx_proxy_folders.choose_clients(compat.folders, host, mode)
    if not (is_good and is_known):
        notes.append("a file of its own in vhost.d or certs cannot be used, so it answers 503")
    method = variables.get("HTTPS_METHOD") or defaults.method
    options = route_requests.SiteOptions(
        tls=dataclasses.replace(tls, clients=clients),
        http=http,
        options=catalogue.values(
            hsts_option.OPTION.set(hsts if is_encrypted and http is not model.HttpMode.SERVE else None),
            redirect_status_option.OPTION.set(other_redirect),
        ),
        http_port=_own_port(variables.get("EXTERNAL_HTTP_PORT")),
        https_port=_own_port(variables.get("EXTERNAL_HTTPS_PORT")) if is_encrypted else None,
        http2=typing.cast(bool | None, variables.get("http2")),
        server_tokens=typing.cast(str | None, variables.get("SERVER_TOKENS")),
        # The default certificate would have been used if it was trusted.
        refuses_tls=not is_encrypted and method != "nohttps" and compat.folders.certificate("default") is not None,
        challenge=challenge,
        otherwise=defaults.otherwise,
        snippet=snippet if is_good and is_known else _CLOSED,
    )
    return route_requests.MergedSite(options=options, notes=tuple(notes))


def _choose_challenge(
    variables: collections.abc.Mapping[str, object],
    defaults: nginx_proxy_gate.NginxProxyDefaults,
    tls: model.Tls,
    http: model.HttpMode,
    notes: list[str],
) -> bool:
    """Whether the ACME challenge is answered on plain HTTP, and not left to the container."""
    chosen = variables.get("ACME_HTTP_CHALLENGE_LOCATION", defaults.challenge)
    if chosen is nginx_proxy_gate.ChallengeLocation.NEVER and tls.mode is model.TlsMode.AUTO:
        notes.append("ACME_HTTP_CHALLENGE_LOCATION: its certificate needs the challenge, so it is answered")
    leads_to_https = tls.mode is not model.TlsMode.OFF and http is model.HttpMode.REDIRECT
    return (
        chosen is nginx_proxy_gate.ChallengeLocation.ALWAYS
        or tls.mode is model.TlsMode.AUTO
        or (chosen is nginx_proxy_gate.ChallengeLocation.LEGACY and leads_to_https)
    )


def _own_port(port: object) -> int | None:
    return port if isinstance(port, int) else None


def _choose_tls(
    host: str,
    variables: collections.abc.Mapping[str, object],
    compat: Compat,
    defaults: nginx_proxy_gate.NginxProxyDefaults,
    notes: list[str],
) -> tuple[model.Tls, model.HttpMode]:
    """nginx-proxy serves a host without a certificate in clear text, also where HTTPS was requested. Here that is so
    only where it was not requested."""
    method = typing.cast(str | None, variables.get("HTTPS_METHOD")) or defaults.method
    http = {"noredirect": model.HttpMode.SERVE, "nohttp": model.HttpMode.OFF}.get(method or "", model.HttpMode.REDIRECT)
    clear = model.Tls(mode=model.TlsMode.OFF), model.HttpMode.SERVE
    if method == "nohttps":
        return clear
    extras = model.Tls(policy=typing.cast(model.TlsPolicy | None, variables.get("SSL_POLICY")))
    file = _choose_file(host, variables, compat, defaults, notes)
    if file is not None:
        return dataclasses.replace(extras, mode=model.TlsMode.FILES, certificate=file.path, key=file.key), http
    ordered = typing.cast(tuple[str, ...], variables.get("ACME_HOST", ()))
    named = parse.find_ordered(host, ordered)
    is_requested = method in {"redirect", "nohttp"} or "CERT_NAME" in variables or named is not None
    may_be_clear = bool(variables.get("ENABLE_HTTP_ON_MISSING_CERT", defaults.http_on_missing))
    if not is_requested and ((compat.is_on and may_be_clear) or names.is_pattern(host)):
        return clear
    if named is not None:
        if named != host:
            notes.append(f"ACME_HOST names it by {words.quoted(named)}; a certificate of its own is ordered")
        return _ordered(host, ordered, variables, extras), http
    if not compat.is_on:
        return extras, http
    there = " (nginx-proxy would serve it in clear text)" if may_be_clear else ""
    notes.append(
        "there is no certificate for it, and none is asked for with ACME_HOST, so one of daemun's local CA is served"
        + there
    )
    return dataclasses.replace(extras, mode=model.TlsMode.LOCAL), http


def _choose_file(
    host: str,
    variables: collections.abc.Mapping[str, object],
    compat: Compat,
    defaults: nginx_proxy_gate.NginxProxyDefaults,
    notes: list[str],
) -> nginx_proxy_folders.NginxProxyCertificate | None:
    named = typing.cast(str | None, variables.get("CERT_NAME"))
    if not compat.is_on:
        if named is not None:
            notes.append("CERT_NAME has no effect without `compat: nginx-proxy`; name the files in daemun.yaml")
        return None
    ordered = typing.cast(tuple[str, ...], variables.get("ACME_HOST", ()))
    trusts_default = bool(variables.get("TRUST_DEFAULT_CERT", defaults.trusts_default))
    trusts_default = trusts_default and parse.find_ordered(host, ordered) is None
    chosen = nginx_proxy_folders.choose_certificate(compat.folders, host, named=named, trusts_default=trusts_default)
    if chosen.note is not None:
        notes.append(chosen.note)
    # What acme-companion left in the folder grows old there: daemun orders the certificate itself.
    is_left = chosen.certificate is not None and chosen.certificate.is_companions
    is_ordered = parse.find_ordered(host, ordered) is not None
    if is_left and not is_ordered:
        notes.append("its certificate is one of acme-companion's, which nobody renews; ask for one with ACME_HOST")
    return None if is_left and is_ordered else chosen.certificate


def _ordered(
    host: str, ordered: tuple[str, ...], variables: collections.abc.Mapping[str, object], extras: model.Tls
) -> model.Tls:
    """One certificate for all hosts that are listed together, the first of them its subject."""
    group = tuple(name for name in ordered if challenge_choice.is_orderable(name, model.Ordering()))
    is_alone = bool(variables.get("ACME_SINGLE_DOMAIN_CERTS", False)) or len(group) < 2 or host not in group
    directory = parse.STAGING if variables.get("ACME_TEST") else typing.cast(str | None, variables.get("ACME_CA_URI"))
    return dataclasses.replace(
        extras,
        group=() if is_alone else group,
        ordering=model.Ordering(
            authority=None if directory is None else model.Authority(directory=directory),
            email=typing.cast(str | None, variables.get("ACME_EMAIL")),
            profile=typing.cast(str | None, variables.get("ACME_CERT_PROFILE")),
            key_type=typing.cast(model.KeyType | None, variables.get("ACME_KEYSIZE")),
            preferred_chain=typing.cast(str | None, variables.get("ACME_PREFERRED_CHAIN")),
        ),
    )
