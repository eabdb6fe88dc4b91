"""Every rule that a value of the model must keep, wherever it came from. Pure.

All problems are returned at once. Each message starts with the field as it is called in daemun.yaml, and
`Problem.field` holds its path, so that a source can tell the line. Rules for single texts are in `core.rules`.
"""

import collections
import collections.abc
import dataclasses

from daemun.core import model, names, rules, words
from daemun.core.render import environment

Field = tuple[str | int, ...]

MAX_BODY_BYTES = 1 << 50
_ENCRYPTED = frozenset({model.Scheme.HTTPS, model.Scheme.GRPCS})
_WITHOUT_BACKUP = frozenset({model.Balance.HASH, model.Balance.IP_HASH, model.Balance.RANDOM})
_FEATURES = {
    model.Scheme.H2C: environment.Feature.H2C_UPSTREAM,
    model.Scheme.GRPC: environment.Feature.GRPC,
    model.Scheme.GRPCS: environment.Feature.GRPC,
    model.Scheme.FASTCGI: environment.Feature.FASTCGI,
    model.Scheme.UWSGI: environment.Feature.UWSGI,
    model.Scheme.SCGI: environment.Feature.SCGI,
    model.Scheme.MEMCACHED: environment.Feature.MEMCACHED,
}


def find_site_problems(site: model.Site) -> tuple[model.Problem, ...]:
    """What is wrong with one site, seen alone."""
    report = _Report(host=site.host, origin=site.origin)
    _check_names(site, report)
    _check_tls(site, report)
    if site.hsts is not None:
        report.add(rules.check_number(site.hsts.max_age_s, least=0, most=10 * rules.YEAR_S), "hsts", "max_age")
    if not site.routes:
        report.add("is empty; expected at least one path with a target", "routes")
    counted = collections.Counter(route.path for route in site.routes)
    for path in (path for path, count in counted.items() if count > 1):
        report.add("is given twice in this site", "routes", path)
    for route in site.routes:
        _check_route(route, report)
    return tuple(report.problems)


def find_global_problems(
    settings: model.Globals, sites: collections.abc.Sequence[model.Site]
) -> tuple[model.Problem, ...]:
    """What is wrong with what concerns no single site, and with sites seen together."""
    report = _Report(host=None, origin=model.NOWHERE)
    _check_listen(settings, report)
    _check_acme(settings.acme, report)
    _check_default(settings.default, sites, report.at(settings.default.origin))
    for index, network in enumerate(settings.trusted_proxies):
        report.add_value(network, rules.check_network(network), "trusted_proxies", index)
    report.add(rules.check_number(settings.logs.max_bytes, least=1, most=MAX_BODY_BYTES), "logs", "max_size")
    report.add(rules.check_number(settings.logs.keep, least=0, most=10_000), "logs", "keep")
    if settings.workers is not None:
        report.add(rules.check_number(settings.workers, least=1, most=1024), "workers")
    if settings.user is not None:
        report.add_value(settings.user, rules.check_user(settings.user), "user")
    return (*report.problems, *_find_claimed_twice(sites))


def find_unsupported(site: model.Site, features: collections.abc.Set[environment.Feature]) -> tuple[model.Problem, ...]:
    """What the site asks for and this nginx cannot do."""
    report = _Report(host=site.host, origin=site.origin)
    for route in site.routes:
        if not isinstance(route.action, model.Proxy):
            continue
        needed = {_FEATURES[target.scheme] for target in route.action.targets if target.scheme in _FEATURES}
        if route.action.balance is model.Balance.STICKY:
            needed.add(environment.Feature.STICKY)
        for feature in sorted(needed - features, key=lambda feature: feature.value):
            report.at(route.origin).add(_unsupported(feature), "routes", route.path)
    return tuple(report.problems)


def find_unsupported_globals(
    settings: model.Globals, features: collections.abc.Set[environment.Feature]
) -> tuple[model.Problem, ...]:
    """What `settings` ask for and this nginx cannot do."""
    report = _Report(host=None, origin=model.NOWHERE)
    if settings.trusted_proxies and environment.Feature.REALIP not in features:
        report.add(_unsupported(environment.Feature.REALIP), "trusted_proxies")
    return tuple(report.problems)


def _unsupported(feature: environment.Feature) -> str:
    return f"this nginx was built without {feature.value}; `pip install 'daemun[nginx]'` brings one that has them"


@dataclasses.dataclass(slots=True)
class _Report:
    """Collects problems of one host (None: of no single site)."""

    host: str | None
    origin: model.Origin
    problems: list[model.Problem] = dataclasses.field(default_factory=list)

    def at(self, origin: model.Origin) -> "_Report":
        """The same report, for what comes from a nearer place."""
        return dataclasses.replace(self, origin=self.origin if origin == model.NOWHERE else origin)

    def add(self, cause: str | None, *field: str | int, severity: model.Severity = model.Severity.ERROR) -> None:
        if cause is None:
            return
        message = f"{_label(field)}: {cause}" if field else cause
        self.problems.append(
            model.Problem(origin=self.origin, message=message, host=self.host, severity=severity, field=field)
        )

    def add_value(self, value: str, cause: str | None, *field: str | int) -> None:
        if cause is not None:
            self.add(f"{words.quoted(value)} {cause}", *field)


def _label(field: Field) -> str:
    """ "route "/api/", to": the field as a person would call it. List positions are left to the line number."""
    if field[0] == "routes" and len(field) > 1:
        rest = [part for part in field[2:] if isinstance(part, str)]
        return ", ".join([f"route {words.quoted(str(field[1]))}", *([".".join(rest)] if rest else [])])
    return ".".join(part for part in field if isinstance(part, str))


# --- sites -----------------------------------------------------------------------------------------------------


def _check_names(site: model.Site, report: _Report) -> None:
    if (cause := rules.check_host(site.host)) is not None:
        report.add(f"host {words.quoted(site.host)} {cause}")
    for index, alias in enumerate(site.aliases):
        report.add_value(alias, rules.check_host(alias), "aliases", index)
        if alias in site.names[: index + 1]:
            report.add(f"{words.quoted(alias)} is already a name of this site", "aliases", index)
    if site.redirect_aliases and not site.aliases:
        report.add("has no effect: the site has no aliases", "redirect_aliases", severity=model.Severity.WARNING)


def _check_tls(site: model.Site, report: _Report) -> None:
    tls = site.tls
    paths = {"certificate": tls.certificate, "key": tls.key}
    for name, path in paths.items():
        if tls.mode is model.TlsMode.FILES:
            cause = "is missing; a certificate of your own needs both `certificate` and `key`" if path is None else None
            report.add(cause, "tls", name)
        if path is not None:
            report.add_value(path, rules.check_absolute(path), "tls", name)
            if tls.mode is not model.TlsMode.FILES:
                report.add(f"belongs to a certificate of your own, but tls is {tls.mode.value}", "tls", name)
    if tls.mode is model.TlsMode.OFF and site.http is model.HttpMode.OFF:
        report.add("is off and so is tls: the site would answer nothing", "http")
    if tls.mode is model.TlsMode.OFF and site.hsts is not None:
        report.add("promises HTTPS, but tls is off", "hsts")
    _check_signing(site, report)


def _check_signing(site: model.Site, report: _Report) -> None:
    """Names that the ACME flow of this version cannot get a certificate for."""
    unsigned = [name for name in site.names if not is_orderable(name)]
    if not unsigned or site.tls.mode not in {model.TlsMode.ACME, model.TlsMode.AUTO}:
        return
    wildcards = [name for name in unsigned if name.startswith("*.") and names.is_signed_publicly(name)]
    why = "a wildcard needs a DNS challenge, which is not in this version" if wildcards else "no public CA signs it"
    listed = words.listed([words.quoted(name) for name in unsigned], last="and")
    if site.tls.mode is model.TlsMode.ACME:
        report.add(f"cannot order a certificate for {listed}: {why}; write `tls: local`", "tls")
    elif wildcards or len(unsigned) < len(site.names):
        cause = f"the local CA signs the whole site, because of {listed}: {why}"
        advice = "give other names a site of their own, or silence this with `tls: local`"
        report.add(f"{cause}; {advice}", "tls", severity=model.Severity.WARNING)


def is_orderable(name: str) -> bool:
    """Whether a public CA signs this name after an HTTP-01 challenge (RFC 8555 section 8.3: never a wildcard)."""
    return names.is_signed_publicly(name) and not name.startswith("*.")


# --- routes ----------------------------------------------------------------------------------------------------


def _check_route(route: model.Route, report: _Report) -> None:
    report = report.at(route.origin)
    here = ("routes", route.path)
    report.add(rules.check_route_path(route.path), *here)
    report.add(rules.check_number(route.max_body_bytes, least=0, most=MAX_BODY_BYTES), *here, "max_body")
    _check_headers(route.request_headers, report, *here, "request_headers")
    _check_headers(route.response_headers, report, *here, "response_headers")
    match route.action:
        case model.Proxy():
            _check_proxy(route.action, report, here)
        case model.Redirect():
            _check_redirect(route.action, report, here, "redirect")
        case model.Files():
            report.add_value(route.action.folder, rules.check_absolute(route.action.folder), *here, "files")


def _check_headers(headers: tuple[model.Header, ...], report: _Report, *field: str) -> None:
    seen: set[str] = set()
    for name, value in headers:
        cause = rules.check_header_name(name, request=field[-1] == "request_headers")
        report.add_value(name, cause, *field, name)
        if name.lower() in seen:
            report.add("is given twice (header names ignore case)", *field, name)
        seen.add(name.lower())
        report.add(rules.check_text(value) or rules.check_variables(value), *field, name)


def _check_redirect(redirect: model.Redirect, report: _Report, here: Field, key: str) -> None:
    report.add_value(redirect.to, rules.check_redirect(redirect.to), *here, key)
    if redirect.status not in rules.REDIRECT_STATUSES:
        expected = words.listed(str(status) for status in rules.REDIRECT_STATUSES)
        report.add(f"{redirect.status} is not a redirect; expected {expected}", *here, "status")


def _check_proxy(proxy: model.Proxy, report: _Report, here: Field) -> None:
    for index, target in enumerate(proxy.targets):
        _check_target(target, report, (*here, "to", index))
    _check_targets_together(proxy, report, here)
    _check_balance(proxy, report, here)
    _check_upstream_tls(proxy, report, here)
    for name in ("connect", "read", "send", "idle"):
        value = getattr(proxy.timeouts, f"{name}_s")
        report.add(rules.check_number(value, least=0.001, most=rules.YEAR_S), *here, "timeout", name)
    report.add(rules.check_number(proxy.retries, least=0, most=100), *here, "retries")
    if proxy.host_header is not None:
        report.add_value(proxy.host_header, rules.check_host_header(proxy.host_header), *here, "host_header")
    report.add_value(proxy.document_root, rules.check_absolute(proxy.document_root), *here, "root")
    index_cause = rules.check_text(proxy.index)
    if index_cause is None and (not proxy.index or "/" in proxy.index or "$" in proxy.index):
        index_cause = "must be the name of a file, without a folder or a variable"
    report.add_value(proxy.index, index_cause, *here, "index")


def _check_target(target: model.Target, report: _Report, field: Field) -> None:
    if target.socket is not None:
        report.add(rules.check_socket(target.socket), *field)
        if target.host is not None or target.port is not None:
            report.add("has both a unix socket and a host", *field)
    elif target.host is None or target.port is None:
        report.add("needs a host and a port, or a unix socket", *field)
    else:
        report.add(rules.check_server(target.host), *field)
        if not 1 <= target.port <= 65535:
            report.add(f"port {target.port} is not between 1 and 65535", *field)
    if target.path is not None:
        report.add(rules.check_target_path(target.path), *field)
    numbers: tuple[tuple[str, float, float, float], ...] = (
        ("weight", target.weight, 1, 65535),
        ("max_fails", target.max_fails, 0, 65535),
        ("fail_timeout", target.fail_timeout_s, 0.001, rules.YEAR_S),
        ("max_connections", target.max_connections, 0, 1_000_000),
    )
    for name, value, least, most in numbers:
        report.add(rules.check_number(value, least=least, most=most), *field, name)


def _check_targets_together(proxy: model.Proxy, report: _Report, here: Field) -> None:
    """One `proxy_pass` serves the whole route, so all its servers speak the same and get the same path."""
    if not proxy.targets:
        report.add("is empty; expected at least one target", *here, "to")
        return
    first = proxy.targets[0]
    for index, target in enumerate(proxy.targets[1:], start=1):
        if target.scheme is not first.scheme:
            found = f"{words.quoted(str(target))} has another scheme than {words.quoted(str(first))}"
            report.add(f"{found}; all targets of a route must have the same", *here, "to", index)
        elif target.path != first.path:
            found = f"{words.quoted(str(target))} has another path than {words.quoted(str(first))}"
            report.add(f"{found}; all targets of a route must have the same", *here, "to", index)
    if all(target.down or target.backup for target in proxy.targets):
        report.add("no server is left: at least one must be neither `down` nor `backup`", *here, "to")


def _check_balance(proxy: model.Proxy, report: _Report, here: Field) -> None:
    field = (*here, "balance")
    if proxy.balance is model.Balance.HASH:
        key = proxy.hash_key or ""
        cause = rules.check_text(key) or rules.check_variables(key)
        if cause is None and "$" not in key:
            cause = 'needs a variable to tell requests apart, such as "hash $remote_addr"'
        report.add(cause, *field)
    elif proxy.hash_key is not None:
        report.add(f"a hash key has no meaning with {proxy.balance.value}", *field)
    if proxy.balance in _WITHOUT_BACKUP and any(target.backup for target in proxy.targets):
        report.add(f"{proxy.balance.value} cannot be used with a backup server (nginx refuses it)", *field)


def _check_upstream_tls(proxy: model.Proxy, report: _Report, here: Field) -> None:
    tls = proxy.tls
    if tls.ca_file is not None:
        report.add_value(tls.ca_file, rules.check_absolute(tls.ca_file), *here, "verify")
    if tls.name is not None:
        report.add(rules.check_server(tls.name), *here, "server_name")
    if tls != model.UpstreamTls() and not any(target.scheme in _ENCRYPTED for target in proxy.targets):
        key = "server_name" if tls.name is not None else "verify"
        report.add("has no effect: no target is https or grpcs", *here, key, severity=model.Severity.WARNING)


# --- what concerns no single site ------------------------------------------------------------------------------


def _check_listen(settings: model.Globals, report: _Report) -> None:
    seen: list[tuple[str, model.Address]] = []
    for kind, addresses in (("http", settings.listen_http), ("https", settings.listen_https)):
        if not addresses:
            report.add("is empty; expected at least one address", "listen", kind)
        for index, address in enumerate(addresses):
            field = ("listen", kind, index)
            report.add(_check_address(address), *field)
            for other_kind, other in seen:
                if _collide(address, other, same_kind=kind == other_kind):
                    report.add(f"{address} is already listened on by {other_kind} ({other})", *field)
                    break
            seen.append((kind, address))


def _check_address(address: model.Address) -> str | None:
    if not 1 <= address.port <= 65535:
        return f"port {address.port} is not between 1 and 65535"
    if address.host is None:
        return None
    found = names.address_of(address.host)
    if found is None or "%" in address.host or address.host.startswith("["):
        return f"{words.quoted(address.host)} is not an IP address"
    return None


def _collide(one: model.Address, other: model.Address, *, same_kind: bool) -> bool:
    """Every address (None) takes 0.0.0.0 and [::] of its port; for the other protocol it takes each one."""
    if one.port != other.port:
        return False
    hosts = {one.host, other.host}
    if len(hosts) == 1:
        return True
    return None in hosts and (not same_kind or bool(hosts & {"0.0.0.0", "::"}))  # noqa: S104 compared, not bound


def _check_acme(acme: model.Acme, report: _Report) -> None:
    report.add_value(acme.directory, rules.check_directory(acme.directory), "acme", "directory")
    if acme.email is not None:
        report.add_value(acme.email, rules.check_email(acme.email), "acme", "email")
    if acme.ca_file is not None:
        report.add_value(acme.ca_file, rules.check_absolute(acme.ca_file), "acme", "ca_file")


def _check_default(default: model.Default, sites: collections.abc.Sequence[model.Site], report: _Report) -> None:
    match default.kind:
        case model.DefaultKind.REDIRECT if default.redirect is not None:
            _check_redirect(default.redirect, report, ("default",), "redirect")
        case model.DefaultKind.SITE if default.host is not None:
            _check_default_site(default.host, sites, report)
        case model.DefaultKind.REFUSE:
            pass
        case _:
            report.add(f"kind {default.kind.value} needs a {default.kind.value}", "default")


def _check_default_site(host: str, sites: collections.abc.Sequence[model.Site], report: _Report) -> None:
    known = {site.host: site for site in sites}
    if host not in known:
        report.add(f"{words.quoted(host)} is not a site{words.guess(host, known)}", "default", "site")
    elif not known[host].enabled:
        cause = f"{words.quoted(host)} is disabled, so unknown hosts are refused"
        report.add(cause, "default", "site", severity=model.Severity.WARNING)


def _find_claimed_twice(sites: collections.abc.Sequence[model.Site]) -> tuple[model.Problem, ...]:
    owners: dict[str, model.Site] = {}
    problems: list[model.Problem] = []
    for site in sites:
        report = _Report(host=site.host, origin=site.origin)
        for index, name in enumerate(site.names):
            owner = owners.setdefault(name, site)
            if owner is not site:
                place = f" ({owner.origin})" if owner.origin != model.NOWHERE else ""
                cause = f"host {words.quoted(name)} already belongs to site {words.quoted(owner.host)}{place}"
                report.add(cause, *(("aliases", index - 1) if index else ()))
        problems += report.problems
    return tuple(problems)
