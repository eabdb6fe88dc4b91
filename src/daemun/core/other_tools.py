"""What people write in other tools, and what it is here: the one table to extend.

Words are compared by their letters alone, so `forwardAuth` and `forward_auth` are one entry. A text goes on where the
message 'unknown key "proxy_pass": ' stops. Keys of daemun.yaml stand in it as `key`; a test looks each of them up.
"""

from daemun.core import words

_TARGET = "the server is the route's value, `/: http://127.0.0.1:3000`, or `to:` in its map"
_NAMES = "the site's name is its key under `sites:`; further names are `aliases: [www.example.com]` in the site"
_PATH = "paths are keys: `/api/: http://127.0.0.1:3000` under the site, or under `routes:` beside its options"
_PORTS = "ports that visitors use are `listen: {http: 80, https: 443}` at the top; a server's port stands in its URL"
_FILES = "a folder is `files: /srv/www` in a route, `spa: true` beside it for single-page applications"
_REDIRECT = "write `redirect: https://example.com/new`, and `status: 308` if it should be that, in a route"
_HTTPS = "certificates come by themselves; `tls:` of a site says otherwise (`acme`, `local`, `off`, or your own files)"
_OWN_CERTIFICATE = "write `tls: {certificate: fullchain.pem, key: privkey.pem}` in the site"
_EMAIL = "write `acme: {email: me@example.com}` at the top"
_CA = "write `acme: {directory: letsencrypt}` at the top, or the https URL of a CA"
_DNS = "write `acme: {dns: {provider: NAME}}` at the top; docs/certificates.md has the providers"
_WEBSOCKET = "WebSockets work on every route by themselves; leave it out (`timeout: {idle: 1d}` is how long one rests)"
_FORWARDED = "X-Forwarded-For and the like are sent by themselves; leave it out, or set one in `request_headers`"
_HTTP2 = "HTTP/2 is on by itself wherever there is HTTPS; leave it out"
_HTTP3 = "there is no HTTP/3: a reload of nginx would end its connections"
_COMPRESSION = (
    "answers are compressed by themselves; `compress: false`, or a list of media types, says otherwise (docs/nginx.md)"
)
_BODY = "write `max_body: 1g`, or `off`, in a route"
_TIMEOUT = "write `timeout: {connect: 5s, read: 10m, send: 10m, idle: 1d}` in a route"
_HEADERS = "write `response_headers: {NAME: value}` for visitors, `request_headers: {NAME: value}` for the server"
_BALANCE = "write `balance: least_conn` (or `ip_hash`, `sticky`, ...) in a route with several servers under `to:`"
_HEALTH = "write `health: /healthz` in a route"
_RETRIES = "write `retries: 2` in a route"
_LOGS = "write `logs: {access: true}` at the top; the files are in the state directory under logs/"
_STRIP = "a target with a path replaces the prefix: `/api/: http://127.0.0.1:3000/` sends /api/x to /x"
_CATCH_ALL = "`default:` at the top says what every other host gets: `refuse`, `{site: HOST}` or `{redirect: URL}`"
_TRUSTED = "write `trusted_proxies: [10.0.0.0/8]` at the top"
_SERVER_CHECK = "write `verify: false`, or the path of a CA file, in a route to an https server"
_SERVER_NAME = "write `server_name: HOST` in a route to an https server"
_HOST = "visitors' Host is passed on by itself; another one is `host_header: HOST` in a route"
_DOCKER = "containers are found by their labels, see docs/docker.md; `docker:` at the top says where the engine is"
_UPSTREAM_TLS = "write `https://` in the target's URL"
_BUFFERING = "write `buffering: false` in a route"
_ACCESS = 'there is no key for it; docs/recipes.md, "Who may come in", does it with hand-written `nginx:`'
_BASIC = 'there is no key for it; docs/recipes.md, "A password", does it with hand-written `nginx:`'
_FORWARD_AUTH = 'there is no key for it; docs/recipes.md, "Sign-in by another program", does it with `nginx:`'
_RATE = 'there is no key for it; docs/recipes.md, "Limit requests", does it with hand-written `nginx:`'
_CACHE = 'there is no key for it; docs/recipes.md, "A cache", does it with hand-written `nginx:`'
_MAINTENANCE = '`daemun disable HOST`, or docs/recipes.md, "A maintenance page", with hand-written `nginx:`'
_METRICS = 'there is no key for it; docs/recipes.md, "Numbers", says what there is'
_CORS = 'there is no key for it; docs/recipes.md, "Another site\'s scripts (CORS)", does it with `response_headers`'
_ERROR_PAGES = "there is no key for it; hand-written `nginx:` takes error_page"
_CLIENT_CERTIFICATES = 'there is no key for it; docs/recipes.md, "Certificates of visitors", does it with `nginx:`'
_REWRITE = f"{_STRIP}; what cannot be said so goes into hand-written `nginx:`"
_METHOD = "a route is chosen by its path alone; hand-written `nginx:` takes limit_except and the like"
_STREAMS = "only HTTP is forwarded, no other TCP and no UDP"
_INCLUDE = "the file is one file, so put the other's lines in here; an `include` of nginx files stands in `nginx:`"
_RULE = f"{_NAMES}; {_PATH}"
_EVERYTHING_ELSE = "there is no key for it, and nothing to set: it is on by itself"

KEYS: dict[str, str] = {
    # --- where requests go ---
    "reverse_proxy": _TARGET,
    "proxy_pass": _TARGET,
    "proxy": _TARGET,
    "proxy_to": _TARGET,
    "upstream": _TARGET,
    "upstreams": _TARGET,
    "backend": _TARGET,
    "backends": _TARGET,
    "server": _TARGET,
    "servers": _TARGET,
    "target": _TARGET,
    "targets": _TARGET,
    "destination": _TARGET,
    "origin": _TARGET,
    "url": _TARGET,
    "port": _TARGET,
    "forward_to": _TARGET,
    "forward_host": _TARGET,
    "forward_port": _TARGET,
    "load_balancer": _BALANCE,
    "lb_policy": _BALANCE,
    "lb": _BALANCE,
    "algorithm": _BALANCE,
    "strategy": _BALANCE,
    "sticky": "write `balance: sticky` in a route with several servers under `to:`",
    "sticky_sessions": "write `balance: sticky` in a route with several servers under `to:`",
    "ip_hash": "write `balance: ip_hash` in a route with several servers under `to:`",
    "least_conn": "write `balance: least_conn` in a route with several servers under `to:`",
    "fastcgi_pass": "write the target as `fastcgi://127.0.0.1:9000`, with `root: /var/www/html` beside `to:`",
    "php_fastcgi": "write the target as `fastcgi://127.0.0.1:9000`, with `root: /var/www/html` beside `to:`",
    "uwsgi_pass": "write the target as `uwsgi://127.0.0.1:3031`",
    "grpc_pass": "write the target as `grpc://127.0.0.1:50051`",
    "pass_host_header": _HOST,
    "preserve_host": _HOST,
    "host": f"{_NAMES}; {_HOST}",
    "stream": _STREAMS,
    "streams": _STREAMS,
    "tcp": _STREAMS,
    "udp": _STREAMS,
    # --- sites and their names ---
    "services": "sites are `sites: {chat.example.com: http://127.0.0.1:8000}` at the top, one key for each host",
    "service": "sites are `sites: {chat.example.com: http://127.0.0.1:8000}` at the top, one key for each host",
    "hosts": _NAMES,
    "virtual_host": _NAMES,
    "domain": _NAMES,
    "domains": _NAMES,
    "domain_names": _NAMES,
    "hostname": _NAMES,
    "hostnames": _NAMES,
    "names": _NAMES,
    "server_alias": _NAMES,
    "alias": f"{_NAMES}; {_FILES}",
    "rule": _RULE,
    "rules": _RULE,
    "match": _RULE,
    "matcher": _RULE,
    "http": f"sites are `sites: {{chat.example.com: http://127.0.0.1:8000}}` at the top; {_PORTS}",
    "routers": _RULE,
    "router": _RULE,
    "frontend": _RULE,
    "frontends": _RULE,
    "ingress": _RULE,
    "vhosts": _RULE,
    "server_block": _RULE,
    "default_server": _CATCH_ALL,
    "catch_all": _CATCH_ALL,
    "fallback": _CATCH_ALL,
    "priority": "the longest path wins, whatever the order; leave it out",
    # --- paths ---
    "handle": _PATH,
    "handle_path": f"{_PATH}; {_STRIP}",
    "location": _PATH,
    "locations": _PATH,
    "path": _PATH,
    "paths": _PATH,
    "path_prefix": _PATH,
    "prefix": _PATH,
    "context": _PATH,
    "rewrite": _REWRITE,
    "rewrites": _REWRITE,
    "uri": _REWRITE,
    "replace_path": _REWRITE,
    "strip_prefix": _STRIP,
    "strip_path": _STRIP,
    "strip_path_prefix": _STRIP,
    "uri_strip_prefix": _STRIP,
    "add_prefix": _STRIP,
    "method": _METHOD,
    "methods": _METHOD,
    "limit_except": _METHOD,
    # --- answers of the gate's own ---
    "redir": _REDIRECT,
    "redirects": _REDIRECT,
    "redirect_to": _REDIRECT,
    "redirect_regex": _REDIRECT,
    "redirect_scheme": "HTTP is sent to HTTPS by itself; `http: serve` or `http: off` in a site says otherwise",
    "force_ssl": "HTTP is sent to HTTPS by itself; leave it out (`http: serve` in a site switches it off)",
    "force_https": "HTTP is sent to HTTPS by itself; leave it out (`http: serve` in a site switches it off)",
    "https_only": "HTTP is sent to HTTPS by itself; leave it out (`http: off` in a site answers none)",
    "https_redirect": "HTTP is sent to HTTPS by itself; leave it out (`http: serve` in a site switches it off)",
    "https_method": "write `http: redirect`, `serve` or `off` in the site",
    "redirect_www": "write `aliases: [www.example.com]` and `redirect_aliases: true` in the site",
    "www": "write `aliases: [www.example.com]` in the site, and `redirect_aliases: true` to send it to the main name",
    "return": f"{_REDIRECT}; other answers are hand-written, `nginx: return 410;`",
    "respond": "an answer of the gate's own is hand-written: `nginx: return 200 ok;` in a route",
    "code": _REDIRECT,
    "file_server": _FILES,
    "static": _FILES,
    "try_files": _FILES,
    "document_root": f"{_FILES}; for FastCGI it is `root:` beside `to:`",
    "folder": _FILES,
    "directory": f"{_FILES}; of a CA it is `acme: {{directory: letsencrypt}}` at the top",
    "browse": "write `listing: true` beside `files:`",
    "autoindex": "write `listing: true` beside `files:`",
    "error_page": _ERROR_PAGES,
    "error_pages": _ERROR_PAGES,
    "errors": _ERROR_PAGES,
    "handle_errors": _ERROR_PAGES,
    "maintenance": _MAINTENANCE,
    # --- HTTPS ---
    "ssl": _HTTPS,
    "https": f"{_HTTPS}; {_PORTS}",
    "auto_https": _HTTPS,
    "certificate": f"{_HTTPS}; your own files: {_OWN_CERTIFICATE}",
    "certificates": _HTTPS,
    "cert": _OWN_CERTIFICATE,
    "cert_file": _OWN_CERTIFICATE,
    "key_file": _OWN_CERTIFICATE,
    "ssl_certificate": _OWN_CERTIFICATE,
    "ssl_certificate_key": _OWN_CERTIFICATE,
    "tls_cert": _OWN_CERTIFICATE,
    "tls_key": _OWN_CERTIFICATE,
    "cert_resolver": f"{_HTTPS}; {_CA}",
    "certificates_resolvers": f"{_HTTPS}; {_CA}",
    "letsencrypt": f"{_HTTPS}; {_EMAIL}",
    "letsencrypt_host": f"{_HTTPS}; {_NAMES}",
    "letsencrypt_email": _EMAIL,
    "certbot": _HTTPS,
    "email": _EMAIL,
    "acme_ca": _CA,
    "ca": _CA,
    "ca_server": _CA,
    "cert_issuer": _CA,
    "issuer": _CA,
    "acme_dns": _DNS,
    "dns_challenge": _DNS,
    "dns": _DNS,
    "dns01": _DNS,
    "http_challenge": "write `acme: {challenge: http-01}` at the top; it is so by itself",
    "tls_challenge": "write `acme: {challenge: http-01}` at the top; TLS-ALPN-01 is not there",
    "on_demand_tls": "write `on_demand: true`, or the URL to ask, in one site",
    "strict_transport_security": "write `hsts: true` in the site",
    "sts_seconds": "write `hsts: {max_age: 365d}` in the site",
    "client_auth": _CLIENT_CERTIFICATES,
    "mtls": _CLIENT_CERTIFICATES,
    "client_certificates": _CLIENT_CERTIFICATES,
    "ssl_client_certificate": _CLIENT_CERTIFICATES,
    "ssl_verify_client": _CLIENT_CERTIFICATES,
    "ssl_protocols": "TLS 1.2 and 1.3 are on by themselves; hand-written `nginx:` in a site takes ssl_protocols",
    "ssl_ciphers": "good ciphers are chosen by themselves; hand-written `nginx:` in a site takes ssl_ciphers",
    "min_version": "TLS 1.2 and 1.3 are on by themselves; hand-written `nginx:` in a site takes ssl_protocols",
    "tls_insecure_skip_verify": _SERVER_CHECK,
    "insecure_skip_verify": _SERVER_CHECK,
    "proxy_ssl_verify": _SERVER_CHECK,
    "insecure": _SERVER_CHECK,
    "ssl_verify": _SERVER_CHECK,
    "root_ca": _SERVER_CHECK,
    "proxy_ssl_trusted_certificate": _SERVER_CHECK,
    "servers_transport": _SERVER_CHECK,
    "proxy_ssl_name": _SERVER_NAME,
    "tls_server_name": _SERVER_NAME,
    "sni": _SERVER_NAME,
    "scheme": _UPSTREAM_TLS,
    "protocol": _UPSTREAM_TLS,
    "backend_protocol": _UPSTREAM_TLS,
    # --- ports and listeners ---
    "entrypoints": _PORTS,
    "entrypoint": _PORTS,
    "ports": _PORTS,
    "bind": _PORTS,
    "http_port": _PORTS,
    "https_port": _PORTS,
    "expose": _PORTS,
    "addresses": _PORTS,
    "http2": _HTTP2,
    "h2": _HTTP2,
    "http3": _HTTP3,
    "quic": _HTTP3,
    "proxy_protocol": "hand-written `nginx:` in a site takes a listen with proxy_protocol",
    "ipv6": "every address of the machine is listened on by itself, IPv6 too; leave it out",
    # --- what is on by itself ---
    "websocket": _WEBSOCKET,
    "websockets": _WEBSOCKET,
    "websocket_support": _WEBSOCKET,
    "allow_websocket_upgrade": _WEBSOCKET,
    "ws": _WEBSOCKET,
    "upgrade": _WEBSOCKET,
    "gzip": _COMPRESSION,
    "brotli": _COMPRESSION,
    "zstd": _COMPRESSION,
    "encode": _COMPRESSION,
    "compress": _COMPRESSION,
    "compression": _COMPRESSION,
    "proxy_set_header": _FORWARDED,
    "x_forwarded_for": _FORWARDED,
    "x_forwarded_proto": _FORWARDED,
    "x_real_ip": _FORWARDED,
    "forward_headers": _FORWARDED,
    "proxy_http_version": _WEBSOCKET,
    "reload": "a change of the file is live by itself; leave it out",
    "watch": "a change of the file is live by itself; leave it out",
    "restart": _EVERYTHING_ELSE,
    "api": "commands ask the daemon over a socket in the state directory; there is nothing to switch on",
    "dashboard": "there is none yet; `daemun status` shows what is live",
    # --- bodies, times, headers ---
    "client_max_body_size": _BODY,
    "max_body_size": _BODY,
    "body_size": _BODY,
    "max_request_body_bytes": _BODY,
    "request_body": _BODY,
    "max_size": _BODY,
    "upload_limit": _BODY,
    "proxy_read_timeout": _TIMEOUT,
    "proxy_send_timeout": _TIMEOUT,
    "proxy_connect_timeout": _TIMEOUT,
    "read_timeout": _TIMEOUT,
    "write_timeout": _TIMEOUT,
    "idle_timeout": _TIMEOUT,
    "response_header_timeout": _TIMEOUT,
    "dial_timeout": _TIMEOUT,
    "timeouts": _TIMEOUT,
    "transport": f"{_TIMEOUT}; {_SERVER_CHECK}",
    "keepalive_timeout": "write `keepalive: 64` in a route for connections to its servers",
    "keep_alive": "write `keepalive: 64` in a route for connections to its servers",
    "header": _HEADERS,
    "headers": _HEADERS,
    "custom_headers": _HEADERS,
    "add_header": _HEADERS,
    "more_set_headers": _HEADERS,
    "header_up": "write `request_headers: {NAME: value}` in a route",
    "custom_request_headers": "write `request_headers: {NAME: value}` in a route",
    "header_down": "write `response_headers: {NAME: value}` in a route",
    "custom_response_headers": "write `response_headers: {NAME: value}` in a route",
    "proxy_hide_header": "write `response_headers: {NAME: }` in a route: nothing as value removes it",
    "cors": _CORS,
    "access_control_allow_origin": _CORS,
    "proxy_buffering": _BUFFERING,
    "flush_interval": _BUFFERING,
    "buffer": _BUFFERING,
    "proxy_next_upstream": _RETRIES,
    "retry": _RETRIES,
    "lb_retries": _RETRIES,
    "attempts": _RETRIES,
    "health_check": _HEALTH,
    "health_uri": _HEALTH,
    "check": _HEALTH,
    "lb_try_duration": "write `hold: 30s` in a route: how long a request waits while no server is there",
    "max_conns": "write `to: [{url: http://127.0.0.1:3000, max_connections: 100}]`",
    "set_real_ip_from": _TRUSTED,
    "real_ip": _TRUSTED,
    "real_ip_header": _TRUSTED,
    "trusted_ips": _TRUSTED,
    "forwarded_headers": _TRUSTED,
    # --- who may come in ---
    "auth": f"{_BASIC}; {_FORWARD_AUTH}",
    "authentication": f"{_BASIC}; {_FORWARD_AUTH}",
    "authorization": f"{_BASIC}; {_FORWARD_AUTH}",
    "login": _FORWARD_AUTH,
    "basic_auth": _BASIC,
    "auth_basic": _BASIC,
    "auth_basic_user_file": _BASIC,
    "htpasswd": _BASIC,
    "users": _BASIC,
    "password": _BASIC,
    "forward_auth": _FORWARD_AUTH,
    "auth_request": _FORWARD_AUTH,
    "authelia": _FORWARD_AUTH,
    "authentik": _FORWARD_AUTH,
    "oauth": _FORWARD_AUTH,
    "oidc": _FORWARD_AUTH,
    "sso": _FORWARD_AUTH,
    "access": _ACCESS,
    "access_list": _ACCESS,
    "allow": _ACCESS,
    "deny": _ACCESS,
    "ip_whitelist": _ACCESS,
    "ip_allow_list": _ACCESS,
    "whitelist": _ACCESS,
    "allowlist": _ACCESS,
    "blocklist": _ACCESS,
    "source_range": _ACCESS,
    "remote_ip": _ACCESS,
    "geoip": 'there is no key for it; docs/recipes.md, "Countries", says what nginx needs',
    "country": 'there is no key for it; docs/recipes.md, "Countries", says what nginx needs',
    "countries": 'there is no key for it; docs/recipes.md, "Countries", says what nginx needs',
    "rate_limit": _RATE,
    "limit_req": _RATE,
    "limit_conn": _RATE,
    "in_flight_req": _RATE,
    "throttle": _RATE,
    # --- other ---
    "cache": _CACHE,
    "proxy_cache": _CACHE,
    "caching": _CACHE,
    "expires": "write `response_headers: {Cache-Control: max-age=3600}` in a route",
    "cache_control": "write `response_headers: {Cache-Control: max-age=3600}` in a route",
    "metrics": _METRICS,
    "prometheus": _METRICS,
    "log": _LOGS,
    "access_log": _LOGS,
    "error_log": _LOGS,
    "logging": _LOGS,
    "middleware": "options stand in the site or the route themselves, by their names",
    "middlewares": "options stand in the site or the route themselves, by their names",
    "plugins": "there are none; hand-written `nginx:` takes what nginx can do",
    "snippet": "hand-written directives are `nginx:` at the top, in a site or in a route",
    "configuration_snippet": "hand-written directives are `nginx:` in a site or in a route",
    "server_snippet": "hand-written directives are `nginx:` in a site",
    "advanced_config": "hand-written directives are `nginx:` in a site or in a route",
    "extra": "hand-written directives are `nginx:` at the top, in a site or in a route",
    "import": _INCLUDE,
    "include": _INCLUDE,
    "worker_processes": "write `workers: 4` at the top; one for each core is so by itself",
    "providers": _DOCKER,
    "containers": _DOCKER,
    "labels": _DOCKER,
    "image": _DOCKER,
    "networks": _DOCKER,
    "volumes": _DOCKER,
    "environment": _DOCKER,
    "version": "the file has no version; leave it out",
    "global": "what concerns no single site stands at the top of the file, by its own key",
    "globals": "what concerns no single site stands at the top of the file, by its own key",
    "options": "options stand where they belong, at the top, in a site or in a route, by their own keys",
    "enable": "write `enabled: true`, or use `daemun enable HOST`",
    "disabled": "write `enabled: false`, or use `daemun disable HOST`",
    "disable": "write `enabled: false`, or use `daemun disable HOST`",
    "active": "write `enabled: true` in the site",
    "resolver": "names are resolved as the system does; `acme: {resolvers: 192.0.2.1}` is for orders alone",
}

PLACEHOLDERS: dict[str, str] = {
    # Caddy
    "{uri}": "$request_uri",
    "{http.request.uri}": "$request_uri",
    "{path}": "$uri",
    "{http.request.uri.path}": "$uri",
    "{query}": "$args",
    "{host}": "$host",
    "{hostport}": "$http_host",
    "{http.request.host}": "$host",
    "{http.request.hostport}": "$http_host",
    "{scheme}": "$scheme",
    "{http.request.scheme}": "$scheme",
    "{method}": "$request_method",
    "{http.request.method}": "$request_method",
    "{remote}": "$remote_addr",
    "{remote_host}": "$remote_addr",
    "{remote_ip}": "$remote_addr",
    "{client_ip}": "$remote_addr",
    "{http.request.remote.host}": "$remote_addr",
    "{upstream_hostport}": "$http_host",
    # Apache
    "%{HTTP_HOST}": "$host",
    "%{REQUEST_URI}": "$request_uri",
    "%{QUERY_STRING}": "$args",
    "%{REMOTE_ADDR}": "$remote_addr",
    "%{REQUEST_SCHEME}": "$scheme",
    "%{SERVER_NAME}": "$host",
    # HAProxy
    "%[req.hdr(host)]": "$host",
    "%[hdr(host)]": "$host",
    "%[path]": "$uri",
    "%[src]": "$remote_addr",
    # ingress-nginx, and others that have the same thing under another name
    "$proxy_host": "$host",
    "$hostname": "$host",
    "$server_name": "$host",
    "$proxy_add_x_forwarded_for": "$remote_addr",
    "$document_uri": "$uri",
    "$real_ip": "$remote_addr",
    "$request_path": "$uri",
}
"""What stands for a part of the request, and the variable that does so here."""

WORDS: dict[str, str] = {
    # balance
    "round_robin": "round_robin",
    "rr": "round_robin",
    "wrr": "round_robin",
    "roundrobin": "round_robin",
    "leastconn": "least_conn",
    "least_connections": "least_conn",
    "least_request": "least_conn",
    "iphash": "ip_hash",
    "client_ip_hash": "ip_hash",
    "source": "ip_hash",
    "cookie": "sticky",
    "random_choose": "random",
    "uri_hash": "hash $request_uri",
    "header": "hash $http_NAME",
    # tls
    "letsencrypt": "acme",
    "on": "auto",
    "yes": "auto",
    "true": "auto",
    "enabled": "auto",
    "internal": "local",
    "self_signed": "local",
    "selfsigned": "local",
    "custom": "{certificate: FILE, key: FILE}",
    "no": "off",
    "none": "off",
    "disabled": "off",
    "false": "off",
    # http
    "redirect_to_https": "redirect",
    "both": "serve",
    "noredirect": "serve",
    "nohttp": "off",
    "allow": "serve",
}
"""Values of keys that take a few words; offered where the key takes the word that they stand for."""


_LETTERS_OF_KEYS = {words.letters(word): text for word, text in KEYS.items()}
_LETTERS_OF_WORDS = {words.letters(word): text for word, text in WORDS.items()}


def find_key(word: str) -> str | None:
    """What a key of another tool is here; None: it is in no table."""
    return _LETTERS_OF_KEYS.get(words.letters(word))


def find_word(word: str) -> str | None:
    """What a value of another tool is here."""
    return _LETTERS_OF_WORDS.get(words.letters(word))


def with_variables(text: str) -> str:
    """The text with the variables of here for the placeholders of others; the same when it has none."""
    for found, here in PLACEHOLDERS.items():
        text = text.replace(found, here)
    return text
