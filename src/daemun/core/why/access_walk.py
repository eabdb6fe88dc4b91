"""Which rules of `access` refuse a request, as nginx would look at them. Pure."""

import collections.abc
import dataclasses
import re

from daemun.core import model
from daemun.core.access import access_levels, access_tokens, banned_networks
from daemun.core.options import access_option, country_forms
from daemun.core.texts import words
from daemun.core.why import condition_match, route_walk

_OWN_COOKIES = "__Host-daemun-"
_TOKEN = re.compile(rf"\s*bearer\s+{access_tokens.PREFIX}", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccessRefusal:
    """rule: the key of `access`, or "bans". is_certain: False: whether it refuses depends on what is not known here,
    such as whether a password is right."""

    rule: str
    cause: str
    cure: str
    is_certain: bool = True


def find_level(route: model.Route | None, site: model.Site) -> str:
    """Where the access that holds is written, in words."""
    if route is not None and access_option.OPTION.of(route) is not None:
        return f"the route {words.quoted(route.name)} of {site.host}"
    return f"the site {site.host}" if access_option.OPTION.of(site) is not None else "the whole gate"


def judge(
    access: access_option.Access,
    level: str,
    request: condition_match.SentRequest,
    addresses: access_option.Addresses,
) -> tuple[AccessRefusal, ...]:
    """What keeps a request out. addresses: of the host names in `allow` and `deny` that are known."""
    found = tuple(_each(access, level, request, addresses))
    if not access.any:
        return tuple(refusal for refusal in found if refusal is not None)
    if None in found:  # one that lets it in is enough
        return ()
    return tuple(refusal for refusal in found if refusal is not None)


def find_ban(address: str | None, bans: collections.abc.Iterable[banned_networks.Ban | tuple[str, str]]) -> str | None:
    """The banned network that holds the address."""
    networks = (one[0] if isinstance(one, tuple) else one.network for one in bans)
    return next((one for one in networks if condition_match.is_in(address, (one,))), None)


def of_ban(address: str, network: str, why: str) -> AccessRefusal:
    return AccessRefusal(
        rule="bans",
        cause=f"{address} is banned on every site{f' ({why})' if why else ''}",
        cure=f"`daemun unban {network}` lets it in again; `daemun bans` shows why it was banned, and until when",
    )


def _each(
    access: access_option.Access,
    level: str,
    request: condition_match.SentRequest,
    addresses: access_option.Addresses,
) -> collections.abc.Iterator[AccessRefusal | None]:
    """One for each condition that is set; None: it lets the request in."""
    shown = request.address or "the address of the visitor"
    if access.deny:
        is_denied = condition_match.is_in(request.address, access_option.networks(access.deny, addresses))
        refusal = AccessRefusal(
            rule="deny",
            cause=f"{shown} is refused by `access.deny` of {level}: {_listed(access.deny)}",
            cure="take the address or its network out of `deny`",
            is_certain=is_denied is True,
        )
        if is_denied is not False:
            yield refusal
        elif not access.allow:
            yield None
    if access.allow:
        is_allowed = condition_match.is_in(request.address, access_option.networks(access.allow, addresses))
        has_names = any(map(access_option.is_name, access.allow))
        refusal = AccessRefusal(
            rule="allow",
            cause=f"{shown} is not among those that `access.allow` of {level} lets in: {_listed(access.allow)}",
            cure="add the address or its network to `allow`",
            is_certain=is_allowed is False and not has_names,
        )
        yield None if is_allowed else refusal
    for one in access.countries:
        yield _of_country(one, level, request.address)
    yield from _of_judges(access, level, request)
    if access.needs_certificate:
        yield AccessRefusal(
            rule="client_certificates",
            cause=f"{level} lets in who shows a certificate of its own (`access.client_certificates`), and none was "
            "shown",
            cure="install one on the device (`daemun clients add NAME` makes it where `ca` is local), or set "
            "`require: false`",
        )


def _of_judges(
    access: access_option.Access, level: str, request: condition_match.SentRequest
) -> collections.abc.Iterator[AccessRefusal]:
    if access.basic_auth is not None:
        sent = request.header("Authorization")
        users, file = access.basic_auth.users, access.basic_auth.file
        names = " or ".join([*["`basic_auth.users`"] * bool(users or file is None), *[str(file)] * (file is not None)])
        yield AccessRefusal(
            rule="basic_auth",
            cause=f"the name or the password is not one of those that `access.basic_auth` of {level} lets in"
            if sent
            else f"{level} wants a name and a password (`access.basic_auth`), and the request has none",
            cure=f"use a name of {names} with its password; `daemun password` makes a new one for the file"
            if sent
            else f"sign in with a name of {names}; `access: public` opens a route to everybody",
            is_certain=not sent,
        )
    if access.login is not None:
        is_sent = bool(request.header("Cookie") or request.header("Authorization"))
        yield AccessRefusal(
            rule="login",
            cause=f"{level} is for users who signed in (`access.login`), and the request "
            + ("has no session that lets it in" if is_sent else "has no session"),
            cure="sign in at the page that the gate sends browsers to, with a user whom the rule lets in (`daemun "
            "users` lists them); programs use a token of `daemun tokens`",
            is_certain=not is_sent,
        )
    if access.forward_auth is not None:
        yield AccessRefusal(
            rule="forward_auth",
            cause=f"{level} is guarded by a server of its own (`access.forward_auth`: "
            f"{access.forward_auth.proxy.targets[0]}), which does not let the request in",
            cure="sign in there; its log tells why it refuses somebody who did",
            is_certain=False,
        )


def _of_country(one: country_forms.Countries, level: str, address: str | None) -> AccessRefusal | None:
    shown = address or "the address of the visitor"
    if one.database.found is None:
        is_certain = False
        is_refused = True
    else:
        is_named = condition_match.is_in(address, one.database.found.networks)
        has_private = access_option.PRIVATE in one.allow
        is_private = has_private and condition_match.is_in(address, access_option.PRIVATE_NETWORKS)
        is_certain = is_named is not None
        is_refused = is_named is not False if one.deny else not (is_named or is_private)
    if not is_refused:
        return None
    rule = f"deny: {_listed(one.deny)}" if one.deny else f"allow: {_listed(one.allow)}"
    return AccessRefusal(
        rule="countries",
        cause=f"{shown} is refused by its country or network (`access.countries` of {level}, {rule})",
        cure="add its country, or `private` for this network, to `countries.allow`"
        if one.allow
        else "take its country out of `countries.deny`",
        is_certain=is_certain,
    )


def _listed(given: tuple[str, ...]) -> str:
    shown = ", ".join(given[:5])
    return f"{shown} and {len(given) - 5} more" if len(given) > 5 else shown


def find_held(route: model.Route | None, site: model.Site, settings: model.Globals) -> access_option.Access:
    """The access that holds for a request."""
    held = access_levels.of_site(site, settings) if route is None else access_levels.of_route(route, site, settings)
    return held.access


def is_open(walk: route_walk.RouteWalk, site: model.Site, settings: model.Globals) -> bool:
    """Whether everybody may send a request to the route."""
    is_certain = walk.route is not None and not (walk.perhaps and access_levels.is_guarded(site, settings))
    return is_certain and not find_held(walk.route, site, settings).conditions


def is_wholly_open(site: model.Site, settings: model.Globals) -> bool:
    """Whether everybody may send any request to the servers of a site: one may read a path as another one that is
    closed."""
    refuses = any(isinstance(one.action, model.Respond) and one.action.refuses for one in site.routes)
    return not refuses and not access_levels.is_guarded(site, settings)


def without_gates(
    request: condition_match.SentRequest, site: model.Site, route: model.Route | None, settings: model.Globals
) -> condition_match.SentRequest:
    """The request as servers get it: passwords, tokens and sessions that are for the gate are not for them."""
    has_password = find_held(route, site, settings).basic_auth is not None
    kept: list[tuple[str, str]] = []
    for name, value in request.headers:
        if name.lower() == "authorization" and (has_password or _TOKEN.match(value)):
            continue
        if name.lower() == "cookie":
            left = [one for one in value.split(";") if not one.strip().startswith(_OWN_COOKIES)]
            if left:
                kept.append((name, ";".join(left).strip()))
            continue
        kept.append((name, value))
    return dataclasses.replace(request, headers=tuple(kept))
