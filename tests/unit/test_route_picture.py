"""A site's routes as boxes and links: none over another, each with its lamp, and rows with all of it."""

import datetime
import itertools

import pytest

from daemun.core import model
from daemun.core.access import built_in_sites
from daemun.core.dashboard import access_rules, lamps, route_picture
from daemun.sources import yaml_file
from daemun.web import json_values

NOW = datetime.datetime(2026, 11, 30, 9, 0, tzinfo=datetime.UTC)


def _site(text: str) -> tuple[model.Site, model.Globals]:
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/")
    return snapshot.sites[0], snapshot.globals or model.Globals()


def _look(*routes: model.RouteLook) -> model.SiteLook:
    return model.SiteLook(routes=routes)


def _server(server: str, trouble: model.Trouble | None = None) -> model.ServerLook:
    return model.ServerLook(server=server, at=NOW, trouble=trouble, cause="it refuses" if trouble else None)


FILE = """
sites:
  chat.example.com:
    routes:
      /: {to: ["http://10.0.0.1:80", "http://10.0.0.2:80"]}
      /admin/: {to: "http://10.0.0.3:80", access: {allow: private, rate_limit: 10/s}}
      /old/: {redirect: "https://example.com/"}
"""


def test_lamps_follow_from_the_looks() -> None:
    site, settings = _site(FILE)
    look = _look(
        model.RouteLook(path="/", servers=(_server("10.0.0.1:80"), _server("10.0.0.2:80", model.Trouble.REFUSED))),
        model.RouteLook(path="/admin/", servers=(_server("10.0.0.3:80", model.Trouble.SILENT),)),
    )
    found = {one.path: one for one in route_picture.find_routes(site, settings, look, {})}
    lights = {path: one.lamp for path, one in found.items()}
    assert lights == {
        "/": lamps.Light.WARNING,
        "/admin/": lamps.Light.BAD,
        "/old/": lamps.Light.GOOD,
    }
    assert [one.kind for one in found["/admin/"].rules] == ["allow", "rate_limit"]
    assert found["/"].rules == ()


def test_without_a_look_nothing_is_known_of_servers() -> None:
    site, settings = _site(FILE)
    lights = [one.lamp for one in route_picture.find_routes(site, settings, None, {})]
    assert lights.count(lamps.Light.UNKNOWN) == 2


def test_a_judge_that_does_not_answer_makes_the_route_bad() -> None:
    site, settings = _site(FILE)
    judges = (_server("10.0.0.9:9091", model.Trouble.REFUSED),)
    look = _look(model.RouteLook(path="/", servers=(_server("10.0.0.1:80"),), judges=judges))
    found = {one.path: one for one in route_picture.find_routes(site, settings, look, {})}
    assert found["/"].lamp is lamps.Light.BAD


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_boxes_are_within_the_picture_and_none_over_another(count: int) -> None:
    servers = tuple(
        route_picture.PicturedServer(text=f"http://server-with-a-long-name-{number}.internal:8080", lamp=lamp)
        for number, lamp in enumerate(itertools.islice(itertools.cycle(lamps.Light), count % 17))
    )
    rule = access_rules.AccessRule(kind="login")
    routes = [
        route_picture.PicturedRoute(
            path=f"/a/long/path/of/a/route/{number}/",
            when=None,
            kind="proxy",
            rules=(rule,) if number % 2 else (),
            servers=servers,
            lamp=lamps.Light.GOOD,
        )
        for number in range(count)
    ]
    picture = route_picture.draw("a-host-with-a-long-name.example.com", routes)
    for box in picture.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= picture.width
        assert box.y + box.height <= picture.height
        assert len(box.text) * 7.3 <= box.width
    for one, other in itertools.combinations(picture.boxes, 2):
        is_beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        is_below = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert is_beside or is_below, (one, other)
    assert picture.left_out == max(0, count - route_picture.MOST_ROUTES)


def test_many_servers_are_counted() -> None:
    servers = tuple(route_picture.PicturedServer(text=f"s{n}", lamp=lamps.Light.GOOD) for n in range(20))
    route = route_picture.PicturedRoute(
        path="/", when=None, kind="proxy", rules=(), servers=servers, lamp=lamps.Light.GOOD
    )
    texts = [box.text for box in route_picture.draw("a.test", [route]).boxes if box.kind == "server"]
    assert texts == [*(f"s{n}" for n in range(7)), "s7 + 12"]


def test_a_page_of_daemuns_own_is_named_and_is_no_redirect_to_itself() -> None:
    written = 'dashboard: {host: gate.test}\nlogin: {host: auth.test}\nsites: {a.test: "http://web"}\n'
    snapshot = yaml_file.parse(written, file_name="daemun.yaml", base_dir="/")
    settings = snapshot.globals or model.Globals()
    found = {own.short: site for own, site in built_in_sites.find_all(settings)}
    assert set(found) == {"the dashboard", "the sign-in"}
    for short, site in found.items():
        for one in route_picture.find_routes(site, settings, None, {}):
            assert (one.kind, [server.text for server in one.servers]) == ("own", [short])
        (written_route, *_) = [json_values.route_json(route, {}) for route in site.routes]
        assert (written_route["kind"], written_route["to"]) == ("own", [short])
