"""The rules of one route: its path, its servers, its headers, and what nginx cannot do with them together. Pure."""

from daemun.core import model, names, problem_report, rules, validate_health, validate_site, words

_ENCRYPTED = frozenset({model.Scheme.HTTPS, model.Scheme.GRPCS})
_CGI = frozenset({model.Scheme.FASTCGI, model.Scheme.UWSGI, model.Scheme.SCGI})
_WITHOUT_BACKUP = frozenset({model.Balance.HASH, model.Balance.IP_HASH, model.Balance.RANDOM})
_CGI_NAME_CHARACTERS = 40
_LONGEST_HOLD_S = 3600.0
_MOST_KEPT = 65535


def check_route(route: model.Route, report: problem_report.ProblemReport) -> None:
    """One route, seen alone."""
    report = report.at(route.origin)
    here = ("routes", route.path)
    with_patterns = report.origin.source == "docker"  # only containers can ask for them (`compat`)
    report.add(rules.check_route_path(route.path, with_patterns=with_patterns), *here)
    targets = route.action.targets if isinstance(route.action, model.Proxy) else ()
    if route.path.startswith("~") and any(target.path is not None for target in targets):
        report.add("a regular expression has no prefix that a target's path could replace", *here, "to")
    report.add(rules.check_number(route.max_body_bytes, least=0, most=rules.MAX_BYTES_OF_A_FILE), *here, "max_body")
    validate_site.check_compress(route.compress, report, *here)
    _check_headers(route.request_headers, report, *here, "request_headers")
    _check_headers(route.response_headers, report, *here, "response_headers")
    match route.action:
        case model.Proxy():
            _check_proxy(route.action, report, here)
            _check_gateway_headers(route, route.action, report)
        case model.Redirect():
            check_redirect(route.action, report, here, "redirect")
            _check_what_is_dropped(route, route.action, report, here)
            _check_own_answer(route, report)
        case model.Files():
            report.add_value(route.action.folder, rules.check_absolute(route.action.folder), *here, "files")
            if route.action.spa and "$" in route.path:
                report.add("cannot be under a path with a $ (nginx would take it for a variable)", *here, "spa")
            _check_own_answer(route, report)


def _check_what_is_dropped(
    route: model.Route, redirect: model.Redirect, report: problem_report.ProblemReport, here: problem_report.Field
) -> None:
    """A redirect is for all paths with its prefix, and leads all of them to one place. Who writes a variable knows."""
    if route.path == "/" or route.path.startswith("~") or "$" in redirect.to:
        return
    more = f"{route.path}more" if route.path.endswith("/") else f"{route.path}/more"
    also = "" if route.path.endswith("/") else f" and {words.quoted(route.path + 'ly')}"
    cause = (
        f"leads every path under it there, {words.quoted(more + '?x=1')}{also} among them, without the rest and the "
        f"query; with $is_args$args at its end the query is kept, and for one path alone write "
        f"`location = {route.path} {{ return {redirect.status} ...; }}` under the site's `nginx:`"
    )
    report.add(cause, *here, "redirect", severity=model.Severity.WARNING)


def check_files_together(routes: tuple[model.Route, ...], report: problem_report.ProblemReport) -> None:
    """Files under "/assets" are those under "/assets/": the first path only leads to the second."""
    paths = {route.path for route in routes}
    for route in routes:
        if isinstance(route.action, model.Files) and not route.path.endswith("/") and f"{route.path}/" in paths:
            cause = f"files under it are files under {words.quoted(route.path + '/')}, which is a route of its own"
            report.at(route.origin).add(f"{cause}; keep one of them", "routes", route.path)


def _check_own_answer(route: model.Route, report: problem_report.ProblemReport) -> None:
    """What nginx answers itself."""
    for name, _ in route.request_headers[:1]:
        report.add("have no server to go to", "routes", route.path, "request_headers", name)
    for name, _ in route.response_headers:
        if name.lower() == "content-type":
            cause = "cannot be set where no server answers: files have the type of their ending"
            report.add(cause, "routes", route.path, "response_headers", name)


def _check_gateway_headers(route: model.Route, proxy: model.Proxy, report: problem_report.ProblemReport) -> None:
    """What servers that do not speak HTTP cannot be told."""
    schemes = {target.scheme for target in proxy.targets}
    names_given = [name for name, _ in route.request_headers]
    here = ("routes", route.path)
    if model.Scheme.MEMCACHED in schemes:
        if names_given:
            report.add("cannot be sent to memcached", *here, "request_headers", names_given[0])
        if proxy.host_header is not None:
            report.add("cannot be sent to memcached", *here, "host_header")
    if schemes & _CGI:
        for name in names_given:
            if len(name) > _CGI_NAME_CHARACTERS:
                cause = f"is too long for a CGI parameter: {len(name)} characters, at most {_CGI_NAME_CHARACTERS}"
                report.add_value(name, cause, *here, "request_headers", name)


def _check_headers(headers: tuple[model.Header, ...], report: problem_report.ProblemReport, *field: str) -> None:
    seen: set[str] = set()
    for name, value in headers:
        cause = rules.check_header_name(name, request=field[-1] == "request_headers")
        report.add_value(name, cause, *field, name)
        if name.lower() in seen:
            report.add("is given twice (header names ignore case)", *field, name)
        seen.add(name.lower())
        report.add(rules.check_text(value) or rules.check_variables(value), *field, name)


def check_redirect(
    redirect: model.Redirect, report: problem_report.ProblemReport, here: problem_report.Field, key: str
) -> None:
    """key: what holds the redirect's target, below `here`."""
    report.add_value(redirect.to, rules.check_redirect(redirect.to), *here, key)
    if redirect.status not in rules.REDIRECT_STATUSES:
        expected = words.listed(str(status) for status in rules.REDIRECT_STATUSES)
        report.add(f"{redirect.status} is not a redirect; expected {expected}", *here, "status")


def _check_proxy(proxy: model.Proxy, report: problem_report.ProblemReport, here: problem_report.Field) -> None:
    for index, target in enumerate(proxy.targets):
        _check_target(target, report, (*here, "to", index))
    _check_targets_together(proxy, report, here)
    _check_balance(proxy, report, here)
    _check_upstream_tls(proxy, report, here)
    for name in ("connect", "read", "send", "body", "idle", "keepalive"):
        value = getattr(proxy.timeouts, f"{name}_s")
        report.add(rules.check_number(value, least=0.001, most=rules.YEAR_S), *here, "timeout", name)
    report.add(rules.check_number(proxy.retries, least=0, most=100), *here, "retries")
    if proxy.keepalive is not None:
        report.add(rules.check_number(proxy.keepalive, least=0, most=_MOST_KEPT), *here, "keepalive")
    validate_health.check_health(proxy, report, here)
    report.add(rules.check_number(proxy.hold_s, least=0, most=_LONGEST_HOLD_S), *here, "hold")
    if proxy.host_header is not None:
        report.add_value(proxy.host_header, rules.check_host_header(proxy.host_header), *here, "host_header")
    report.add_value(proxy.document_root, rules.check_absolute(proxy.document_root), *here, "root")
    index_cause = rules.check_text(proxy.index)
    if index_cause is None and (not proxy.index or "/" in proxy.index or "$" in proxy.index):
        index_cause = "must be the name of a file, without a folder or a variable"
    report.add_value(proxy.index, index_cause, *here, "index")


def _check_target(target: model.Target, report: problem_report.ProblemReport, field: problem_report.Field) -> None:
    if target.pool is not None:
        if (target.host, target.port, target.socket) != (None, None, None):
            report.add("has both a pool and a place of its own", *field)
        if report.origin.source == "file":
            report.add("is a pool, which only containers fill; expected a host or a unix socket", *field)
    elif target.socket is not None:
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


def _check_targets_together(
    proxy: model.Proxy, report: problem_report.ProblemReport, here: problem_report.Field
) -> None:
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


def _check_balance(proxy: model.Proxy, report: problem_report.ProblemReport, here: problem_report.Field) -> None:
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


def _check_upstream_tls(proxy: model.Proxy, report: problem_report.ProblemReport, here: problem_report.Field) -> None:
    tls = proxy.tls
    if tls.ca_file is not None:
        report.add_value(tls.ca_file, rules.check_absolute(tls.ca_file), *here, "verify")
    if tls.name is not None:
        report.add(rules.check_server(tls.name), *here, "server_name")
    if any(target.scheme in _ENCRYPTED for target in proxy.targets):
        report.add(_find_name_cause(proxy), *here, "to")
    elif tls != model.UpstreamTls():
        key = "server_name" if tls.name is not None else "verify"
        report.add("has no effect: no target is https or grpcs", *here, key, severity=model.Severity.WARNING)


def _find_name_cause(proxy: model.Proxy) -> str | None:
    """nginx compares a server's certificate with one name for the whole route, and with names only (proxy_ssl_name)."""
    if proxy.tls.name is not None:
        return None
    hosts = {target.host for target in proxy.targets}
    nameless = [target for target in proxy.targets if target.host is None or names.address_of(target.host)]
    if len(nameless) == len(proxy.targets):
        if not proxy.tls.verify:
            return None
        shown = words.quoted(str(nameless[0]))
        cause = f"the certificate of {shown} cannot be verified, because nginx compares names only"
        return f"{cause}; set `server_name` to a name it carries, or `verify: false`"
    return (
        "the https targets have several hosts; set `server_name`, the one name nginx asks for"
        if len(hosts) > 1
        else None
    )
