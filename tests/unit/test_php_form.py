"""`php` as it is written, in a route and in a site, and what is wrong with it."""

import pathlib

import pytest

from daemun.core import model
from daemun.sources import served_folders, yaml_file

SOCKET = model.Target(scheme=model.Scheme.FASTCGI, socket="/run/php.sock")
TCP = model.Target(scheme=model.Scheme.FASTCGI, host="php", port=9000)


def parse(site: str) -> model.Snapshot:
    text = f"sites: {{a.test: {{{site}}}}}\n"
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir=pathlib.Path("/srv"))


def read(site: str) -> model.Route:
    snapshot = parse(site)
    assert not snapshot.problems
    (route,) = snapshot.sites[0].routes
    return route


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("unix:/run/php.sock", SOCKET),
        ("/run/php.sock", SOCKET),
        ("fastcgi://unix:/run/php.sock", SOCKET),
        ("php:9000", TCP),
        ("tcp://php:9000", TCP),
        ("fastcgi://php", TCP),
    ],
)
def test_the_server(written: str, target: model.Target) -> None:
    expected = model.Proxy(targets=(target,), php=model.Php(folder="/var/www/html"))
    assert read(f"/: {{php: '{written}'}}").action == expected
    assert read(f"php: '{written}'").action == expected


def test_all_keys() -> None:
    keys = "socket: php:9000, root: ./blog, server_root: /app, front: app/front.php, no_code: [/uploads, /a/b/]"
    php = model.Php(
        folder="/srv/blog", server_folder="/app", front="app/front.php", no_code=("/uploads/", "/a/b/"), trusted=None
    )
    route = read(f"php: {{{keys}}}, tls: local")
    assert (route.path, route.action) == ("/", model.Proxy(targets=(TCP,), php=php))
    front = read("/x/: {php: {socket: php:9000, front: false, no_code: /up/}, timeout: 5m}")
    assert isinstance(front.action, model.Proxy)
    assert front.action.php == model.Php(folder="/var/www/html", front=None, no_code=("/up/",))
    assert [name for name, _ in front.action.options] == ["timeout"]


def test_a_site_has_further_routes() -> None:
    snapshot = parse("php: php:9000, routes: {/api/: http://api}")
    assert not snapshot.problems
    assert [route.path for route in snapshot.sites[0].routes] == ["/", "/api/"]


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ("/: {php: {root: /srv}}", '"socket" is missing'),
        ("/: {php: 'http://php:9000'}", "php: expected a FastCGI server"),
        ("/: {php: 'php:9000/x'}", "without a path"),
        ("/: {php: 'php:0'}", 'has the port "0"'),
        ("/: {php: {socket: php, rot: /srv}}", 'did you mean "root"?'),
        ("/: {php: {socket: php, server_root: app}}", 'php.server_root: "app" must be an absolute path'),
        ("/: {php: {socket: php, front: /index.php}}", 'write "index.php"'),
        ("/: {php: {socket: php, front: ../x.php}}", "must be a script below `root`"),
        ("/: {php: {socket: php, front: index.html}}", "must be a script below `root`"),
        ("/: {php: {socket: php, no_code: [uploads]}}", 'write "/uploads"'),
        ("/: {php: {socket: php, no_code: [/]}}", "must be a folder below `root`"),
        ("/: {php: {socket: php, no_code: [/a/../b]}}", "must be a folder below `root`"),
        ("/blog: {php: php}", 'write "/blog/" as the path'),
        (
            "/x/: [{php: php, when: {method: POST}}, {to: http://a}]",
            "can share the path / with other routes, and not /x/",
        ),
        ("/: {php: php, to: http://a}", "found `to` and `php`"),
        ("/: {php: php, spa: true}", "spa: has a meaning only beside `files`"),
        ("php: php, routes: {/: http://a}", 'stands beside a route "/"; keep one of them'),
        ("php: {root: /srv}, tls: local", '"socket" is missing'),
    ],
)
def test_what_is_wrong(written: str, cause: str) -> None:
    (problem,) = parse(written).problems
    assert cause in problem.message


def test_a_folder_without_the_front_controller(tmp_path: pathlib.Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.php").write_text("")
    snapshot = parse(f"php: {{socket: php, root: {tmp_path}}}")
    (problem,) = served_folders.find_problems(snapshot, lambda _: None)
    assert f"there is no index.php in {tmp_path}" in problem.message
    assert f"write `root: {tmp_path}/public`" in problem.message
    assert problem.field == ("routes", "/", "php")
    assert not served_folders.find_problems(parse(f"php: {{socket: php, root: {tmp_path}/public}}"), lambda _: None)
    (gone,) = served_folders.find_problems(parse(f"php: {{socket: php, root: {tmp_path}/none}}"), lambda _: None)
    assert "there is no folder" in gone.message
