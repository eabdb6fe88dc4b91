"""What it means that nginx does not know a directive: a slip of the hand, or a module that this binary lacks."""

import re

from daemun.core.texts import words

_UNKNOWN = re.compile(r'unknown directive "(?P<name>[^"]*)"')
_NEW = {
    "http2": "1.25.1",
    "http3": "1.25.0",
    "quic": "1.25.0",
    "keepalive_min_timeout": "1.27.4",
    "early_hints": "1.29.0",
    "add_header_inherit": "1.29.3",
    "add_trailer_inherit": "1.29.3",
    "sticky": "1.29.6",
}
"""Directives (by their beginning) of nginx itself that are younger than many binaries. Source: nginx.org/en/CHANGES"""

_MODULES = {
    "acme_": "ngx_http_acme_module",
    "add_after_body": "ngx_http_addition_module (--with-http_addition_module)",
    "add_before_body": "ngx_http_addition_module (--with-http_addition_module)",
    "addition_types": "ngx_http_addition_module (--with-http_addition_module)",
    "auth_jwt": "ngx_http_auth_jwt_module (NGINX Plus)",
    "auth_ldap": "nginx-auth-ldap",
    "auth_pam": "ngx_http_auth_pam_module",
    "auth_request": "ngx_http_auth_request_module (--with-http_auth_request_module)",
    "brotli": "ngx_brotli",
    "cache_purge": "ngx_cache_purge",
    "dav_ext": "nginx-dav-ext-module",
    "dav_methods": "ngx_http_dav_module (--with-http_dav_module)",
    "create_full_put_path": "ngx_http_dav_module (--with-http_dav_module)",
    "echo": "echo-nginx-module",
    "fancyindex": "ngx-fancyindex",
    "flv": "ngx_http_flv_module (--with-http_flv_module)",
    "geoip2": "ngx_http_geoip2_module",
    "geoip": "ngx_http_geoip_module (--with-http_geoip_module)",
    "gunzip": "ngx_http_gunzip_module (--with-http_gunzip_module)",
    "gzip_static": "ngx_http_gzip_static_module (--with-http_gzip_static_module)",
    "image_filter": "ngx_http_image_filter_module (--with-http_image_filter_module)",
    "js_": "ngx_http_js_module (njs)",
    "modsecurity": "ModSecurity-nginx",
    "more_clear": "headers-more-nginx-module",
    "more_set": "headers-more-nginx-module",
    "mp4": "ngx_http_mp4_module (--with-http_mp4_module)",
    "nchan": "nchan",
    "opentracing": "nginx-opentracing",
    "otel": "ngx_otel_module",
    "passenger": "Phusion Passenger",
    "pagespeed": "ngx_pagespeed",
    "perl": "ngx_http_perl_module (--with-http_perl_module)",
    "proxy_cache_purge": "ngx_cache_purge",
    "push_stream": "nginx-push-stream-module",
    "random_index": "ngx_http_random_index_module (--with-http_random_index_module)",
    "secure_link": "ngx_http_secure_link_module (--with-http_secure_link_module)",
    "set_decode": "set-misc-nginx-module",
    "set_encode": "set-misc-nginx-module",
    "set_escape": "set-misc-nginx-module",
    "set_real_ip_from": "ngx_http_realip_module (--with-http_realip_module)",
    "real_ip": "ngx_http_realip_module (--with-http_realip_module)",
    "slice": "ngx_http_slice_module (--with-http_slice_module)",
    "stub_status": "ngx_http_stub_status_module (--with-http_stub_status_module)",
    "sub_filter": "ngx_http_sub_module (--with-http_sub_module)",
    "subs_filter": "ngx_http_substitutions_filter_module",
    "upload": "nginx-upload-module",
    "upstream_fair": "nginx-upstream-fair",
    "vhost_traffic_status": "nginx-module-vts",
    "xslt": "ngx_http_xslt_module (--with-http_xslt_module)",
    "zstd": "zstd-nginx-module",
}
"""The beginning of a directive's name -> the module that has it. Source: nginx.org/en/docs/dirindex.html and the
modules' own pages."""


def explain(message: str, *, binary: str) -> str:
    """nginx's words, and what an unknown directive in them most likely is. binary: the path of this nginx."""
    match = _UNKNOWN.search(message)
    if match is None:
        return message
    name, here = match["name"], f"this nginx ({binary})"
    new = next((since for begin, since in _NEW.items() if name.startswith(begin)), None)
    module = max((begin for begin in _MODULES if name.startswith(begin)), key=len, default=None)
    if new is not None:
        return f"{message}: {here} lacks it, nginx has it since {new}; name another nginx with --nginx PATH"
    if module is not None:
        return f"{message}: {here} lacks the module {_MODULES[module]}; name another nginx with --nginx PATH"
    guess = words.guess(name, _known())
    if guess:
        return f"{message}{guess}"
    return (
        f"{message}: {here} has no module that knows it; correct its spelling, or name another nginx with --nginx PATH"
    )


def _known() -> list[str]:
    from crossplane import analyzer  # noqa: PLC0415 - only a refusal needs it

    return sorted(analyzer.DIRECTIVES)
