"""TLS for all sites (`options.tls_policy_form`), and where one differs."""

import dataclasses

from daemun.core import arguments, directive, model, render_environment
from daemun.core.options import on_demand_option, tls_policy_form
from daemun.core.render import site_scope

CERTIFICATE_VALID = "0s"
"""How long a worker uses a certificate before it looks whether the file changed (DESIGN.md decision 3), which matters
where handshakes do not look for themselves (`server.certificate`). It counts whole seconds, so with 0s it looks once in
each, with 1s in every other one (ngx_ssl_cache_connection_fetch in ngx_event_openssl_cache.c). A look is one stat(2),
which is nothing beside a handshake."""


_KEPT_BY_ALL = 12_000
"""Certificates and keys that all workers together may keep: one of each takes 18 kB, and to load them again costs a
handshake 0.2 ms (measured with 1.31.3 and chains of three)."""
_KEPT_AT_LEAST = 1000

_CURVES = "X25519:prime256v1:secp384r1"
_POST_QUANTUM = "?X25519MLKEM768"
"""First of the curves where OpenSSL has it, so that what is recorded today stays secret from the quantum computers of
later years (draft-ietf-tls-ecdhe-mlkem). An OpenSSL that has it not passes over a name with this mark, should another
nginx read the file (SSL_CTX_set1_groups_list(3)). A client that does not know it is served as before."""


def lines(
    sites: tuple[model.Site, ...],
    policy: model.TlsPolicy | None,
    env: render_environment.Environment,
    *,
    has_two_types: bool = False,
    has_clients: bool = False,
) -> tuple[directive.Node, ...]:
    """For the http level. policy: None: Mozilla's intermediate one. has_two_types: sites have two certificates each.
    has_clients: sites ask visitors for certificates, which no session may outlive (`render.client_certificates`)."""
    # A chain and a key per site and per name that may be added, twice over while they are replaced.
    wanted = (8 if has_two_types else 4) * (
        len(sites) + sum(wanted.most for site in sites if (wanted := on_demand_option.OPTION.of(site)) is not None)
    )
    return (
        *_policy(policy or tls_policy_form.INTERMEDIATE),
        _curves(env),
        *_sessions(has_clients=has_clients),
        *_ticket_keys(env),
        directive.Comment("Certificates are loaded by the handshakes that need them; a renewed one needs no reload."),
        _certificate_cache(wanted, env),
    )


def stream_lines(policy: model.TlsPolicy | None, env: render_environment.Environment) -> tuple[directive.Node, ...]:
    """The same for the stream level, where few names are."""
    return (
        *_policy(policy or tls_policy_form.INTERMEDIATE),
        _curves(env),
        arguments.line("ssl_session_cache", "shared:daemun_stream_sessions:1m"),
        arguments.line("ssl_session_timeout", "1d"),
        arguments.line("ssl_session_tickets", "on"),
        *_ticket_keys(env),
        _certificate_cache(0, env),
    )


def _ticket_keys(env: render_environment.Environment) -> tuple[directive.Directive, ...]:
    """Those of a fleet, so that a session begun at one machine goes on at any other. The first encrypts."""
    return tuple(arguments.line("ssl_session_ticket_key", path) for path in env.ticket_keys)


def _curves(env: render_environment.Environment) -> directive.Directive:
    is_post_quantum = render_environment.Feature.POST_QUANTUM in env.nginx.features
    return arguments.line("ssl_ecdh_curve", f"{_POST_QUANTUM}:{_CURVES}" if is_post_quantum else _CURVES)


def _certificate_cache(wanted: int, env: render_environment.Environment) -> directive.Directive:
    """wanted: how many certificates and keys."""
    kept = max(_KEPT_AT_LEAST, min(wanted, _KEPT_BY_ALL // max(env.workers, 1)))  # each worker has its own
    return arguments.line("ssl_certificate_cache", f"max={kept}", f"valid={CERTIFICATE_VALID}", "inactive=1h")


def _sessions(*, has_clients: bool) -> tuple[directive.Node, ...]:
    cache = "off" if has_clients else "shared:daemun_sessions:10m"
    return (
        directive.Comment(
            "Tickets alone: sites that ask visitors for certificates have none, so each handshake is whole."
            if has_clients
            else "Workers share sessions; with a shared cache nginx makes new ticket keys by itself."
        ),
        arguments.line("ssl_session_cache", cache),
        arguments.line("ssl_session_timeout", "1d"),
        arguments.line("ssl_session_tickets", "on"),
    )


def site_lines(scope: site_scope.Scope) -> tuple[directive.Directive, ...]:
    """Where one site differs. nginx takes them by the name in the handshake, so no other site is touched."""
    site = scope.site
    written: list[directive.Directive] = []
    if site.http2 is not None and render_environment.Feature.HTTP_V2 in scope.environment.nginx.features:
        written.append(arguments.line("http2", "on" if site.http2 else "off"))
    if site.tls.policy is not None:
        written += _policy(site.tls.policy)
    if site.tls.clients is not None:
        clients = site.tls.clients
        trusted = arguments.line("ssl_client_certificate", clients.ca_file)
        note = directive.content(clients.digest) if clients.digest else ""
        written.append(dataclasses.replace(trusted, beside=note))
        written.append(arguments.line("ssl_verify_client", "optional" if clients.is_optional else "on"))
        written.append(arguments.line("ssl_verify_depth", "5"))
        if clients.crl_file is not None:
            written.append(arguments.line("ssl_crl", clients.crl_file))
        written.append(arguments.line("ssl_session_tickets", "off"))
    return tuple(written)


def _policy(policy: model.TlsPolicy) -> tuple[directive.Directive, ...]:
    return (
        arguments.line("ssl_protocols", *policy.protocols),
        arguments.line("ssl_ciphers", policy.ciphers),
        arguments.line("ssl_prefer_server_ciphers", "on" if policy.prefers_server else "off"),
    )
