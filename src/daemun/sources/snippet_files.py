"""The files that hand-written nginx names: they start at the folder of daemun.yaml, and must be there."""

import collections.abc
import contextlib
import dataclasses
import os
import pathlib

from daemun import causes, errors, regular_files
from daemun.core import directive, model
from daemun.core.options import user_option

_FIRST = frozenset(
    {
        "access_log",
        "alias",
        "auth_basic_user_file",
        "auth_jwt_key_file",
        "client_body_temp_path",
        "error_log",
        "fastcgi_cache_path",
        "fastcgi_store",
        "fastcgi_temp_path",
        "geoip2",
        "geoip_city",
        "geoip_country",
        "geoip_org",
        "include",
        "js_include",
        "js_path",
        "modsecurity_rules_file",
        "perl_modules",
        "proxy_cache_path",
        "proxy_store",
        "proxy_temp_path",
        "root",
        "scgi_cache_path",
        "scgi_store",
        "scgi_temp_path",
        "uwsgi_cache_path",
        "uwsgi_store",
        "uwsgi_temp_path",
        "xslt_stylesheet",
    }
)
"""Directives whose first argument is a path."""

_TLS = (
    "certificate",
    "certificate_key",
    "client_certificate",
    "crl",
    "dhparam",
    "password_file",
    "trusted_certificate",
)
_TLS_ALSO = ("ech_file", "session_ticket_key", "stapling_file")
OF_TLS = frozenset(
    {f"ssl_{end}" for end in (*_TLS, *_TLS_ALSO)}
    | {f"{module}_ssl_{end}" for module in ("proxy", "grpc", "uwsgi") for end in _TLS}
)
SECRET = frozenset(
    name for name in OF_TLS if name.endswith(("certificate_key", "password_file", "session_ticket_key", "ech_file"))
) | {"auth_jwt_key_file"}
"""Directives whose file has a key or a password of ours."""
_NO_PATHS = ("/", "$", "syslog:", "memory:", "data:", "engine:", "store:", "unix:", "@")
_WORDS = frozenset({"off", "on", "stderr"})

_CERTIFICATE = frozenset({"ssl_certificate"})
_AT_EACH_REQUEST = frozenset({"auth_basic_user_file"})
"""nginx opens these when a visitor comes, and logs nothing at its start where one is missing."""


def absolute(nodes: model.Snippet, base: pathlib.Path) -> model.Snippet:
    """The same with relative paths of files made absolute. base: an absolute folder."""
    return tuple(_absolute(node, base) for node in nodes)


def _absolute(node: directive.Node, base: pathlib.Path) -> directive.Node:
    if isinstance(node, directive.Comment):
        return node
    block = None if node.block is None else absolute(node.block, base)
    args = node.args
    if args and node.block is None and (node.name in _FIRST or node.name in OF_TLS) and _is_relative(args[0].value):
        end = "/" if args[0].value.endswith("/") else ""  # `alias` is another folder without it
        args = (directive.Expr(os.path.normpath(base / args[0].value) + end), *args[1:])
    return dataclasses.replace(node, args=args, block=block)


def _is_relative(value: str) -> bool:
    return bool(value) and not value.startswith(_NO_PATHS) and value not in _WORDS


FindWorker = collections.abc.Callable[[str | None], model.WorkerAccount | None]
"""The account that is configured -> the one there is; None: workers are who daemun is.

Raises: EnvironmentProblemError when there is none."""


def find_problems(snapshot: model.Snapshot, find_worker: FindWorker) -> list[model.Problem]:
    """Files that hand-written nginx names and nginx opens when a visitor comes: it would answer 403, or end the
    handshake, without a word.

    Blocking, microseconds.
    """
    certificates = _find_certificates(snapshot)
    named = _find_all(snapshot)
    if not named:
        return certificates
    with contextlib.suppress(errors.EnvironmentProblemError):  # reported where nginx is to be started
        worker = find_worker(user_option.OPTION.of(snapshot.globals or model.Globals()))
        return certificates + [problem for host, line in named for problem in _judge(host, line, worker)]
    return certificates


def _find_certificates(snapshot: model.Snapshot) -> list[model.Problem]:
    """Those that stand beside the site's own, which nginx loads at a handshake alone."""
    found = []
    for site in snapshot.sites:
        if not site.enabled or site.tls.mode is model.TlsMode.OFF:
            continue
        for line in _find_named(site.snippet, _CERTIFICATE):
            path = line.args[0].value
            cause = _why_unreadable(pathlib.Path(path), None)
            seen = "is beside the site's own, and visitors get either of them" if cause is None else "ends handshakes"
            why = "" if cause is None else f": cannot read {path}: {cause}"
            cure = f"write `tls: {{certificate: {path}, key: FILE}}` in the site in its place"
            severity = model.Severity.WARNING if cause is None else model.Severity.ERROR
            origin = model.Origin(source="file", place=line.beside)
            message = f"`{line.name}` {seen}{why}; {cure}"
            found.append(model.Problem(origin=origin, message=message, host=site.host, severity=severity))
    return found


def find_passwords(snapshot: model.Snapshot) -> tuple[str, ...]:
    """Absolute paths of the files whose visitors' passwords nginx checks."""
    return _paths(_find_all(snapshot))


def find_secrets(snapshot: model.Snapshot) -> tuple[str, ...]:
    """Absolute paths of the files that hand-written nginx takes keys from."""
    return _paths(_find_all(snapshot, SECRET))


def _paths(found: list[tuple[str | None, directive.Directive]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.args[0].value for _, line in found if line.args[0].value[:1] == "/"))


def _find_all(
    snapshot: model.Snapshot, names: frozenset[str] = _AT_EACH_REQUEST
) -> list[tuple[str | None, directive.Directive]]:
    """With the hosts that they belong to."""
    settings = snapshot.globals or model.Globals()
    written: list[tuple[str | None, model.Snippet]] = [(None, settings.snippet)]
    for site in snapshot.sites:
        if site.enabled:
            written += [(site.host, one) for one in (site.snippet, *(route.snippet for route in site.routes)) if one]
    return [(host, line) for host, nodes in written for line in _find_named(nodes, names)]


def _find_named(nodes: model.Snippet, names: frozenset[str]) -> collections.abc.Iterator[directive.Directive]:
    for node in nodes:
        if isinstance(node, directive.Comment):
            continue
        if node.name in names and node.args and "$" not in node.args[0].value:
            yield node
        if node.block is not None:
            yield from _find_named(node.block, names)


def _judge(host: str | None, line: directive.Directive, worker: model.WorkerAccount | None) -> list[model.Problem]:
    path = line.args[0].value
    cause = _why_unreadable(pathlib.Path(path), worker)
    if cause is None:
        return []
    message = f"`{line.name}`: cannot read {path}: {cause}; until then every visitor is refused"
    origin = model.Origin(source="file", place=line.beside)
    return [model.Problem(origin=origin, message=message, host=host, severity=model.Severity.WARNING)]


def _why_unreadable(path: pathlib.Path, worker: model.WorkerAccount | None) -> str | None:
    """None: nginx's workers can read it."""
    try:
        regular_files.open_for_reading(path).close()
        return find_closed(path.resolve(), worker)
    except OSError as error:
        return causes.describe(error)


def find_closed(resolved: pathlib.Path, worker: model.WorkerAccount | None) -> str | None:
    """Which folder or file on the way to a path, itself among them, nginx's workers have no right to, with the cure;
    None: they have. Raises: OSError."""
    if worker is None or worker.uid == 0:
        return None
    groups = {worker.gid, *os.getgrouplist(worker.user, worker.gid)}
    for place in (*reversed(resolved.parents), resolved):
        found, letter = place.stat(), "x" if place.is_dir() else "r"
        shift = 6 if found.st_uid == worker.uid else 3 if found.st_gid in groups else 0
        if not (found.st_mode >> shift) & (0o1 if letter == "x" else 0o4):
            cure = f"`chgrp {worker.group} {place} && chmod g+{letter} {place}`"
            who = f'"{worker.user}", the account of nginx\'s workers,'
            return f"{who} has no right to {place}; give it one, as by {cure}"
    return None
