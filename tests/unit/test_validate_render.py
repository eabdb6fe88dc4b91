"""What `validation.validate` lets through can be written for nginx: no rule is known to the renderer alone."""

import dataclasses
import datetime
import re
import typing

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import layout, model, render_environment
from daemun.core.options import (
    balance_option,
    bandwidth_option,
    buffers_option,
    cache_control_option,
    cache_option,
    catalogue,
    compress_option,
    cors_option,
    errors_option,
    health_option,
    hsts_option,
    keep_option,
    maintenance_option,
    option,
    page_file,
    rewrite_option,
    robots_option,
    security_headers_option,
    timeout_option,
    trailing_slash_option,
    upstream_tls_options,
    when_option,
)
from daemun.core.render import render_tree
from daemun.core.texts import names
from daemun.core.validation import validate
from daemun.errors import RenderError
from tests.support import sites

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout("/var/lib/daemun"),
    nginx=render_environment.Nginx(path="/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)),
    thumbprint="t" * 43,
    resolver="127.0.0.1:5301",
    ca_bundle="/etc/ssl/certs/ca-certificates.crt",
)

PIECES = (
    "/",
    "a",
    "$",
    "$host",
    "${uri}",
    "$1",
    "{",
    "}",
    ";",
    '"',
    "'",
    "\\",
    " ",
    "#",
    "%",
    "%2F",
    "%41",
    "?",
    "~",
    "가",
)
TEXT = strategies.lists(strategies.sampled_from(PIECES), max_size=6).map("".join) | strategies.text(max_size=30)
PATH = TEXT.map(lambda text: "/" + text)
NUMBER = strategies.integers(-1, 70000)
SECONDS = strategies.floats() | strategies.sampled_from([0.001, 0.5, 60.0, 86400.0])
FLAG = strategies.booleans()
HEADERS = strategies.lists(
    strategies.tuples(strategies.sampled_from(["X-A", "Host", "X-B"]) | TEXT, TEXT), max_size=2
).map(tuple)


def _proxy(targets: tuple[model.Target, ...], **options: object) -> model.Proxy:
    return model.Proxy(targets=targets, options=catalogue.values_of(options))


def _redirect(to: str, **options: object) -> model.Redirect:
    return model.Redirect(to=to, options=catalogue.values_of(options))


def _files(folder: str, **options: object) -> model.Files:
    return model.Files(folder=folder, options=catalogue.values_of(options))


def _site(**given: typing.Any) -> model.Site:
    return model.Site(**sites.with_options(given))


TARGETS = strategies.builds(
    model.Target,
    scheme=strategies.sampled_from(model.Scheme),
    host=strategies.sampled_from(["web", "my_app", "10.0.0.1", "::1"]) | TEXT,
    port=strategies.just(80) | NUMBER,
    path=strategies.none() | PATH,
    weight=strategies.just(1) | NUMBER,
    backup=FLAG,
    down=FLAG,
    max_fails=strategies.just(1) | NUMBER,
    fail_timeout_s=SECONDS,
    max_connections=strategies.just(0) | NUMBER,
) | strategies.builds(
    model.Target, scheme=strategies.sampled_from(model.Scheme), socket=PATH, path=strategies.none() | PATH
)
INDEX = strategies.lists(strategies.just("index.php") | TEXT, max_size=2).map(tuple)
PROXIES = strategies.builds(
    _proxy,
    strategies.lists(TARGETS, min_size=1, max_size=2).map(tuple),
    balance=strategies.builds(
        balance_option.Balance, method=strategies.sampled_from(balance_option.Method), key=strategies.none() | TEXT
    ),
    verify=strategies.builds(upstream_tls_options.Verify, is_on=FLAG, ca_file=strategies.none() | PATH),
    server_name=strategies.none() | TEXT,
    timeout=strategies.builds(timeout_option.Timeouts, connect_s=SECONDS, idle_s=SECONDS),
    retries=strategies.integers(-1, 3),
    buffering=strategies.none() | FLAG,
    keepalive=strategies.none() | NUMBER,
    host_header=strategies.none() | TEXT,
    root=PATH,
    index=INDEX,
    hold=SECONDS,
    local_address=strategies.none() | strategies.sampled_from(["10.0.0.7", "::1"]) | TEXT,
    buffers=strategies.builds(
        buffers_option.Buffers,
        header=strategies.none() | strategies.integers(-1, 1 << 20),
        ahead=strategies.none() | strategies.integers(-1, 1 << 26),
    ),
    health=strategies.none()
    | strategies.builds(health_option.Health, path=strategies.none() | PATH, interval_s=SECONDS),
    request_headers=HEADERS,
    rewrite=strategies.none()
    | strategies.builds(
        rewrite_option.Rewrite,
        match=strategies.sampled_from(["^/(?<a>.)", "x(?<b>[^/]*)$"]) | TEXT,
        to=strategies.sampled_from(["/${a}", "/x"]) | PATH,
    )
    | strategies.builds(rewrite_option.Rewrite, strip=PATH, add=PATH),
)
ACTIONS = (
    PROXIES
    | strategies.builds(
        _redirect,
        TEXT | PATH,
        status=strategies.sampled_from([200, 301, 308]),
        keep=strategies.none() | strategies.sampled_from(keep_option.Keep),
    )
    | strategies.builds(_files, PATH, spa=FLAG, listing=FLAG, index=INDEX)
    | strategies.builds(
        model.Respond,
        status=strategies.sampled_from([200, 204, 404]) | NUMBER,
        body=strategies.none() | TEXT,
        file=strategies.none() | PATH,
        media_type=strategies.none() | strategies.just("text/html") | TEXT,
    )
)
COMPRESS = strategies.builds(
    compress_option.Compress,
    is_on=FLAG,
    types=strategies.lists(TEXT, max_size=1).map(tuple),
    brotli=FLAG,
    zstd=FLAG,
    precompressed=FLAG,
)
CORS = strategies.none() | strategies.builds(
    cors_option.Cors,
    origins=strategies.lists(strategies.just("https://a.test") | TEXT, min_size=1, max_size=2).map(tuple),
    headers=strategies.lists(TEXT, max_size=1).map(tuple),
    credentials=FLAG,
)
CACHE_CONTROL = strategies.none() | strategies.builds(
    cache_control_option.CacheControl,
    rules=strategies.lists(
        strategies.builds(
            cache_control_option.Rule,
            what=strategies.sampled_from(["assets", "*.{css,js}", "*.$a"]) | TEXT,
            value=strategies.sampled_from(["", "no-cache", "max-age=1"]) | TEXT,
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
    override=FLAG,
)
BANDWIDTH = strategies.builds(
    bandwidth_option.Bandwidth, rate=strategies.integers(-1, 1 << 60), after=strategies.integers(-1, 1 << 60)
)
CACHE = strategies.builds(
    cache_option.Cache,
    is_on=FLAG,
    for_s=strategies.none() | SECONDS,
    stale_s=SECONDS,
    key=strategies.lists(strategies.sampled_from(["Accept-Language", "X-A", "a.b"]) | TEXT, max_size=3).map(tuple),
    ignore_cookies=strategies.lists(strategies.sampled_from(["_ga", "*", "a$b*"]) | TEXT, max_size=3).map(tuple),
)
ERRORS = strategies.builds(
    errors_option.ErrorPages,
    pages=strategies.lists(
        strategies.tuples(
            strategies.sampled_from(["404", "4xx", "5xx", "502"]) | TEXT,
            strategies.builds(page_file.PageFile, path=PATH | TEXT, trusted=strategies.none() | PATH),
        ),
        max_size=2,
    ).map(tuple),
    servers=strategies.none() | FLAG,
)
NAMED_VALUES = strategies.lists(
    strategies.builds(
        when_option.NamedValue,
        name=strategies.sampled_from(["a", "x-y", "a.b", "$a"]) | TEXT,
        patterns=strategies.lists(strategies.sampled_from(["a", "*a$b*", "~ ^a$", "~* {"]) | TEXT, max_size=2).map(
            tuple
        ),
        is_absent=FLAG,
    ),
    max_size=2,
).map(tuple)
WHEN = strategies.none() | strategies.builds(
    when_option.When,
    method=strategies.lists(strategies.sampled_from(["GET", "POST"]) | TEXT, max_size=2).map(tuple),
    header=NAMED_VALUES,
    query=NAMED_VALUES,
    cookie=NAMED_VALUES,
    address=strategies.lists(strategies.sampled_from(["private", "0.0.0.0/0"]) | TEXT, max_size=2).map(tuple),
    probability=strategies.none() | strategies.integers(-1, 10_001),
)


def _in_list(route: model.Route, when: when_option.When | None) -> model.Route:
    options = catalogue.values(when_option.OPTION.set(when)) if when is not None else ()
    return dataclasses.replace(route, entry=0, options=(*route.options, *options))


ALONE = strategies.builds(
    sites.route,
    strategies.sampled_from(["/", "= /a", "*.js", "*.{a,b}", "~ ^/(?<a>.*)$", "~* b"])
    | PATH
    | strategies.builds("{}{}".format, strategies.sampled_from(["= ", "*.", "~ ", "~* "]), TEXT),
    ACTIONS,
    max_body=strategies.integers(-1, 1 << 40),
    compress=COMPRESS,
    security_headers=strategies.sampled_from(security_headers_option.SecurityHeaders),
    robots=strategies.sampled_from(robots_option.Robots),
    response_headers=HEADERS,
    cors=CORS,
    cache_control=CACHE_CONTROL,
    cache=CACHE,
    errors=ERRORS,
    bandwidth=BANDWIDTH,
)
ROUTES = ALONE | strategies.builds(_in_list, ALONE, WHEN)
SITES = strategies.builds(
    _site,
    host=strategies.sampled_from(["a.test", "*.a.test", "10.0.0.1", "[::1]", "b.com"]) | TEXT,
    aliases=strategies.lists(strategies.sampled_from(["c.test", "*.d.test"]) | TEXT, max_size=2).map(tuple),
    redirect_aliases=FLAG,
    tls=strategies.builds(model.Tls, mode=strategies.sampled_from(model.TlsMode)),
    http=strategies.sampled_from(model.HttpMode),
    hsts=strategies.none() | strategies.builds(hsts_option.Hsts, max_age_s=NUMBER),
    redirect_status=strategies.sampled_from([301, 307, 308, 302]),
    trailing_slash=strategies.sampled_from(trailing_slash_option.Slash),
    underscores_in_headers=FLAG,
    compress=COMPRESS,
    security_headers=strategies.sampled_from(security_headers_option.SecurityHeaders),
    robots=strategies.sampled_from(robots_option.Robots),
    request_headers=HEADERS,
    response_headers=HEADERS,
    cors=CORS,
    cache_control=CACHE_CONTROL,
    cache=CACHE,
    errors=ERRORS,
    maintenance=strategies.builds(
        maintenance_option.Maintenance,
        on=FLAG,
        page=strategies.none() | strategies.builds(page_file.PageFile, path=PATH),
        until=strategies.none() | strategies.just(datetime.datetime(2026, 12, 31, tzinfo=datetime.UTC)),
        allow=strategies.lists(strategies.sampled_from(["private", "::1", "10.0.0.0/8"]) | TEXT, max_size=2).map(tuple),
    ),
    routes=strategies.lists(ROUTES, min_size=1, max_size=2).map(tuple),
)
RUNS = max(150, hypothesis.settings().max_examples)
SITE = model.Site(host="a.test", routes=(model.Route(path="/", action=model.Redirect(to="/x")),))


def _is_good(site: model.Site) -> bool:
    return not any(problem.severity is model.Severity.ERROR for problem in validate.find_site_problems(site))


def _repaired(site: model.Site) -> model.Site:
    """The site with a field for each problem put back to something good, so that examples are not mostly refused."""
    for problem in validate.find_site_problems(site):
        if problem.severity is model.Severity.ERROR:
            site = _without(site, problem.field)
    return site


def _without(site: model.Site, field: tuple[str | int, ...]) -> model.Site:
    match field:
        case ("routes", path, *rest):
            below = [one for one in rest if one != 0]
            kept = [_mended(route, below) if route.path == path else route for route in site.routes]
            return dataclasses.replace(site, routes=tuple(kept))
        case ("routes",):
            return dataclasses.replace(site, routes=SITE.routes)
        case (("aliases" | "redirect_aliases"), *_):
            return dataclasses.replace(site, aliases=())
        case (
            (("request_headers" | "response_headers" | "cors" | "cache_control" | "errors" | "maintenance") as name),
            *_,
        ):
            return dataclasses.replace(site, options=tuple(one for one in site.options if one[0] != name))
        case (("tls" | "http" | "hsts" | "redirect_status" | "compress" | "security_headers" | "robots"), *_):
            return dataclasses.replace(site, tls=model.Tls(), http=model.HttpMode.REDIRECT, options=())
        case _:
            return dataclasses.replace(site, host=SITE.host)


def _mended(route: model.Route, rest: list[str | int]) -> model.Route:
    if not rest:
        return dataclasses.replace(route, path="/", entry=None, snippet=())
    if rest[0] in catalogue.BY_NAME and catalogue.BY_NAME[str(rest[0])].actions == option.EVERY_ACTION:
        return dataclasses.replace(route, options=())
    if rest[0] in catalogue.BY_NAME:
        kept = tuple(one for one in route.action.options if one[0] != rest[0])
        return dataclasses.replace(route, action=dataclasses.replace(route.action, options=kept))
    return dataclasses.replace(route, action=SITE.routes[0].action)


@hypothesis.settings(max_examples=RUNS, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(SITES)
def test_a_site_without_problems_renders(site: model.Site) -> None:
    site = _repaired(site)
    hypothesis.assume(_is_good(site))
    render_tree.render_files(model.Desired(globals=model.Globals(), sites=(site,)), ENVIRONMENT)


@hypothesis.settings(max_examples=RUNS, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(SITES)
def test_a_site_with_a_problem_does_not_render(site: model.Site) -> None:
    """The renderer has no rules of its own: it refuses what the rules refuse, in their words."""
    errors = validate.find_errors(site)
    hypothesis.assume(errors)
    with pytest.raises(RenderError) as refused:
        render_tree.render_site(site, ENVIRONMENT)
    assert all(error.message in str(refused.value) for error in errors)


@hypothesis.given(TEXT)
def test_a_dollar_that_starts_no_variable_is_a_dollar(text: str) -> None:
    """Both read `$name` alike: what the rules take for a literal dollar is one for nginx, too."""
    redirect = model.Redirect(to="/" + text)
    site = dataclasses.replace(SITE, routes=(model.Route(path="/", action=redirect),))
    hypothesis.assume(_is_good(site))
    content = render_tree.render_site(site, ENVIRONMENT).decode()
    variables = set(re.findall(r"\$\{?(\w+)", next(line for line in content.splitlines() if "return 301 " in line)))
    assert variables <= {
        *names.VARIABLES,
        "daemun_dollar",
        "daemun_sent_uri",
        "daemun_server_name",
        "host",
        "request_uri",
    }
