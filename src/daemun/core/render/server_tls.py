"""How the certificate of an https or grpcs server behind the gate is checked."""

import dataclasses

from daemun.core import arguments, directive, model, names, words
from daemun.core.render import site_scope
from daemun.errors import RenderError

_DEPTH = "5"
"""nginx's own default of 1 refuses chains with a cross-signed intermediate."""


def lines(scope: site_scope.Scope, proxy: model.Proxy, module: str) -> tuple[directive.Directive, ...]:
    """module: "proxy" or "grpc". Raises: RenderError when a check was asked for that nginx cannot make."""
    name = _name(proxy)
    written = [arguments.line(f"{module}_ssl_protocols", "TLSv1.2", "TLSv1.3")]
    if name is not None:
        written += [arguments.line(f"{module}_ssl_server_name", "on"), arguments.line(f"{module}_ssl_name", name)]
    if proxy.tls.verify:
        roots = proxy.tls.ca_file or scope.environment.ca_bundle
        if roots is None:
            raise RenderError(
                "this machine has no trusted roots to verify https servers with; "
                "install ca-certificates, name a CA file, or turn verification off"
            )
        trusted = arguments.line(f"{module}_ssl_trusted_certificate", roots)
        written += [
            arguments.line(f"{module}_ssl_verify", "on"),
            arguments.line(f"{module}_ssl_verify_depth", _DEPTH),
            dataclasses.replace(trusted, beside=directive.content(proxy.tls.ca_digest))
            if proxy.tls.ca_digest
            else trusted,
        ]
    return tuple(written)


def _name(proxy: model.Proxy) -> str | None:
    """The name that is sent as SNI and that the certificate must carry; None: nothing is sent and nothing compared.

    nginx has one name for a whole location, and compares it with DNS names only (`X509_check_host`), never with the
    addresses a certificate may carry.
    """
    if proxy.tls.name is not None:
        return proxy.tls.name
    hosts = {target.host for target in proxy.targets}
    host = hosts.pop()
    if hosts:
        if not proxy.tls.verify and all(_is_nameless(other) for other in {host, *hosts}):
            return None
        raise RenderError("its https targets have several hosts, and nginx asks for one name; set `server_name`")
    if not _is_nameless(host):
        return host
    if proxy.tls.verify:
        shown = words.quoted(str(proxy.targets[0]))
        raise RenderError(
            f"the certificate of {shown} cannot be verified: nginx compares names only; "
            "set `server_name` to a name the certificate carries, or turn verification off"
        )
    return None


def _is_nameless(host: str | None) -> bool:
    return host is None or names.address_of(host) is not None
