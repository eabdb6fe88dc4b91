"""`access`: who may come in, and how often.

Sources: nginx.org/en/docs/http/ngx_http_access_module.html, ngx_http_limit_req_module and ngx_http_limit_conn_module.

What stands nearer to a request replaces what stands further out; `public` lets everybody in there. Limits alone leave
the conditions from further out as they are.
"""

import collections.abc
import dataclasses
import ipaddress
import itertools
import re
import types
import typing

import pydantic

from daemun.core import render_environment
from daemun.core.options import (
    basic_auth_form,
    client_certificates_form,
    country_forms,
    forms,
    forward_auth_forms,
    login_rule_form,
    on_demand_option,
    rate_limit_form,
)
from daemun.core.options.option import Doc, Label, Level, NamedFile, Option, Place
from daemun.core.texts import cures, names, rules, words

PUBLIC = "public"
PRIVATE = "private"
PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1",
    "fc00::/7",
    "fe80::/10",
)
"""This machine, and networks that the Internet has no way to (RFC 1918, 3927, 4193, 4291). Not 100.64.0.0/10: behind a
provider's address translation strangers share it (RFC 6598)."""

NAMED_NETWORKS = {PRIVATE: PRIVATE_NETWORKS, PUBLIC: ("0.0.0.0/0", "::/0")}
"""`public` is for limits alone, where something is guarded further out."""


_SWITCHES = frozenset({"none", "off", "false", "no", "open", "all", "on", "true", "yes", "everybody", "anyone"})
_MOST_IN_CURE = 5


def _split(value: object) -> object:
    """A label holds a list in one text."""
    parts = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else value
    return parts if isinstance(parts, list | tuple) else [parts]


Networks = typing.Annotated[
    tuple[forms.Text, ...],
    pydantic.Strict(strict=False),
    pydantic.BeforeValidator(_split),
    forms.Also(forms.TEXT),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Access(forms.OptionMap):
    """allow, deny: addresses, networks, host names, and `private`. any: whether one condition is enough. Nothing set:
    public.

    connections: how many of one address may be open at a time, each request over HTTP/2 counting as one.
    """

    shape: typing.ClassVar[str] = "public or a map"
    file_only: typing.ClassVar[frozenset[str]] = frozenset({"client_certificates", "countries"})
    meanings: typing.ClassVar[dict[str, str]] = {
        "allow": "addresses, networks and host names that are let in, all others get 403; private: the private "
        "networks; public: all",
        "deny": "addresses, networks and host names that get 403",
        "basic_auth": "users who sign in by name and password, which the browser asks for",
        "forward_auth": "a server that decides: authelia, authentik, tinyauth, oauth2-proxy, or {kind, url, copy, "
        "remember}",
        "client_certificates": "certificates that visitors show: local, a CA file, or {ca, require, revoked}",
        "login": "users who signed in at daemun's own page: true for all, groups, or {users, groups, emails}",
        "countries": "who is let in by where a database file has an address",
        "rate_limit": "how often requests may come, more get 429",
        "connections": "how many requests of one address may be open at a time, more get 429",
        "any": "whether one of the conditions is enough; false: all of them must hold",
    }
    allow: Networks = ()
    deny: Networks = ()
    countries: country_forms.Form = ()
    rate_limit: rate_limit_form.Form | None = None
    connections: forms.Number | None = None
    basic_auth: basic_auth_form.Form = None
    forward_auth: forward_auth_forms.Form | None = None
    client_certificates: client_certificates_form.Form = None
    login: login_rule_form.Form = None
    any: forms.Flag = False

    @property
    def conditions(self) -> tuple[str, ...]:
        """The keys that say who may come in."""
        found = tuple(name for name in CONDITIONS if getattr(self, name))
        return (*found, "client_certificates") if self.needs_certificate else found

    @property
    def needs_certificate(self) -> bool:
        """Whether who shows no certificate is refused, or let in by another condition only."""
        return self.client_certificates is not None and self.client_certificates.require

    @property
    def judge(self) -> str | None:
        """The key of the condition that a server decides on for each request; None: there is none."""
        return next((name for name in JUDGES if getattr(self, name) is not None), None)

    @property
    def names_users(self) -> bool:
        """Whether who comes in has a name that nginx knows."""
        has_own = self.basic_auth is not None or self.login is not None
        return has_own or (self.forward_auth is not None and self.forward_auth.user_header is not None)

    @property
    def is_limited(self) -> bool:
        return self.rate_limit is not None or self.connections is not None


JUDGES = ("basic_auth", "forward_auth", "login")
CONDITIONS = ("allow", "deny", "countries", *JUDGES)
LIMITS = ("rate_limit", "connections")


Addresses = collections.abc.Mapping[str, tuple[str, ...]]
"""The known addresses of host names."""


def networks(given: tuple[str, ...], addresses: Addresses = types.MappingProxyType({})) -> tuple[str, ...]:
    """With what `private`, `public` and host names mean, each once. A name without a known address is left out."""
    parts = (addresses.get(one, ()) if is_name(one) else NAMED_NETWORKS.get(one, (one,)) for one in given)
    return tuple(dict.fromkeys(network for part in parts for network in part))


def is_name(text: str) -> bool:
    """Whether it is a host name, of those that `allow` and `deny` may hold."""
    return text not in NAMED_NETWORKS and "/" not in text and names.address_of(text) is None


def tighten(outer: Access, inner: Access) -> Access:
    """Both at once: what the file demands, and what a container adds. Raises: ValueError with why that cannot be."""
    if inner == Access():
        raise ValueError(f"the file guards every site; a label cannot write {PUBLIC}")
    if outer.any or inner.any:
        raise ValueError("the file guards every site, and `any` cannot be combined with that")
    if outer.allow and inner.allow:
        if any(map(is_name, (*outer.allow, *inner.allow))):
            raise ValueError("allow: the file has one for every site; host names cannot be combined with another")
        allow = _intersect(networks(outer.allow), networks(inner.allow))
        if not allow:
            raise ValueError("allow: none of these is among those that the file lets in")
    else:
        allow = outer.allow or inner.allow
    login = outer.login or inner.login
    if outer.login is not None and inner.login is not None:
        login = login_rule_form.tighten(outer.login, inner.login)
    elif outer.judge is not None and inner.judge is not None and not _is_one_judge(outer, inner):
        raise ValueError(f"{inner.judge}: the file has {outer.judge} for every site")
    if outer.rate_limit is not None and inner.rate_limit is not None:
        raise ValueError("rate_limit: the file has one for every site")
    certificates = _tighten_certificates(outer.client_certificates, inner.client_certificates)
    connections = [one for one in (outer.connections, inner.connections) if one is not None]
    return Access(
        allow=allow,
        deny=tuple(dict.fromkeys((*outer.deny, *inner.deny))),
        basic_auth=outer.basic_auth or inner.basic_auth,
        forward_auth=outer.forward_auth or inner.forward_auth,
        login=login,
        countries=(*outer.countries, *inner.countries),
        client_certificates=certificates,
        rate_limit=outer.rate_limit or inner.rate_limit,
        connections=min(connections, default=None),
    )


def _is_one_judge(outer: Access, inner: Access) -> bool:
    """Whether a label names the judge that the file has: then it is queried as the file has it."""
    one, other = outer.forward_auth, inner.forward_auth
    return one is not None and other is not None and one.kind is other.kind and other.url is None


def _tighten_certificates(
    outer: client_certificates_form.ClientCertificates | None, inner: client_certificates_form.ClientCertificates | None
) -> client_certificates_form.ClientCertificates | None:
    """Raises: ValueError."""
    if outer is None or inner is None:
        return outer or inner
    if outer.authority != inner.authority:
        raise ValueError("client_certificates: the file has another CA for every site")
    return dataclasses.replace(outer, require=outer.require or inner.require)


def _intersect(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Of two networks one holds the other, or they have nothing in common."""
    pairs = itertools.product(map(ipaddress.ip_network, some), map(ipaddress.ip_network, others))
    found = (
        str(max(one, other, key=lambda network: network.prefixlen))
        for one, other in pairs
        if one.version == other.version and one.overlaps(other)
    )
    return tuple(dict.fromkeys(found))


def _parse(value: object) -> object:
    if value == PUBLIC:
        return Access()
    if isinstance(value, bool | str | list) and (hint := _hint(value)):
        raise ValueError(f"expected public or a map, found {words.describe(value)}; {hint}")
    if value is None or value == {}:
        found = "nothing" if value is None else "an empty map"
        raise ValueError(f"expected public or a map, found {found}; to let everybody in, write public")
    if isinstance(value, dict):
        _check_empty(value)
    return value


def _hint(value: bool | str | list[object]) -> str:
    """What is written without the map around it."""
    written = value.strip().lower() if isinstance(value, str) else value
    if written == PUBLIC:
        return f"write {PUBLIC}"
    if isinstance(written, bool) or (isinstance(written, str) and written in _SWITCHES):
        return "to let everybody in, write public; to let nobody in, write `enabled: false` in the site"
    parts = [
        one.lower() if isinstance(one, str) else one
        for one in typing.cast(collections.abc.Iterable[object], _split(value))
    ]
    networks = [str(one) for one in parts if one != "login"]
    if not parts or len(parts) > _MOST_IN_CURE or not all(map(_is_allowed, networks)):
        return ""
    keys = [f"allow: {networks[0] if networks == [PRIVATE] else forms.written_list(networks)}"] if networks else []
    keys += ["login: true"] if len(networks) < len(parts) else []
    both = ", where both must be so; `any: true` beside them lets in by one" if len(keys) > 1 else ""
    return f"write `{{{', '.join(keys)}}}`{both}"


def _is_allowed(text: str) -> bool:
    return text == PRIVATE or check_address(text) is None


def _check_empty(value: dict[object, object]) -> None:
    """Written without a value, a condition would hold for nobody, and the map would let everybody in. Raises:
    ValueError."""
    for key, one in value.items():
        is_empty = not one.strip(" ,") if isinstance(one, str) else one is None or one in ([], ())
        if key not in (*CONDITIONS, *LIMITS) or not is_empty:
            continue
        advice = "; to let nobody in, use `enabled: false`; to let everybody in, write `access: public`"
        raise ValueError(f"{key}: is empty{advice if key in CONDITIONS else '; remove it, or give it a value'}")
    if set(value) == {"any"}:
        raise ValueError("any: has no effect: there is no condition beside it; to let everybody in, write public")


def _check(value: Access | None, place: Place) -> None:
    if value is None:
        return
    for key in ("allow", "deny"):
        for index, network in enumerate(getattr(value, key)):
            if network not in NAMED_NETWORKS:
                place.add_value(network, check_address(network), key, index)
    if value.any and not value.conditions:
        place.add("has no effect: there is no condition beside it", "any")
    if value.any and value.deny:
        place.add("cannot stand beside `any`: whoever is denied could come in by another condition", "deny")
    _check_judges(value, place)
    _check_certificates(value, place)
    _check_countries(value, place)
    if value.rate_limit is not None:
        rate_limit_form.check(value.rate_limit, place.below("rate_limit"))
    if value.connections is not None:
        place.add(rules.check_number(value.connections, least=1, most=65535), "connections")
    if place.route is not None and place.route.is_internal and value.conditions:
        place.add("cannot stand beside NETWORK_ACCESS=internal, which says who may come in")


_EVERYBODY = frozenset({"all", "any", "everybody", "everyone", "world"})


def check_address(text: str) -> str | None:
    """What `allow` and `deny` may hold: an address, a network, or a host name with a dot: one without is most likely a
    mistake."""
    cause = rules.check_network(text)
    if cause is None or ("." in text and rules.check_server(text) is None):
        return None
    if "." in text and is_name(text) and rules.check_server(text.lower()) is None:
        return f"is a host name in capitals{cures.write(rules.check_server, text.lower())}"
    if text.lower() in _EVERYBODY:
        return "is everybody in other tools; `access: public` lets everybody in, and `deny: true` in a route nobody"
    stars = re.fullmatch(r"((?:[0-9]{1,3}\.){1,3})\*(?:\.\*)*\Z", text)
    if stars is not None:
        count = stars[1].count(".")
        network = f"{stars[1].rstrip('.')}{'.0' * (4 - count)}/{8 * count}"
        return f"{cause}{cures.write(rules.check_network, network)}"
    if text.isalpha():
        return f"{cause}; private is the home network, with this machine, and a host name needs a dot"
    return cause


def _check_certificates(value: Access, place: Place) -> None:
    certificates = value.client_certificates
    if certificates is None:
        return
    client_certificates_form.check(certificates, place.below("client_certificates"))
    if value.any and not certificates.require:
        place.add("is no condition with `require: false`, so it cannot stand beside `any`", "client_certificates")


def _check_judges(value: Access, place: Place) -> None:
    if value.basic_auth is not None:
        basic_auth_form.check(value.basic_auth, place.below("basic_auth"))
    first, *others = [name for name in JUDGES if getattr(value, name) is not None] or [""]
    for other in others:
        place.add(f"cannot stand beside `{first}`: one of them decides; keep one", other)
    if value.forward_auth is not None:
        forward_auth_forms.check(value.forward_auth, place.below("forward_auth"))
    if value.login is not None:
        _check_login(value.login, place.below("login"))


def _check_login(value: login_rule_form.LoginRule, place: Place) -> None:
    login_rule_form.check(value, place)
    if place.site is not None and on_demand_option.OPTION.of(place.site) is not None:
        place.add("cannot stand beside on_demand: the names from which people come to sign in must be known")


def _check_countries(value: Access, place: Place) -> None:
    for index, one in enumerate(value.countries):
        country_forms.check(one, place.below("countries").below(index))
        if value.any and one.deny:
            place.add("cannot stand beside `any`: who is denied could come in by another condition", "countries", index)
    other = value.judge or ("client_certificates" if value.needs_certificate else None)
    if value.any and value.countries and other is not None:
        place.add(f"cannot stand beside countries and {other}", "any")


def _needs(value: Access | None) -> collections.abc.Iterator[render_environment.Feature]:
    if value is not None and (value.allow or value.deny):
        yield render_environment.Feature.ACCESS
    if value is not None and (value.judge is not None or (value.any and value.needs_certificate)):
        yield render_environment.Feature.AUTH_REQUEST
    if value is not None and value.rate_limit is not None:
        yield render_environment.Feature.LIMIT_REQ
    if value is not None and value.connections is not None:
        yield render_environment.Feature.LIMIT_CONN


def _files(value: Access | None) -> collections.abc.Iterator[NamedFile]:
    if value is not None:
        yield from country_forms.files(value.countries)
        if value.client_certificates is not None:
            yield from client_certificates_form.files(value.client_certificates)
    if value is not None and value.basic_auth is not None and value.basic_auth.file is not None:
        yield NamedFile(
            path=value.basic_auth.file,
            below=("basic_auth", "file"),
            is_watched=True,
            has_passwords=True,
            until="none of its users can sign in",
        )


def _loaded(value: Access | None, read: collections.abc.Callable[[str], bytes | None]) -> Access | None:
    if value is None or value.basic_auth is None:
        return value
    return dataclasses.replace(value, basic_auth=basic_auth_form.with_file(value.basic_auth, read))


OPTION = Option[Access | None](
    name="access",
    form=typing.Annotated[Access, pydantic.BeforeValidator(_parse), forms.Also({"const": PUBLIC})],
    default=None,
    is_never_empty=True,
    doc=Doc(
        kind="`public`, or `{allow, deny, countries: {database, allow, deny}, basic_auth: {users, file, realm}, "
        "forward_auth: {kind, url, copy, remember}, login: {users, groups, emails}, "
        "client_certificates: {ca, require, revoked}, any, "
        "rate_limit: {rate, burst, by}, connections}`",
        default="`public`",
        meaning="who may come in, and how often: see [Access](#access)",
    ),
    levels=frozenset(Level),
    label=Label.VALUE,
    check=_check,
    needs=_needs,
    files=_files,
    loaded=_loaded,
)
"""None: what stands further out."""
