"""One configuration per feature of rendering: for the golden files, and for `nginx -t`."""

import dataclasses
import datetime

from daemun.core import directive, model
from daemun.core.directive import Expr
from daemun.core.options import (
    access_option,
    balance_option,
    bandwidth_option,
    buffering_option,
    buffers_option,
    cache_control_option,
    cache_option,
    catalogue,
    client_timeout_option,
    compress_option,
    cors_option,
    errors_option,
    forward_auth_forms,
    header_options,
    host_header_option,
    hsts_option,
    index_option,
    keep_option,
    keepalive_option,
    listing_option,
    logs_option,
    maintenance_option,
    max_body_option,
    page_file,
    rate_limit_form,
    redirect_status_option,
    respond_form,
    retries_option,
    rewrite_option,
    robots_option,
    root_option,
    security_headers_option,
    spa_option,
    status_option,
    stream_forms,
    streams_option,
    timeout_option,
    trailing_slash_option,
    when_option,
)
from daemun.core.plan import shared_sites, variable_definitions
from tests.support.sites import proxy, route, site, target, upstream_tls, with_options

SETTINGS = model.Globals(listen=model.Listen(http=(model.Address(port=8080),), https=(model.Address(port=8443),)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """paths: the files that show it, beside those under sites/. own_blocks: as in the Environment."""

    desired: model.Desired
    paths: tuple[str, ...] = ()
    own_blocks: int = 200


def _sites(*sites: model.Site) -> Feature:
    return Feature(desired=model.Desired(globals=SETTINGS, sites=sites))


def _settings(*sites: model.Site, paths: tuple[str, ...] = ("nginx.conf",), **changes: object) -> Feature:
    settings = dataclasses.replace(SETTINGS, **with_options(changes))
    return Feature(desired=model.Desired(globals=settings, sites=sites), paths=paths)


def _origin(line: int) -> model.Origin:
    return model.Origin(source="file", place=f"daemun.yaml:{line}:3")


def _line(name: str, *args: str, block: tuple[directive.Node, ...] | None = None) -> directive.Directive:
    return directive.Directive(name, tuple(Expr(arg) for arg in args), block)


def _chat() -> Feature:
    """The file of README."""
    chat = site(
        "chatting.example.com",
        route("/", "http://htmldeploy", origin=_origin(3)),
        route("/websocket/", "http://chattingserver:7777/", origin=_origin(4)),
        origin=_origin(2),
    )
    return _settings(chat, paths=("nginx.conf", "challenge.conf", "listen/http.conf", "listen/https.conf"))


def _balance() -> Feature:
    servers = ("http://10.0.0.1:8000", "http://app:8000", "http://[fd00::1]:8000")
    every = {
        "round-robin": balance_option.Method.ROUND_ROBIN,
        "least-conn": balance_option.Method.LEAST_CONN,
        "ip-hash": balance_option.Method.IP_HASH,
        "random": balance_option.Method.RANDOM,
        "sticky": balance_option.Method.STICKY,
    }
    weighted = (
        target("http://10.0.0.1:8000", weight=3, max_fails=0, fail_timeout_s=1.5),
        target("http://10.0.0.2:8000", max_connections=100),
        target("http://10.0.0.3:8000", backup=True),
        target("http://10.0.0.4:8000", down=True),
    )
    return _sites(
        site(
            "balance.example.com",
            *(
                route(
                    f"/{name}/",
                    proxy(
                        *servers,
                        options=catalogue.values(balance_option.OPTION.set(balance_option.Balance(method=method))),
                    ),
                )
                for name, method in every.items()
            ),
            route(
                "/hash/",
                proxy(
                    *servers,
                    options=catalogue.values(
                        balance_option.OPTION.set(
                            balance_option.Balance(method=balance_option.Method.HASH, key="$cookie_user$arg_id")
                        )
                    ),
                ),
            ),
            route("/options/", model.Proxy(targets=weighted)),
        )
    )


def _snippets() -> Feature:
    limited = site(
        "own.example.com",
        route(
            "/",
            "http://10.0.0.1",
            options=catalogue.values(header_options.RESPONSE.set((("X-Route", "1"),))),
            snippet=(
                directive.Comment("the owner's own"),
                _line("proxy_read_timeout", "5m"),
                _line("proxy_set_header", "Host", "inner"),
                _line("limit_req", "zone=one", "burst=5"),
                _line("if", "$request_method", "=", "DE LETE", block=(_line("return", "405"),)),
                _line("location", "~", r"\.php$", block=(_line("return", "404"),)),
            ),
        ),
        snippet=(
            _line("add_header", "X-Site", 'it\'s "me"; \\ {here}', "always"),
            _line("error_page", "502", "/sorry"),
            _line("location", "=", "/sorry", block=(_line("return", "200", "sorry\n"),)),
            _line("proxy_set_header", "X-Site", "$host"),
        ),
    )
    whole = (
        _line("limit_req_zone", "$binary_remote_addr", "zone=one:1m", "rate=10r/s"),
        _line("gzip", "off"),
        _line("map", "$http_x", "$mine", block=(_line("default", ""), _line("~^a b", "1"), _line("", "2"))),
    )
    return _settings(limited, paths=("nginx.conf", "snippets/http.conf"), snippet=whole, snippet_origin=_origin(9))


def _conditions() -> Feature:
    """Every key of `when`, and every action, in a list."""
    whens = (
        when_option.When(method=("POST", "PUT"), header=(when_option.NamedValue(name="X-A", patterns=("a", "*b*")),)),
        when_option.When(query=(when_option.NamedValue(name="q", patterns=("a b",)),)),
        when_option.When(cookie=(when_option.NamedValue(name="c", patterns=("~ ^x",)),)),
        when_option.When(
            header=(when_option.NamedValue(name="Accept", is_absent=True),),
            cookie=(when_option.NamedValue(name="d"),),
            query=(when_option.NamedValue(name="e", is_absent=True),),
        ),
        when_option.When(address=("private", "192.0.2.0/24"), country=when_option.InCountries(any_of=("KR",))),
        when_option.When(probability=550),
        when_option.When(probability=5000),
    )
    actions: tuple[model.Action | str, ...] = (
        *("http://10.0.0.1", "grpc://10.0.0.2", "fastcgi://10.0.0.3"),
        *(model.Files(folder="/srv"), model.Redirect(to="/y"), model.Respond(status=204), respond_form.DENIAL),
    )
    entries = (
        route("/api/", action, entry=number, when=when, max_body=1000)
        for number, (when, action) in enumerate(zip(whens, actions, strict=True))
    )
    rest = (
        route("= /e", model.Respond(), entry=0, when=whens[0]),
        route("= /e", "http://10.0.0.4/x/", entry=1, hold=0.0),
    )
    return _sites(site("conditions.example.com", *entries, *rest, tls=model.Tls(mode=model.TlsMode.OFF)))


def _https() -> Feature:
    return _sites(
        site(
            "secure.example.com",
            route("/named/", "https://inner.example:8443"),
            route(
                "/name/",
                proxy("https://10.0.0.1", options=upstream_tls(model.UpstreamTls(name="inner.example"))),
            ),
            route(
                "/unverified/",
                proxy(
                    "https://10.0.0.1",
                    "https://10.0.0.2",
                    options=upstream_tls(model.UpstreamTls(verify=False)),
                ),
            ),
        )
    )


def _protocols() -> Feature:
    php = proxy(
        "fastcgi://php:9000",
        options=catalogue.values(root_option.OPTION.set("/srv/app"), index_option.OPTION.set(("app.php",))),
    )
    return _sites(
        site("h2c.example.com", "h2c://10.0.0.1:81", route("/deep/", "h2c://10.0.0.1:81/inner/")),
        site("h2.example.com", "h2://inner.example:444", route("/deep/", "h2://inner.example:444/inner/")),
        site("grpc.example.com", "grpc://10.0.0.1:50051", route("/a.B/", "grpcs://inner.example:50051/c.D/")),
        site("php.example.com", route("/", php), route("/blog/", "fastcgi://unix:/run/php.sock:/wordpress/")),
        site("python.example.com", "uwsgi://10.0.0.1", route("/api/", "uwsgi://10.0.0.1/v1/")),
        site("scgi.example.com", "scgi://10.0.0.1", route("/api/", "scgi://10.0.0.1/v1/")),
        site("memory.example.com", "memcached://10.0.0.1", route("/short/", "memcached://10.0.0.1/long/")),
        site("unix.example.com", "http://unix:/run/app.sock", route("/x/", "http://unix:/run/app.sock:/y/")),
    )


def _names() -> Feature:
    return _settings(
        site("*.apps.example.com", "http://10.0.0.1"),
        site("192.168.88.244", "http://10.0.0.1"),
        site("::1", "http://10.0.0.1"),
        site("also.example.com", "http://10.0.0.1", aliases=("www.also.example.com", "10.1.1.1", "volatile")),
        site(
            "lead.example.com",
            "http://10.0.0.1",
            aliases=("www.lead.example.com",),
            redirect_aliases=True,
            trailing_slash=trailing_slash_option.Slash.REMOVE,
        ),
        site("disabled.example.com", "http://10.0.0.1", enabled=False),
    )


def _http() -> Feature:
    tls_off = model.Tls(mode=model.TlsMode.OFF)
    return _sites(
        site("off.example.com", "http://10.0.0.1", http=model.HttpMode.OFF),
        site("plain.example.com", "http://10.0.0.1", tls=tls_off),
        site(
            "serve.example.com",
            "http://10.0.0.1",
            http=model.HttpMode.SERVE,
            options=catalogue.values(hsts_option.OPTION.set(hsts_option.Hsts())),
        ),
    )


def _security_headers() -> Feature:
    strict, none = security_headers_option.SecurityHeaders.STRICT, robots_option.Robots.NONE
    return _sites(
        site(
            "headers.example.com",
            route("/", "http://10.0.0.1"),
            route("/off/", "http://10.0.0.1", security_headers=security_headers_option.SecurityHeaders.OFF),
            route("/shown/", "http://10.0.0.1", robots=robots_option.Robots.ALL),
            security_headers=strict,
            robots=none,
        ),
    )


def _maintenance() -> Feature:
    until = datetime.datetime(2026, 12, 31, 9, tzinfo=datetime.UTC)
    page = page_file.PageFile(path="/srv/pages/soon.html", trusted="/srv")
    closed = maintenance_option.Maintenance(page=page, until=until, allow=("private", "203.0.113.0/24"))
    return _sites(site("closed.example.com", "http://10.0.0.1", maintenance=closed))


def _pages(key: str, path: str) -> errors_option.ErrorPages:
    return errors_option.ErrorPages(pages=((key, page_file.PageFile(path=path, trusted="/srv")),))


def _headers() -> Feature:
    app = "https://app.example.com"
    cors = cors_option.Cors(origins=(app, "https://*.example.org"), expose=("X-Total",), credentials=True)
    inside = access_option.Access(allow=("10.0.0.0/8",))
    kept = cache_control_option.CacheControl(
        rules=(
            cache_control_option.Rule(what="assets", value="max-age=2592000"),
            cache_control_option.Rule(what="*.{html,htm}", value="no-cache"),
        )
    )
    inner = site(
        "inner.example.com",
        route("/api/", "http://10.0.0.1", cors=cors),
        route("/in/", "http://10.0.0.1", cors=cors_option.Cors(), access=inside),
        route("/files/", model.Files(folder="/srv/www"), cache_control=kept, errors=_pages("404", "/srv/lost $1.html")),
        route("/", "http://10.0.0.1"),
        route("/shown/", "http://10.0.0.1", errors=errors_option.ErrorPages(servers=True)),
        route("/app/", "fastcgi://10.0.0.1", response_headers=(("X-Level", "route"), ("X-Gate", ""))),
        response_headers=(("X-Level", "site"),),
        request_headers=(("X-From-Site", "$host"),),
    )
    gate: dict[str, object] = {
        "response_headers": (("X-Gate", "1"), ("Server-Timing", "")),
        "request_headers": (("X-Sent", "gate"),),
    }
    gate["errors"] = _pages("5xx", "/srv/pages/sorry.html")
    return Feature(desired=model.Desired(sites=(inner,), globals=model.Globals(options=catalogue.values_of(gate))))


def _routes() -> Feature:
    slow = timeout_option.Timeouts(connect_s=0.25, read_s=600, send_s=1.5, idle_s=3600)
    headers = route(
        "/headers/",
        proxy("http://10.0.0.1", options=catalogue.values(host_header_option.OPTION.set("inner.example:81"))),
        request_headers=(("X-Price", "$5 for $remote_addr"), ("User-Agent", "")),
        options=catalogue.values(header_options.RESPONSE.set((("X-Frame-Options", "DENY"), ("Server-Timing", "")))),
    )
    return _sites(
        site(
            "routes.example.com",
            route("/path/", "http://10.0.0.1/new%20path/"),
            route("/a.b (c)/", "http://10.0.0.1/"),
            route(
                "/slow/",
                proxy(
                    "http://10.0.0.1",
                    options=catalogue.values(
                        timeout_option.OPTION.set(slow),
                        retries_option.OPTION.set(0),
                        buffering_option.OPTION.set(False),
                    ),
                ),
                options=catalogue.values(max_body_option.OPTION.set(0)),
            ),
            route("/small/", "http://10.0.0.1", options=catalogue.values(max_body_option.OPTION.set(1500))),
            route(
                "/limits/",
                proxy(
                    "http://10.0.0.1",
                    local_address="10.0.0.7",
                    buffers=buffers_option.Buffers(header=64 << 10, ahead=4 << 20),
                ),
                bandwidth=bandwidth_option.Bandwidth(rate=1 << 20, after=10 << 20),
                compress=compress_option.Compress(brotli=True, precompressed=True),
            ),
            headers,
            client_timeout=client_timeout_option.ClientTimeout(send=300.0, keepalive=10.0),
            options=catalogue.values(
                hsts_option.OPTION.set(hsts_option.Hsts(max_age_s=60, include_subdomains=True, preload=True))
            ),
        )
    )


def _kept_answers() -> Feature:
    own = cache_option.Cache(
        for_s=600.0, stale_s=86400.0, key=("Accept-Language", "X-Shape"), ignore_cookies=("_ga", "_pk_*")
    )
    return _settings(
        site(
            "kept.example.com",
            route("/", "http://10.0.0.1"),
            route("/own/", "http://10.0.0.1/there/", cache=own),
            route("/off/", "http://10.0.0.1", cache=cache_option.OFF),
            route("/inner/", "http://10.0.0.1", access=access_option.Access(allow=("private",))),
            cache=cache_option.Cache(),
        ),
        paths=(variable_definitions.FILE,),
        cache=cache_option.Cache(is_on=False, max_bytes=5 << 30),
    )


def _php() -> Feature:
    fpm = target("fastcgi://unix:/run/php/php-fpm.sock")
    blog = model.Php(folder="/srv/$blog", server_folder="/app", front="app/front.php", no_code=("/up.loads/",))
    return _sites(
        site(
            "php.example.com",
            route("/", model.Proxy(targets=(fpm,), php=model.Php(folder="/srv/app", trusted="/srv"))),
            route("/b$log/", model.Proxy(targets=(target("fastcgi://php:9000"),), php=blog)),
            route("/plain/", model.Proxy(targets=(fpm,), php=model.Php(folder="/", front=None))),
        )
    )


def _files() -> Feature:
    return _sites(
        site(
            "files.example.com",
            route("/", model.Files(folder="/srv/my site", options=catalogue.values(spa_option.OPTION.set(True)))),
        ),
        site(
            "mixed.example.com",
            route(
                "/assets", model.Files(folder="/srv/assets/", options=catalogue.values(listing_option.OPTION.set(True)))
            ),
            route(
                "/app/",
                model.Files(folder="/srv/$app", options=catalogue.values(spa_option.OPTION.set(True))),
                options=catalogue.values(header_options.RESPONSE.set((("X-A", "1"),))),
            ),
            route(
                "/old",
                model.Redirect(
                    to="https://new.example.com$request_uri", options=catalogue.values(status_option.OPTION.set(308))
                ),
            ),
            route("/price", model.Redirect(to="/$-5$uri", options=catalogue.values(status_option.OPTION.set(302)))),
        ),
    )


def _answers() -> Feature:
    """What the gate answers itself, in the open and behind a guard."""
    routes = (
        route("/", "http://10.0.0.1"),
        route("/none", model.Respond(status=204)),
        route("/moved", model.Redirect(to="https://b.example.com"), keep=keep_option.Keep.URI),
        route("/가/", model.Redirect(to="/b$-/"), keep=keep_option.Keep.PATH),
        route("/text", model.Respond(body='a $host {x;}\n"b"\n', media_type="application/json"), max_body=1),
        route("/file", model.Respond(status=503, file="/srv/a $b.html", trusted="/")),
        route("/denied/", respond_form.DENIAL),
    )
    private = access_option.Access(allow=("private",))
    return _sites(site("answers.example.com", *routes), site("guarded-answers.example.com", *routes, access=private))


def _paths() -> Feature:
    """Each kind of path, with each kind of action."""
    private = access_option.Access(allow=("private",))
    return _sites(
        site(
            "paths.example.com",
            route("/", "http://10.0.0.1"),
            route("/a/", "http://10.0.0.1"),
            route("= /a", "http://10.0.0.1/b"),
            route("= /c", model.Redirect(to="/d")),
            route("*.{css,tar.gz}", model.Files(folder="/srv", trusted="/")),
            route("*.jpg", "http://10.0.0.2", access=private),
            route("~ ^/u/(?<id>[0-9]{1,3})$", "http://10.0.0.2/users/${id}", access=private),
            route("~* ^/php/(?<id>.*)$", "fastcgi://10.0.0.2/x/${id}"),
            route("~ ^/old/(?<rest>.*)$", model.Redirect(to="/${rest}$is_args$args"), access=private),
            route("~ \\.bak$", respond_form.DENIAL),
        )
    )


def _rewrites() -> Feature:
    rewrite = rewrite_option.Rewrite(match="^/u/(?<id>[0-9]+)$", to="/users/${id}/$host")
    stripped = rewrite_option.Rewrite(strip="/legacy", add="/v1")
    return _sites(
        site(
            "rewrites.example.com",
            route("/u/", "http://10.0.0.1", rewrite=rewrite),
            route("/rpc/", "grpc://10.0.0.1", rewrite=rewrite),
            route("/php/", "fastcgi://10.0.0.1", rewrite=rewrite),
            route("/legacy/", "http://10.0.0.1/v1/", rewrite=stripped),
        )
    )


def _default_site() -> Feature:
    default = model.Default(kind=model.DefaultKind.SITE, host="main.example.com")
    return _settings(site("main.example.com", "http://10.0.0.1"), default=default)


def _default_redirect() -> Feature:
    redirect = model.Redirect(
        to="https://main.example.com/?from=$host", options=catalogue.values(status_option.OPTION.set(302))
    )
    return _settings(default=model.Default(kind=model.DefaultKind.REDIRECT, redirect=redirect))


def _globals() -> Feature:
    addresses = (model.Address(port=8443, host="127.0.0.1"), model.Address(port=8444, host="::1"))
    return _settings(
        site("quick.example.com", route("/", model.Redirect(to="https://a.example.com"))),
        site("slow.example.com", route("/", model.Redirect(to="https://a.example.com")), http3=False),
        paths=("nginx.conf", "listen/https.conf", "listen/quic.conf"),
        listen=dataclasses.replace(SETTINGS.listen, https=addresses),
        trusted_proxies=("10.0.0.0/8", "fd00::/8", "192.0.2.1"),
        logs=logs_option.Logs(access=False),
        options=catalogue.values_of(
            {
                "http3": True,
                "max_header": 32 << 10,
                "client_timeout": client_timeout_option.ClientTimeout(header=5.0, keepalive=30.0),
            }
        ),
    )


def _balancer() -> Feature:
    listen = dataclasses.replace(SETTINGS.listen, balancers=("10.0.0.0/8", "fd00::7"))
    return _settings(site("a.example.com", "http://10.0.0.1"), paths=("nginx.conf", "listen/https.conf"), listen=listen)


def _nginx_proxy() -> Feature:
    """What only containers made for nginx-proxy ask for, and a gate that is like it."""
    old = model.TlsPolicy(name="Old", protocols=("TLSv1", "TLSv1.2"), ciphers="ALL:@SECLEVEL=0", prefers_server=True)
    secure = site(
        "secure.example.com",
        route(
            "/", proxy("http://10.0.0.1", options=catalogue.values(keepalive_option.OPTION.set(0))), is_internal=True
        ),
        route("~^/(v1|v2)/", "http://10.0.0.2"),
        route("/replaced/", "http://10.0.0.3", replaced=True, snippet=(_line("location", "/replaced/", block=()),)),
        tls=model.Tls(
            mode=model.TlsMode.AUTO,
            group=("first.example.com", "secure.example.com"),
            policy=old,
        ),
        http_port=8081,
        https_port=8444,
        http2=False,
        server_tokens="build",
        options=catalogue.values(redirect_status_option.OPTION.set(308)),
        challenge=False,
        origin=model.Origin(source="docker", place="container secure"),
    )
    clear = {"tls": model.Tls(mode=model.TlsMode.OFF), "http": model.HttpMode.SERVE}
    patterns = (
        site("www.example.*", route("/a/", "http://10.0.0.1"), otherwise=model.FixedAnswer(status=418), **clear),
        site(r"~^(a|b)\d{1,2}\.example\.com$", "http://10.0.0.1", **clear),
    )
    return _settings(
        secure,
        *patterns,
        paths=("nginx.conf", "listen/http.conf", "listen/https.conf"),
        like_nginx_proxy=True,
        believes_clients=True,
        proxy_protocol=True,
        http2=False,
        tls_policy=model.TlsPolicy(name="New", protocols=("TLSv1.3",), ciphers="HIGH"),
        default=model.Default(
            status=503,
            page="/usr/share/nginx/html/errors/50x.html",
            certificate="/etc/nginx/certs/default.crt",
            key="/etc/nginx/certs/default.key",
        ),
        logs=logs_option.Logs(format='{"host":"$host"}', escape="json"),
        snippet=(_line("proxy_set_header", "X-Real-IP", "hidden"), _line("client_max_body_size", "10g")),
    )


def _shared() -> Feature:
    """Sites that share their blocks, beside two that do not: the first one, and one with an option."""
    sites = (
        site("a.example.com", "http://10.0.0.1"),
        site("b.example.com", route("/", "http://10.0.0.2", origin=_origin(4)), aliases=("www.b.example.com",)),
        site("c.example.com", route("/", "http://[fd00::3]:8000"), origin=_origin(5)),
        site(
            "d.example.com",
            route(
                "/",
                proxy("http://10.0.0.4", options=catalogue.values(keepalive_option.OPTION.set(64))),
                origin=_origin(6),
            ),
        ),
        site("e.example.com", "http://10.0.0.5:81", tls=model.Tls(mode=model.TlsMode.LOCAL)),
    )
    paths = ("nginx.conf", shared_sites.MAIN, *sorted(shared_sites.LISTS))
    return dataclasses.replace(_settings(*sites, paths=paths), own_blocks=1)


def _access() -> Feature:
    """Conditions and limits at each level, and judges in both forms."""
    rate = rate_limit_form.RateLimit(rate=rate_limit_form.Rate(requests=10, period_s=1))
    by_user = dataclasses.replace(rate, by="user")
    gate = access_option.Access(allow=("private",), rate_limit=rate)
    authelia = forward_auth_forms.ForwardAuth(
        kind=forward_auth_forms.ForwardAuthKind.AUTHELIA, url="http://127.0.0.1:9091"
    )
    own = forward_auth_forms.ForwardAuth(
        kind=forward_auth_forms.ForwardAuthKind.NGINX, url="https://192.0.2.7/check?x=1", copied=("X-User",)
    )
    return _settings(
        site(
            "access.example.com",
            route("/", "http://10.0.0.1"),
            route("/open/", "http://10.0.0.1", access=access_option.Access()),
            route("/moved/", model.Redirect(to="/elsewhere/")),
            route("/limited/", "http://10.0.0.1", access=access_option.Access(connections=5, deny=("192.0.2.0/24",))),
        ),
        site(
            "judged.example.com",
            route("/", "http://10.0.0.1"),
            route("/own/", "http://10.0.0.1", access=access_option.Access(forward_auth=own, allow=("::1",), any=True)),
            route("/counted/", "http://10.0.0.1/x/", access=access_option.Access(rate_limit=by_user)),
            access=access_option.Access(forward_auth=authelia),
        ),
        access=gate,
    )


def _streams() -> Feature:
    def server(url: str, **options: object) -> stream_forms.Server:
        return stream_forms.Server(url=stream_forms.parse_target(url), **options)  # type: ignore[arg-type]

    streams = {
        "dns": stream_forms.Stream(
            listen=(model.Address(port=53, host="127.0.0.1"),), to=(server("udp://10.0.0.5:53"),), responses=1
        ),
        "mail.example.com": stream_forms.Stream(
            listen=(model.Address(port=8443),), tls=stream_forms.PASSTHROUGH, to=(server("tcp://10.0.0.9:443"),)
        ),
        "mqtt": stream_forms.Stream(
            listen=(model.Address(port=1883),),
            to=(
                server("tcp://broker:1883", weight=2, max_connections=100),
                server("tcp://[fd00::1]:1883", backup=True, max_fails=0),
            ),
            balance=stream_forms.StreamBalance.LEAST_CONN,
            timeout=stream_forms.StreamTimeouts(connect_s=1.5, idle_s=3600.0),
            allow=("private",),
            deny=("10.0.0.66",),
            connections=20,
            proxy_protocol=True,
        ),
        "secure": stream_forms.Stream(
            listen=(model.Address(port=8884),),
            to=(server("tls://broker:8883"),),
        ),
        "socket": stream_forms.Stream(
            listen=(model.Address(port=2222, host="::1"),),
            tls="mqtt.example.com",
            to=(server("tcp://unix:/run/ssh.sock"), server("tcp://10.0.0.7:22", down=True)),
            balance=stream_forms.StreamBalance.IP_HASH,
        ),
    }
    named = tuple(
        streams_option.NamedStream(name=name, stream=one, origin=_origin(line))
        for line, (name, one) in enumerate(streams.items(), start=3)
    )
    files = [f"streams/{name}.conf" for name in streams]
    return _settings(streams=named, paths=("nginx.conf", "listen/https.conf", "listen/by-name.conf", *files))


FEATURES = {
    "access": _access(),
    "balance": _balance(),
    "balancer": _balancer(),
    "chat": _chat(),
    "conditions": _conditions(),
    "default-redirect": _default_redirect(),
    "default-site": _default_site(),
    "files": _files(),
    "answers": _answers(),
    "rewrites": _rewrites(),
    "paths": _paths(),
    "php": _php(),
    "globals": _globals(),
    "headers": _headers(),
    "http": _http(),
    "security_headers": _security_headers(),
    "https-servers": _https(),
    "kept-answers": _kept_answers(),
    "maintenance": _maintenance(),
    "names": _names(),
    "nginx-proxy": _nginx_proxy(),
    "protocols": _protocols(),
    "routes": _routes(),
    "shared": _shared(),
    "snippets": _snippets(),
    "streams": _streams(),
}
