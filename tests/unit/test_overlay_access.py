"""No label lets a visitor in where the site of the file does not (`from: docker`)."""

import collections.abc
import dataclasses
import ipaddress
import itertools

import pytest

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import access_option, when_option
from daemun.core.rounds import merge
from daemun.core.texts import route_paths
from daemun.sources import yaml_file
from tests.support import docker_values

TOP = "login: {host: auth.test}"
IN_FILE = "http://127.0.0.1:1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    address: str
    is_signed_in: bool
    method: str = "GET"


VISITORS = tuple(
    Visitor(address=address, is_signed_in=is_signed_in, method=method)
    for address, is_signed_in, method in itertools.product(
        ("10.1.0.1", "10.2.0.1", "192.0.2.1"), (False, True), ("GET", "POST")
    )
)


def read(site: str) -> model.Snapshot:
    """site: in braces."""
    return yaml_file.parse(f"{TOP}\nsites:\n  a.test: {site}\n", file_name="daemun.yaml", base_dir="/etc/daemun")


def lay(file: model.Snapshot, *labels: dict[str, str]) -> model.Desired:
    found = [
        docker_values.container(f"web-{number}", {"daemun.host": "a.test", **one}, ip=f"10.0.0.{number + 1}")
        for number, one in enumerate(labels, 1)
    ]
    return merge.merge_snapshots([file, docker_values.run(*found).snapshot])


def site_of(desired: model.Desired) -> model.Site:
    return next(one for one in desired.sites if one.host == "a.test")


def find_route(site: model.Site, path: str, visitor: Visitor) -> model.Route | None:
    index = route_paths.choose([one.path for one in site.routes], path)
    if index is None:
        return None
    entries = [one for one in site.routes if one.path == site.routes[index].path]
    return next((one for one in entries if holds(when_option.OPTION.of(one), visitor)), None)


def holds(when: when_option.When | None, visitor: Visitor) -> bool:
    if when is None:
        return True
    methods, networks = when.method or (visitor.method,), when.address
    return visitor.method in methods and (not networks or is_among(visitor, networks))


def is_among(visitor: Visitor, networks: tuple[str, ...]) -> bool:
    found = access_option.networks(networks)
    return any(ipaddress.ip_address(visitor.address) in ipaddress.ip_network(one) for one in found)


def is_let_in(desired: model.Desired, path: str, visitor: Visitor) -> model.Route | None:
    """The route that answers the visitor; None: he is kept out."""
    site = site_of(desired)
    route = find_route(site, path, visitor)
    if route is None or (isinstance(route.action, model.Respond) and route.action.status >= 400):
        return None
    held = access_levels.of_route(route, site, desired.globals).access
    answers = [is_among(visitor, held.allow)] * bool(held.allow)
    answers += [visitor.is_signed_in] * (held.login is not None)
    is_in = any(answers) if held.any else all(answers)
    return route if (is_in or not answers) and not is_among(visitor, held.deny) else None


ROUTES = {
    "/": ("timeout: 5m", "access: {allow: [10.0.0.0/8]}", "access: {deny: [10.1.0.0/16]}"),
    "/admin/": (
        "access: {allow: [10.0.0.0/8]}",
        "access: {login: true}",
        "access: {login: true, allow: [10.1.0.0/16], any: true}",
        "access: public",
        "deny: true",
    ),
    "/admin/s/": ("access: public", "access: {allow: [10.1.0.0/16]}"),
    "= /admin/x": ("access: public", "deny: true"),
    "*.php": ("access: public", "access: {allow: [10.1.0.0/16]}"),
    "~ ^/admin/[xy]": ("access: public", "access: {login: true}"),
}
LISTS = (
    f"[{{when: {{address: [10.0.0.0/8]}}, to: '{IN_FILE}'}}, {{deny: true}}]",
    f"[{{when: {{address: [10.0.0.0/8]}}, to: '{IN_FILE}'}}]",
    f"[{{when: {{method: [GET]}}, to: '{IN_FILE}', access: public}}, "
    f"{{to: '{IN_FILE}', access: {{allow: [10.1.0.0/16]}}}}]",
    f"[{{when: {{method: [GET]}}, to: '{IN_FILE}', access: {{login: true}}}}, "
    f"{{to: '{IN_FILE}', access: {{allow: [10.1.0.0/16]}}}}]",
)
SITES = ("", "access: {allow: [10.0.0.0/8]}", "access: {login: true}", "access: {login: true, rate_limit: 9/s}")
LABELS: tuple[dict[str, str], ...] = (
    {"daemun.access": "public"},
    {},
    {"daemun.access.allow": "0.0.0.0/0"},
    {"daemun.access.allow": "10.1.0.0/16"},
)
PATHS = ("/", "/admin", "/admin/x", "= /admin/x", "/admin/x/", "/admin/x.php", "= /admin/x.php", "/admin/s/y", "= /y")
PATTERNS = ("*.php", "*.x", "~ ^/.*$", "~ ^/admin/.*x", "~* ^/ADMIN/")
REQUESTS = (
    "/",
    "/y",
    "/q.php",
    "/a.x",
    "/admin",
    "/admin/",
    "/admin/x",
    "/admin/x/y",
    "/admin/x.php",
    "/admin/s/y",
    "/admin/q.x",
)


def written_sites() -> collections.abc.Iterator[str]:
    every: dict[str, tuple[str, ...]] = {path: tuple(f"{{{one}}}" for one in ones) for path, ones in ROUTES.items()}
    every["/admin/"] += LISTS
    for of_site, count in itertools.product(SITES, (1, 2)):
        for paths in itertools.combinations(every, count):
            for values in itertools.product(*(every[path] for path in paths)):
                routes = ", ".join(f"'{path}': {value}" for path, value in zip(paths, values, strict=True))
                yield f"{{from: docker, {of_site}{', ' if of_site else ''}routes: {{{routes}}}}}"


WRITTEN = tuple(written_sites())
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_no_label_lets_in_whom_the_file_keeps_out(part: int) -> None:
    seen = 0
    labels = itertools.cycle(LABELS)
    for number, written in enumerate(WRITTEN[part::PARTS]):
        file = read(written)
        if any(one.severity is model.Severity.ERROR for one in file.problems):
            continue
        base = lay(file, {})
        kept_out = [pair for pair in itertools.product(REQUESTS, VISITORS) if is_let_in(base, *pair) is None]
        for path in itertools.islice(itertools.cycle((*PATHS, *PATTERNS)), number, number + 1):
            label = {"daemun.path": path, **next(labels)}
            desired = lay(file, {}, label)
            found = [pair for pair in kept_out if is_let_in(desired, *pair) is not None]
            assert not found, (written, label, found[0])
            seen += 1
    assert seen > 100


def test_a_pattern_of_a_container_is_guarded_by_all_that_it_takes_from() -> None:
    desired = lay(
        read("{from: docker, access: {login: true}, routes: {/hook/: {access: {allow: [192.30.252.0/22]}}}}"),
        {},
        {"daemun.path": "*.php"},
    )
    (route,) = [one for one in site_of(desired).routes if one.path == "*.php"]
    found = access_option.OPTION.of(route)
    assert found is not None
    assert (found.conditions, found.allow) == (("allow", "login"), ("192.30.252.0/22",))


@pytest.mark.parametrize(
    ("written", "path", "cause"),
    [
        (
            "access: {allow: [10.0.0.0/8]}, routes: {/hook/: {access: {allow: [192.30.252.0/22]}}}",
            "*.php",
            "access: allow: none of these is among those that the file lets in; container web-2 cannot be combined "
            "with daemun.yaml:",
        ),
        (
            "routes: {/hook/: {nginx: 'deny 192.0.2.1;'}}",
            "/hook/x",
            'is left out: daemun.yaml:3:35 may guard "/hook/" by `deny` in its `nginx:`',
        ),
        (
            "nginx: 'auth_basic off;'",
            "/x",
            "access: `auth_basic` in `nginx:` would not hold beside it; container web-2 cannot be combined "
            "with daemun.yaml:",
        ),
    ],
)
def test_what_cannot_be_held_is_closed_and_names_both(written: str, path: str, cause: str) -> None:
    label = {"daemun.path": path, "daemun.access.allow": "10.0.0.0/8"}
    desired = lay(read(f"{{from: docker, {written}}}"), {}, label)
    (problem,) = desired.problems
    assert str(problem).startswith(f'container web-2: site "a.test", route "{path}"')
    assert cause in problem.message
    routes = [one for one in site_of(desired).routes if one.path == path]
    assert all(one.action == model.Respond(status=503) for one in routes)
    assert [one.is_served for one in desired.containers] == [True, False]
