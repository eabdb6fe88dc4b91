"""Which way a URL takes through the file (site, route, conditions, access), beside the rules written down apart."""

import dataclasses
import random

import pytest

from daemun.core import model
from daemun.core.options import access_option, basic_auth_form, catalogue, when_option
from daemun.core.texts import route_paths
from daemun.core.why import access_walk, condition_match, requested_url, route_walk, site_choice
from tests.support import condition_rule, route_rule

RESPOND = model.Respond(status=204)
REQUEST = condition_match.SentRequest()


def site(host: str, *aliases: str, enabled: bool = True, paths: tuple[str, ...] = ("/",)) -> model.Site:
    routes = tuple(model.Route(path=path, action=RESPOND) for path in sorted(paths, key=route_paths.order))
    return model.Site(host=host, aliases=aliases, enabled=enabled, routes=routes)


def desired(*sites: model.Site) -> model.Desired:
    return model.Desired(globals=model.Globals(), sites=sites)


# --- URLs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown", "path"),
    [
        ("app.test", "https://app.test/", "/"),
        ("HTTP://APP.test.:8080/a/../b//c?x=1#f", "http://app.test:8080/a/../b//c?x=1", "/b/c"),
        ("https://app.test:443/%41", "https://app.test/%41", "/A"),
        ("wss://app.test/socket", "https://app.test/socket", "/socket"),
        ("https://[::1]:8443/", "https://[::1]:8443/", "/"),
        ("https://m\u00fcnchen.test/\u00e4", "https://xn--mnchen-3ya.test/%C3%A4", "/\u00e4"),
        ("https://app.test/a/./b/..", "https://app.test/a/./b/..", "/a/"),
        ("https://app.test/a b", "https://app.test/a%20b", "/a b"),
        ("https://user:secret@app.test/", "https://app.test/", "/"),
    ],
)
def test_a_url_is_read(text: str, shown: str, path: str) -> None:
    found = requested_url.parse(text)
    assert (str(found), found.path) == (shown, path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "https://", "ftp://app.test/", "https://app.test:99999/", "https://a\x1b[31m.test/", "x" * 9000),
        *("https://[::1/", "https://app.test/\r\nHost: other", "https://-bad-/", "https://a..b/"),
    ],
)
def test_what_is_no_url_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|is no|has the scheme|names|characters"):
        requested_url.parse(text)


def test_where_an_answer_leads() -> None:
    base = requested_url.parse("https://app.test:8443/a/b")
    assert str(requested_url.join(base, "../c")) == "https://app.test:8443/c"
    assert requested_url.join(base, "javascript:alert(1)") is None


# --- sites -----------------------------------------------------------------------------------------------------


def test_a_name_finds_its_site() -> None:
    gate = desired(
        site("shop.test", "www.shop.test"), site("*.test"), site("*.shop.test"), site("off.example", enabled=False)
    )
    found = {
        host: (choice.site.host if choice.site else None, choice.match)
        for host in ("shop.test", "www.shop.test", "x.shop.test", "y.test", "off.example")
        for choice in [site_choice.choose(gate, host)]
    }
    assert found == {
        "shop.test": ("shop.test", site_choice.Match.EXACT),
        "www.shop.test": ("shop.test", site_choice.Match.ALIAS),
        "x.shop.test": ("*.shop.test", site_choice.Match.WILDCARD),
        "y.test": ("*.test", site_choice.Match.WILDCARD),
        "off.example": (None, site_choice.Match.NONE),
    }
    off = site_choice.choose(gate, "off.example")
    assert off.disabled is not None
    assert site_choice.choose(desired(site("shop.test")), "shpo.test").near == "shop.test"
    assert site_choice.choose(desired(site("shop.test")), "elsewhere.example").near is None


# --- routes ----------------------------------------------------------------------------------------------------


def test_a_path_finds_the_route_of_the_rule() -> None:
    chance = random.Random(5)
    for _ in range(150):
        tree = route_rule.make_tree(chance)
        whole = site("a.test", paths=tree.paths)
        for _ in range(6):
            sent = route_rule.make_request(chance, tree)
            found = route_walk.walk(whole, requested_url.normal_path(sent), REQUEST)
            taken = None if found.route is None else found.route.path
            assert taken == route_rule.find_route(tree, sent), (tree, sent)


def as_text(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")


def test_a_request_finds_the_entry_of_the_rule() -> None:
    chance = random.Random(6)
    when_form = when_option.OPTION
    for _ in range(100):
        conditions = condition_rule.make_list(chance)
        routes = []
        for number, one in enumerate(conditions):
            values = [] if one is None else [when_form.set(_read(one))]
            routes.append(model.Route(path="/", action=RESPOND, entry=number, options=catalogue.values(*values)))
        whole = dataclasses.replace(site("a.test"), routes=tuple(routes))
        for _ in range(6):
            request = condition_rule.make_request(chance, "/")
            sent = condition_match.SentRequest(
                method=request.method,
                query=request.query,
                headers=tuple(
                    (name, as_text(value))
                    for name, value in (*request.headers, *(("Cookie", line) for line in request.cookies))
                ),
                address=request.address,
            )
            found = route_walk.walk(whole, "/", sent)
            taken = None if found.route is None else found.route.entry
            assert taken == condition_rule.choose(conditions, request), (conditions, request)


def _read(written: condition_rule.When) -> when_option.When:
    import pydantic

    return pydantic.TypeAdapter(when_option.When).validate_python(written)


def test_paths_that_were_meant() -> None:
    walk = route_walk.walk(site("a.test", paths=("/api/", "/Files", "= /exact")), "/api", REQUEST)
    assert (walk.route, walk.near) == (None, ("/api/",))
    assert route_walk.find_near(("/api/", "/other/"), "/apj/x/y") == ("/api/",)
    assert route_walk.find_near(("= /exact",), "/exact/") == ("= /exact",)
    assert route_walk.find_near(("/api/",), "/nothing/like/it") == ()


def test_what_is_not_known_is_perhaps() -> None:
    shares = when_option.OPTION.set(when_option.When(probability=500))
    routes = (
        model.Route(path="/", action=RESPOND, entry=0, options=catalogue.values(shares)),
        model.Route(path="/", action=RESPOND, entry=1),
    )
    walk = route_walk.walk(dataclasses.replace(site("a.test"), routes=routes), "/", REQUEST)
    assert walk.route is not None
    assert (walk.route.entry, walk.perhaps) == (0, True)


# --- access ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "address", "rules"),
    [
        (access_option.Access(allow=("192.0.2.0/24",)), "192.0.2.9", []),
        (access_option.Access(allow=("192.0.2.0/24",)), "198.51.100.9", ["allow"]),
        (access_option.Access(allow=("private",)), "::ffff:10.1.2.3", []),
        (access_option.Access(deny=("private",)), "10.1.2.3", ["deny"]),
        (access_option.Access(deny=("private",)), "192.0.2.9", []),
        (access_option.Access(allow=("friend.example",)), "192.0.2.7", []),
        (access_option.Access(allow=("friend.example",)), "192.0.2.8", ["allow"]),
    ],
)
def test_who_is_refused(access: access_option.Access, address: str, rules: list[str]) -> None:
    request = condition_match.SentRequest(address=address)
    found = access_walk.judge(access, "the site a.test", request, {"friend.example": ("192.0.2.7",)})
    assert [one.rule for one in found] == rules
    assert all(one.cause and one.cure for one in found)


def test_a_ban_is_found_by_its_network() -> None:
    bans = (("198.51.100.0/24", "owner"),)
    assert access_walk.find_ban("198.51.100.7", bans) == "198.51.100.0/24"
    assert access_walk.find_ban("192.0.2.1", bans) is None
    assert access_walk.find_ban("no address", bans) is None


def test_names_of_a_file_are_looked_for_there() -> None:
    """The cure named `basic_auth.users` where the names are in a htpasswd file."""
    for users, file, told in (
        ((("a", "$2b$04$x"),), None, "a name of `basic_auth.users`;"),
        ((), "/etc/daemun/htpasswd", "a name of /etc/daemun/htpasswd;"),
        ((("a", "$2b$04$x"),), "/etc/x", "a name of `basic_auth.users` or /etc/x;"),
    ):
        access = access_option.Access(basic_auth=basic_auth_form.BasicAuth(users=users, file=file))
        (found,) = access_walk._of_judges(access, "the gate", condition_match.SentRequest())
        assert told in found.cure


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (("Authorization", "Basic YTpi"), None),
        (("authorization", "Bearer daemun_x"), None),
        (("Cookie", "__Host-daemun-session=x"), None),
        (("Cookie", "a=1; __Host-daemun-session=x; b=2"), "a=1; b=2"),
        (("Accept", "*/*"), "*/*"),
    ],
)
def test_what_is_for_the_gate_is_not_for_servers(given: tuple[str, str], left: str | None) -> None:
    access = access_option.Access(basic_auth=basic_auth_form.BasicAuth(users=(("a", "$2b$04$x"),)))
    options = catalogue.values(access_option.OPTION.set(access))
    guarded = dataclasses.replace(site("app.test"), options=options)
    request = condition_match.SentRequest(headers=(given,))
    found = access_walk.without_gates(request, guarded, guarded.routes[0], model.Globals())
    assert found.headers == (() if left is None else ((given[0], left),))
    open_to_all = access_walk.without_gates(request, site("app.test"), None, model.Globals())
    assert bool(open_to_all.headers) is (left is not None or given[1].startswith("Basic"))
