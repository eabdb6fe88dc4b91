r"""Answers of servers that nginx keeps for everybody (`cache`; nginx.org/en/docs/http/ngx_http_proxy_module.html).

Requests whose answer may be kept are handed to a named location of the route, @NAME_cached, the only one with
`proxy_cache`; all others are passed on as everywhere, unbuffered, and never read what is kept. An answer that is kept
is one that a stranger could have got:

- Only GET and HEAD without a body, `Authorization`, `Cookie`, a range, WebDAV's headers, an upgrade, an `Accept` of an
  event stream, a header that is known to hold a key or a token, or one that changes what a server takes the request
  for. No list of such headers is whole, so from that location the server gets none of a visitor's headers but those of
  `_SENT` and of `key`.
- Nothing is kept that sets a cookie, or that the server calls private, no-store, no-cache or over, or that differs by a
  header that nobody else's request can be compared by, or that has another status than those below; X-Accel-Expires,
  which would go before all that, is ignored.
- The key has all that a server is sent of where a request went: scheme, host and port as it gets them, the URI as it
  was sent, `Origin`; whether it came from a private network, whose visitors servers may trust; and the route with its
  servers, so that nobody reads what another route's `access` guards, or what another server sent. nginx looks at the
  location's access before it looks into the cache. Nothing is kept where visitors have names there.

An answer that cannot be written to a full disk does not reach its visitor either (tried with nginx 1.31.3: the
connection ends without a byte), so nothing is written while the daemon finds no room (`nginx.answers_folder`).

Parts of the key are separated by a space, which stands in none of them but the last (ngx_http_parse_request_line,
ngx_http_validate_host).
"""

import collections.abc
import hashlib

from daemun.core import arguments, directive, model, render_environment, serialise
from daemun.core.directive import Expr
from daemun.core.options import access_option, buffering_option, cache_option, host_header_option
from daemun.core.plan import variable_definitions
from daemun.core.render import (
    effective_access,
    forwarded_headers,
    request_body,
    site_scope,
    standard_headers,
    trusted_proxy_headers,
)
from daemun.core.texts import names

HEADER = "X-Cache"
ENDING = "cached"
ZONE = "daemun_answers"
_ZONE_SIZE = "8m"
"""Has room for 64,000 answers."""
_LEAST_FREE = "256m"
_LEAST_UNUSED_S = 600.0
_MISSING_S = 60.0
_LOCK_S = 5.0
_HASH_DIGITS = 10

_CACHE, _STATE = "$daemun_answers", "$daemun_cache_state"
_PRIVATE, _UNKEPT, _NO_ROOM = "$daemun_private", "$daemun_unkept", "$daemun_no_room"
_OWN, _PARTIAL, _UNSHARED, _NEAR = "$daemun_own", "$daemun_partial", "$daemun_unshared", "$daemun_near"
_CREDENTIALS = (
    *("Api-Key", "Apikey", "X-Api-Key", "X-Apikey", "X-Api-Token", "X-Auth", "X-Auth-Key", "X-Auth-Token", "X-Token"),
    *("X-Access-Token", "X-Access-Key", "X-Authorization", "X-User-Token", "X-Session", "X-Session-Id"),
    *("X-Session-Token", "X-Secret", "X-Secret-Key", "X-Client-Secret", "X-Jwt", "X-Jwt-Assertion", "X-Id-Token"),
    *("X-Password", "Token"),
    *("Access-Token", "Auth-Token", "Private-Token", "Job-Token", "Deploy-Token", "Dpop", "Cookie2"),
    *("Proxy-Authorization", "X-Emby-Token", "X-Emby-Authorization", "X-Mediabrowser-Token", "X-Plex-Token"),
    *("X-Gotify-Key", "X-Vault-Token", "X-Consul-Token", "X-Nomad-Token", "X-Gitlab-Token", "X-Immich-Share-Key"),
    *("X-Immich-User-Token", "X-Amz-Security-Token", "X-Goog-Api-Key", "Ocp-Apim-Subscription-Key", "X-Shared-Secret"),
    *("X-Csrf-Token", "X-Csrftoken", "X-Xsrf-Token", "Csrf-Token", "X-Hassio-Key", "X-Supervisor-Token"),
    *("X-Ingress-Token", "X-Influxdb-Token", "X-Meili-Api-Key", "X-Typesense-Api-Key"),
)
"""Headers in which programs send who they are. Requests with one are passed on, or the server would refuse them."""
_REREAD = (
    *("X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Http-Path-Override"),
    *("X-Middleware-Prefetch", "X-Middleware-Subrequest", "X-Now-Route-Matches", "X-Matched-Path"),
    *("X-Script-Name", "X-Ingress-Path", "X-Forwarded-Context", "X-Forwarded-Root", "X-Forwarded-By"),
    *("X-Invoke-Path", "X-Invoke-Status", "X-Invoke-Query", "X-Invoke-Output", "X-Nextjs-Data", "Rsc"),
    *("Next-Router-State-Tree", "Next-Router-Prefetch", "Next-Url", "Next-Action", "X-Inertia", "X-Pjax", "Hx-Request"),
    *("X-React-Router-Spa-Mode", "X-React-Router-Prerender-Data", "X-Requested-With", "Turbo-Frame", "X-Up-Version"),
    *("Git-Protocol", "Last-Event-Id"),
)
"""Headers by which frameworks take a request for another one, or answer with a part of a page."""
_SENT = ("Accept", "Accept-Language", "Origin", "User-Agent")
"""Of a visitor's headers, those that the server gets where its answer may be kept."""
_ADDRESSES = ("X-Real-IP", "X-Forwarded-For", "X-Request-ID", "Forwarded", *trusted_proxy_headers.ADDRESSES)
"""nginx compares what the visitor sent in them, the server gets something else."""
_NEAR_NETWORKS = (*access_option.PRIVATE_NETWORKS, "100.64.0.0/10")
"""Servers trust addresses of VPNs, too (RFC 6598)."""
_BODY = ("http_transfer_encoding", "content_length")
_LARGE = r"[0-9]{9,}"
_TEXTS = r"text/(?!event-stream)|application/(?:json|[a-z.+-]+\+(?:json|xml)|xml|javascript|manifest)|image/svg"
"""What may come without its size: other answers of unknown size can be endless."""
_EARLIER = "(?:[0-9, :-]*[, ])?"
"""The statuses of servers that were tried before (`$upstream_status`)."""
_KEPT = "200|203|300|301|302|307|308|404|410"
_GOOD = ("200", "203", "300", "301", "308")


# --- for all sites ---------------------------------------------------------------------------------------------


def variables(settings: model.Globals) -> tuple[directive.Node, ...]:
    return (
        directive.Comment("1 for a request with a header that is known to hold a key or a token."),
        arguments.map_to(_values(_CREDENTIALS), _OWN, ("", ""), default="1"),
        directive.Comment("1 for a request that frameworks take for another one."),
        arguments.map_to(_values(_REREAD), _PARTIAL, ("", ""), default="1"),
        directive.Comment("Visitors from private networks, whom servers may trust, have answers of their own."),
        arguments.line(
            "geo",
            Expr(_NEAR),
            block=(arguments.line("default", ""), *(arguments.line(one, "-near") for one in _NEAR_NETWORKS)),
        ),
        directive.Comment("1 for an answer that differs by what is not compared, or whose age nginx cannot read."),
        arguments.map_to(
            "$upstream_http_vary,$upstream_http_cache_control",
            _UNSHARED,
            (rf"~*(?:^|[,\s])(?:\*|{'|'.join(_ADDRESSES)})\s*(?:,|\z)", "1"),
            (r"~*(?:max-age|s-maxage)(?!=[0-9])", "1"),
            volatile=True,
        ),
        directive.Comment("1 for a request whose answer is for its visitor alone, or that no cache may answer."),
        arguments.map_to(_private(settings, "$http_cookie"), _PRIVATE, ("", ""), default="1"),
        directive.Comment("Which location a request of a route is handed to whose answers are kept."),
        *(_apart(base, _PRIVATE, f"{base}_{ENDING}") for base in request_body.OF_HTTP),
        directive.Comment("1 for an answer that is not kept, whatever it says of itself."),
        arguments.map_to(
            "$upstream_http_set_cookie|$upstream_status|$upstream_http_content_length|$upstream_http_content_type",
            _UNKEPT,
            (rf"~*^\|{_EARLIER}(?:{_KEPT})\|\|(?:{_TEXTS})", ""),
            (rf"~^\|{_EARLIER}(?:{_KEPT})\|(?!{_LARGE})[0-9]", ""),
            default="1",
            volatile=True,
        ),
        directive.Comment("1 while the disk has no room for further answers; set where they are kept."),
        arguments.map_to("", _NO_ROOM),
        directive.Comment("Where an answer came from."),
        arguments.map_to(
            "$upstream_cache_status", _STATE, ("", "BYPASS"), default="$upstream_cache_status", volatile=True
        ),
    )


def _private(settings: model.Globals, cookie: str) -> str:
    """Empty for a request whose answer may be kept."""
    believed: tuple[str, ...] = ()
    if forwarded_headers.is_anybody_believed(settings):
        sent = standard_headers.from_proxies(settings)
        believed = tuple(_value(name) for name in sent if name not in trusted_proxy_headers.ADDRESSES)
    body = "".join(f"${name}" for name in _BODY)
    return f"$daemun_as_is$daemun_events$http_authorization{cookie}{_OWN}{_PARTIAL}{body}{''.join(believed)}"


def _values(headers: collections.abc.Iterable[str]) -> str:
    return "".join(_value(name) for name in headers)


def _value(header: str) -> str:
    return f"$http_{header.lower().replace('-', '_')}"


def _apart(base: str, private: str, variable: str) -> directive.Directive:
    """base: where a request is handed to anyway, if anywhere."""
    return arguments.map_to(f"${base}{private}", f"${variable}", ("", ENDING), default=f"${base}")


def definitions(desired: model.Desired, env: render_environment.Environment) -> variable_definitions.Definitions:
    """A tree has the cache when one of its files uses it. Not in memory, where nginx works while the state directory
    cannot be written, and not where its folder cannot be: nginx would refuse the configuration."""
    is_kept = env.layout.work is None and env.keeps_answers
    nodes: list[directive.Node] = []
    if is_kept:
        cache = cache_option.OPTION.of(desired.globals)
        unused_s = max(_LEAST_UNUSED_S, cache_option.find_longest(_every(desired)))
        nodes += (
            directive.Comment("Answers that are kept for everybody; how long they stay unused, and the most of them."),
            arguments.line(
                "proxy_cache_path",
                env.layout.answers,
                *("levels=1:2", "use_temp_path=off", f"keys_zone={ZONE}:{_ZONE_SIZE}"),
                *(f"max_size={arguments.size(cache.max_bytes or cache_option.MAX_BYTES)}", f"min_free={_LEAST_FREE}"),
                f"inactive={arguments.whole_seconds(unused_s)}",
            ),
        )
    nodes.append(arguments.map_to("", _CACHE, default=ZONE if is_kept else "off"))
    return {_CACHE.removeprefix("$"): serialise.serialise(tuple(nodes))}


def _every(desired: model.Desired) -> collections.abc.Iterator[cache_option.Cache]:
    yield cache_option.OPTION.of(desired.globals)
    for site in desired.enabled:
        yield cache_option.OPTION.of(site)
        yield from (cache_option.OPTION.of(route) for route in site.routes)


# --- for a route -----------------------------------------------------------------------------------------------


def find(scope: site_scope.Scope, route: model.Route) -> cache_option.Cache | None:
    """What is kept of a route. None: nothing. What guards fails closed: an inherited `cache` keeps nothing where
    visitors have names."""
    action = route.action
    cache = cache_option.is_kept(route, scope.site, scope.settings)
    if cache is None or not isinstance(action, model.Proxy) or route.replaced or action.php is not None:
        return None
    if action.targets[0].scheme not in cache_option.SCHEMES or buffering_option.OPTION.of(action) is False:
        return None
    if cache_option.find_private(effective_access.of_route(scope, route).access) is not None:
        return None
    snippets = (route.snippet, scope.site.snippet, scope.settings.snippet)
    return None if any(site_scope.owned(snippet, "proxy_cache") for snippet in snippets) else cache


def shared(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Node, ...]:
    """The maps of a route with cookies that do not count, or with headers in its key."""
    cache = find(scope, route)
    if cache is None or not _has_own(cache):
        return ()
    suffix = _suffix(scope, route)
    nodes: list[directive.Node] = []
    cookie = "$http_cookie"
    if cache.ignore_cookies:
        cookie = f"$daemun_cookies_{suffix}"
        some = "|".join(_pattern(name) for name in cache.ignore_cookies)
        nodes.append(
            arguments.map_to(
                "$http_cookie", cookie, ("", ""), (rf"~^(?:(?:{some})=[^;]*(?:; *|\z))*+\z", ""), default="1"
            )
        )
    odd = ""
    if len(cache.key) > 1:
        odd = f"$daemun_odd_{suffix}"
        parts = r"\|".join(["[^|]*"] * len(cache.key))
        nodes.append(arguments.map_to(_headers(cache), odd, (rf"~^{parts}\z", ""), default="1"))
    private = f"$daemun_private_{suffix}"
    nodes.append(arguments.map_to(f"{_private(scope.settings, cookie)}{odd}", private, ("", ""), default="1"))
    base = request_body.variable(scope, route, cgi=False)
    nodes.append(_apart(base, private, f"{base}_{ENDING}_{suffix}"))
    return tuple(nodes)


def _pattern(name: str) -> str:
    """Of cookies: none can take the place of two, so nothing is tried twice."""
    return f"{arguments.in_regex(name.removesuffix('*'))}{'[^=; ]*' if name.endswith('*') else ''}"


def _has_own(cache: cache_option.Cache) -> bool:
    return bool(cache.ignore_cookies) or len(cache.key) > 1


def _suffix(scope: site_scope.Scope, route: model.Route) -> str:
    return names.variable_suffix(scope.site.host, route.name)


def apart_variable(scope: site_scope.Scope, route: model.Route) -> str | None:
    """For the main location of a route, in the place of `request_body.variable`. None: nothing of it is kept."""
    cache = find(scope, route)
    if cache is None:
        return None
    variable = f"{request_body.variable(scope, route, cgi=False)}_{ENDING}"
    return f"{variable}_{_suffix(scope, route)}" if _has_own(cache) else variable


def _headers(cache: cache_option.Cache) -> str:
    return "|".join(_value(name) for name in cache.key)


def _key(scope: site_scope.Scope, route: model.Route, cache: cache_option.Cache) -> str:
    ours = scope.forwarded
    site = names.variable_suffix(scope.site.host, "")
    there = f"{ours.forwarded_proto} {ours.forwarded_host} {ours.forwarded_port} {ours.host}$request_uri"
    further = f"|{_headers(cache)}" if cache.key else ""
    return f"{site} {_suffix(scope, route)}{_hash_servers(route)}{_NEAR} {there} $http_origin{further}"


def _hash_servers(route: model.Route) -> str:
    """What another server sent is not given for this one's."""
    assert isinstance(route.action, model.Proxy)
    servers = sorted({str(one) for one in route.action.targets})
    written = "\n".join((host_header_option.OPTION.of(route.action) or "", *servers))
    return f"-{hashlib.sha256(written.encode()).hexdigest()[:_HASH_DIGITS]}"


def lines(scope: site_scope.Scope, route: model.Route, cache: cache_option.Cache) -> tuple[directive.Directive, ...]:
    """For @NAME_cached."""
    stale = ("error", "timeout", "updating", "http_500", "http_502", "http_503", "http_504", "http_429")
    no_room = arguments.line("set", Expr(_NO_ROOM), "1")
    found = [
        arguments.line("if", Expr("!-f"), scope.environment.layout.answers_room, block=(no_room,)),
        arguments.line("proxy_cache", Expr(_CACHE)),
        arguments.line("proxy_cache_key", Expr(_key(scope, route, cache))),
        arguments.line("proxy_cache_lock", "on"),
        arguments.line("proxy_cache_lock_timeout", arguments.duration(_LOCK_S)),
        arguments.line("proxy_cache_revalidate", "on"),
        arguments.line("proxy_cache_use_stale", *(stale if cache.stale_s else ("off",))),
        *_refreshed_behind(cache),
        arguments.line("proxy_no_cache", Expr(_UNKEPT), Expr(_UNSHARED), Expr(_NO_ROOM)),
        arguments.line("proxy_ignore_headers", "X-Accel-Expires", *_ignored(scope)),
        arguments.line("proxy_pass_request_body", "off"),
        arguments.line("proxy_pass_request_headers", "off"),
    ]
    if cache.for_s is not None:
        found.append(arguments.line("proxy_cache_valid", *_GOOD, arguments.whole_seconds(cache.for_s)))
        missing = arguments.whole_seconds(min(cache.for_s, _MISSING_S))
        found.append(arguments.line("proxy_cache_valid", "404", "410", missing))
    return tuple(found)


def _refreshed_behind(cache: cache_option.Cache) -> tuple[directive.Directive, ...]:
    """Nobody waits for the new answer in the place of one that may be used beyond its time."""
    return (arguments.line("proxy_cache_background_update", "on"),) if cache.stale_s else ()


def _ignored(scope: site_scope.Scope) -> tuple[str, ...]:
    """What the server's own line ignores, which ours replaces (`accel_redirect`)."""
    is_written = scope.site.snippet or any(one.snippet for one in scope.site.routes)
    return () if is_written else ("X-Accel-Redirect",)


def sent(cache: cache_option.Cache) -> dict[str, str]:
    """Of a visitor's headers, what the server gets, where an owner sets nothing else. Conditions are nginx's."""
    names_ = (*_SENT, *(name for name in cache.key if not name.lower().startswith("if-")))
    return {name: _value(name) for name in names_}


REPLACED = {
    **dict.fromkeys(("Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Cookie"), ""),
    **dict.fromkeys(trusted_proxy_headers.ADDRESSES, ""),
    "X-Forwarded-For": "$remote_addr",
}
"""What the server gets for what may be kept, whatever an owner sets. What nginx keeps is not compressed, and it
compresses it for those who take that. Of addresses there is the one that the key was made by."""


# --- headers of answers ----------------------------------------------------------------------------------------


def state_lines(scope: site_scope.Scope, route: model.Route) -> tuple[directive.Directive, ...]:
    """For each location of the route."""
    if find(scope, route) is None:
        return ()
    return (arguments.line("add_header", HEADER, Expr(_STATE), "always"),)


def hidden(scope: site_scope.Scope, route: model.Route) -> tuple[str, ...]:
    """Headers of a server that give way."""
    return () if find(scope, route) is None else (HEADER,)
