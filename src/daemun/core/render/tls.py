"""TLS for all sites: Mozilla's intermediate profile, version 5.7 (ssl-config.mozilla.org)."""

from daemun.core import directive, model
from daemun.core.render import values

_CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-GCM-SHA384",
        "DHE-RSA-CHACHA20-POLY1305",
    )
)

CERTIFICATE_VALID = "1s"
"""How long a worker uses a certificate before it looks whether the file changed (DESIGN.md decision 3). A look is one
stat(2), so the shortest time nginx knows costs nothing and makes a renewed certificate live at once."""


def lines(sites: tuple[model.Site, ...]) -> tuple[directive.Node, ...]:
    """For the http level."""
    kept = max(1000, 4 * len(sites))  # a chain and a key per site, twice over while they are replaced
    return (
        values.line("ssl_protocols", "TLSv1.2", "TLSv1.3"),
        values.line("ssl_ciphers", _CIPHERS),
        values.line("ssl_prefer_server_ciphers", "off"),
        values.line("ssl_ecdh_curve", "X25519:prime256v1:secp384r1"),
        directive.Comment("Workers share sessions; with a shared cache nginx makes new ticket keys by itself."),
        values.line("ssl_session_cache", "shared:daemun_sessions:10m"),
        values.line("ssl_session_timeout", "1d"),
        values.line("ssl_session_tickets", "on"),
        directive.Comment("Certificates are loaded by the handshakes that need them; a renewed one needs no reload."),
        values.line("ssl_certificate_cache", f"max={kept}", f"valid={CERTIFICATE_VALID}", "inactive=1h"),
    )
