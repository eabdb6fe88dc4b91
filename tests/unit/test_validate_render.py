"""What `core.validate` lets through can be written for nginx: no rule is known to the renderer alone."""

import dataclasses
import typing

import hypothesis
from hypothesis import strategies

from daemun.core import layout, model, names, render_environment, validate
from daemun.core.render import render_tree

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
PROXIES = strategies.builds(
    model.Proxy,
    targets=strategies.lists(TARGETS, min_size=1, max_size=2).map(tuple),
    balance=strategies.sampled_from(model.Balance),
    hash_key=strategies.none() | TEXT,
    tls=strategies.builds(
        model.UpstreamTls, verify=FLAG, ca_file=strategies.none() | PATH, name=strategies.none() | TEXT
    ),
    timeouts=strategies.builds(model.Timeouts, connect_s=SECONDS, idle_s=SECONDS),
    retries=strategies.integers(-1, 3),
    buffering=FLAG,
    host_header=strategies.none() | TEXT,
    document_root=PATH,
    index=strategies.just("index.php") | TEXT,
)
ACTIONS = (
    PROXIES
    | strategies.builds(model.Redirect, to=TEXT | PATH, status=strategies.sampled_from([200, 301, 308]))
    | strategies.builds(model.Files, folder=PATH, spa=FLAG, listing=FLAG)
)
ROUTES = strategies.builds(
    model.Route,
    path=strategies.just("/") | PATH,
    action=ACTIONS,
    max_body_bytes=strategies.integers(-1, 1 << 40),
    request_headers=HEADERS,
    response_headers=HEADERS,
)
SITES = strategies.builds(
    model.Site,
    host=strategies.sampled_from(["a.test", "*.a.test", "10.0.0.1", "[::1]", "b.com"]) | TEXT,
    aliases=strategies.lists(strategies.sampled_from(["c.test", "*.d.test"]) | TEXT, max_size=2).map(tuple),
    redirect_aliases=FLAG,
    tls=strategies.builds(model.Tls, mode=strategies.sampled_from(model.TlsMode)),
    http=strategies.sampled_from(model.HttpMode),
    hsts=strategies.none() | strategies.builds(model.Hsts, max_age_s=NUMBER),
    routes=strategies.lists(ROUTES, min_size=1, max_size=2).map(tuple),
)
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
            kept = [_mended(route, rest) if route.path == path else route for route in site.routes]
            return dataclasses.replace(site, routes=tuple(kept))
        case ("routes",):
            return dataclasses.replace(site, routes=SITE.routes)
        case (("aliases" | "redirect_aliases"), *_):
            return dataclasses.replace(site, aliases=())
        case (("tls" | "http" | "hsts"), *_):
            return dataclasses.replace(site, tls=model.Tls(), http=model.HttpMode.REDIRECT, hsts=None)
        case _:
            return dataclasses.replace(site, host=SITE.host)


def _mended(route: model.Route, rest: list[str | int]) -> model.Route:
    changes: dict[str, typing.Any] = {"action": SITE.routes[0].action}
    if not rest:
        changes = {"path": "/"}
    elif rest[0] in {"request_headers", "response_headers"}:
        changes = {str(rest[0]): ()}
    elif rest[0] == "max_body":
        changes = {"max_body_bytes": 0}
    return dataclasses.replace(route, **changes)


@hypothesis.settings(max_examples=300, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(SITES)
def test_a_site_without_problems_renders(site: model.Site) -> None:
    site = _repaired(site)
    hypothesis.assume(_is_good(site))
    render_tree.render_files(model.Desired(globals=model.Globals(), sites=(site,)), ENVIRONMENT)


@hypothesis.given(TEXT)
def test_a_variable_that_is_allowed_exists_for_the_renderer_too(text: str) -> None:
    """Both read `$name` alike: what validate takes for a literal dollar, the renderer does too."""
    redirect = model.Redirect(to="/" + text)
    site = dataclasses.replace(SITE, routes=(model.Route(path="/", action=redirect),))
    if _is_good(site):
        files = render_tree.render_files(model.Desired(globals=model.Globals(), sites=(site,)), ENVIRONMENT)
        assert any(names.slug(site.host) in path for path in files)
