"""How the certificate of an https, h2 or grpcs server behind the gate is checked."""

import dataclasses

from daemun.core import arguments, directive, model
from daemun.core.options import upstream_tls_options
from daemun.core.render import site_scope
from daemun.core.texts import names
from daemun.errors import RenderError

DEPTH = "5"
"""nginx's own default of 1 refuses chains with a cross-signed intermediate."""


def lines(scope: site_scope.Scope, proxy: model.Proxy, module: str) -> tuple[directive.Directive, ...]:
    """module: "proxy" or "grpc". Raises: RenderError when a check is set that nginx cannot make."""
    tls = upstream_tls_options.find_tls(proxy)
    name = _name(proxy, tls)
    written = [arguments.line(f"{module}_ssl_protocols", "TLSv1.2", "TLSv1.3")]
    if name is not None:
        written += [arguments.line(f"{module}_ssl_server_name", "on"), arguments.line(f"{module}_ssl_name", name)]
    if tls.verify:
        roots = tls.ca_file or scope.environment.ca_bundle
        if roots is None:
            raise RenderError(
                "this machine has no trusted roots to verify https servers with; "
                "install ca-certificates, name a CA file, or turn verification off"
            )
        trusted = arguments.line(f"{module}_ssl_trusted_certificate", roots)
        written += [
            arguments.line(f"{module}_ssl_verify", "on"),
            arguments.line(f"{module}_ssl_verify_depth", DEPTH),
            dataclasses.replace(trusted, beside=directive.content(tls.ca_digest)) if tls.ca_digest else trusted,
        ]
    return tuple(written)


def _name(proxy: model.Proxy, tls: model.UpstreamTls) -> str | None:
    """The name that is sent as SNI and that the certificate must carry; None: nothing is sent and nothing compared.

    nginx has one name for a whole location, and compares it with DNS names only (`X509_check_host`), never with the
    addresses a certificate may carry. So the rules want one name, unless nothing is checked.
    """
    host = proxy.targets[0].host
    is_nameless = host is None or names.address_of(host) is not None
    return tls.name if tls.name is not None or is_nameless else host
