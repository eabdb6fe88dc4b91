"""Sites of the file over those of containers: what holds of both, and what is served while there is none."""

import pytest

from daemun.core import layout, model, render_environment, site_overlays
from daemun.core.options import access_option, catalogue, header_options, hsts_option, http_option, timeout_option
from daemun.core.plan import change_plan
from daemun.core.plan.quarantine import StandIn
from daemun.core.rounds import assembly, merge, outcome
from daemun.sources import set_aside, yaml_file
from daemun.web import json_values
from tests.support import docker_values

PLACE = "container web-1"
ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout("/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
    ),
    resolver="127.0.0.1:53",
)


def file(site: str, top: str = "") -> model.Snapshot:
    """site: in braces."""
    text = f"{top}\nsites:\n  a.test: {site}\n"
    found = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    assert [str(one) for one in found.problems] == []
    return found


def containers(*labels: dict[str, str]) -> model.Snapshot:
    found = [
        docker_values.container(f"web-{number}", {"daemun.host": "a.test", **one}, ip=f"10.0.0.{number + 1}")
        for number, one in enumerate(labels, 1)
    ]
    return docker_values.run(*found).snapshot


def merged(site: str, *labels: dict[str, str], top: str = "") -> model.Desired:
    return merge.merge_snapshots([file(site, top), containers(*labels)])


def served(site: str, *labels: dict[str, str], top: str = "") -> model.Site:
    desired = merged(site, *labels, top=top)
    assert [str(one) for one in desired.problems] == []
    (found,) = desired.sites
    return found


def route(site: model.Site, path: str = "/") -> model.Route:
    (found,) = [one for one in site.routes if one.path == path]
    return found


def access(site: model.Site, path: str = "/") -> access_option.Access | None:
    return access_option.OPTION.of(route(site, path))


def test_the_routes_are_those_of_the_containers() -> None:
    site = served("{from: docker, hsts: true}", {}, {"daemun.path": "/api/"})
    assert [(one.path, one.origin.place) for one in site.routes] == [("/", PLACE), ("/api/", "container web-2")]
    assert site.origin.place.startswith("daemun.yaml:3")
    assert site.place == f"{site.origin} over {PLACE}"
    assert hsts_option.OPTION.of(site) == hsts_option.Hsts()


def test_both_containers_are_served() -> None:
    assert [one.is_served for one in merged("{from: docker}", {}, {"daemun.path": "/api/"}).containers] == [True, True]


def test_without_from_the_host_is_the_files_alone() -> None:
    desired = merged("http://127.0.0.1:1", {})
    assert [one.why for one in desired.containers] == [
        'host "a.test" already belongs to "a.test@file" (daemun.yaml:3:3)'
    ]


@pytest.mark.parametrize(
    ("written", "labels", "expected"),
    [
        ("", {"daemun.http": "serve"}, model.HttpMode.SERVE),
        ("http: redirect", {"daemun.http": "serve"}, model.HttpMode.REDIRECT),
        ("tls: 'off'", {"daemun.http": "redirect"}, model.HttpMode.SERVE),
    ],
)
def test_the_file_goes_before_labels(written: str, labels: dict[str, str], expected: model.HttpMode) -> None:
    assert served(f"{{from: docker, {written}}}", labels).http is expected


def test_redirects_of_the_file_need_tls_whatever_labels_set() -> None:
    site = served("{from: docker, http: redirect}", {"daemun.tls": "off"})
    assert (site.http, site.tls.mode) == (model.HttpMode.REDIRECT, model.TlsMode.AUTO)
    assert http_option.find_cause(site.http, site.tls) is None


def test_a_default_that_the_file_writes_holds_too() -> None:
    assert hsts_option.OPTION.of(served("{from: docker, hsts: false}", {"daemun.hsts": "true"})) is None
    site = served(
        "{from: docker, routes: {/: {timeout: {connect: 5s, read: 60s, send: 60s}}}}", {"daemun.timeout.read": "9"}
    )
    assert timeout_option.OPTION.of(route(site).action).read_s == 60


def test_a_route_without_a_target_leads_where_the_containers_would() -> None:
    site = served(
        "{from: docker, routes: {/: {timeout: 5m}, /admin/: {access: {allow: [10.0.0.0/8]}}, "
        "'= /old': {redirect: /new}}}",
        {"daemun.to": "/app/", "daemun.max_body": "7"},
    )
    assert [one.path for one in site.routes] == ["/", "/admin/", "= /old"]
    root, admin = route(site).action, route(site, "/admin/").action
    assert isinstance(root, model.Proxy)
    assert isinstance(admin, model.Proxy)
    assert root.targets[0].pool == admin.targets[0].pool
    assert (root.targets[0].path, admin.targets[0].path) == ("/app/", "/app/admin/")
    assert timeout_option.OPTION.of(root).read_s == 300
    # What labels set for the route beneath holds, too.
    assert dict(route(site, "/admin/").options)["max_body"] == 7
    assert access(site, "/admin/") == access_option.Access(allow=("10.0.0.0/8",))


def test_headers_add_up_and_the_files_hold() -> None:
    site = served(
        "{from: docker, response_headers: {X-Both: file}}",
        {"daemun.response_headers.X-Own": "label", "daemun.response_headers.x-both": "label"},
    )
    assert header_options.merged(header_options.RESPONSE, route(site), site) == (
        ("X-Both", "file"),
        ("X-Own", "label"),
    )


NET = "10.0.0.0/8"


@pytest.mark.parametrize(
    ("site", "label", "expected"),
    [
        # Both hold.
        ("access: {allow: [10.0.0.0/8]}", {"daemun.access.allow": "10.1.0.0/16"}, ("10.1.0.0/16",)),
        ("access: {allow: [10.1.0.0/16]}", {"daemun.access.allow": "10.0.0.0/8"}, ("10.1.0.0/16",)),
        # No label opens; what is around holds.
        ("access: {allow: [10.0.0.0/8]}", {"daemun.access": "public"}, None),
        ("access: {allow: [10.0.0.0/8]}", {}, None),
        # The file opens.
        ("access: public", {"daemun.access.allow": "10.1.0.0/16"}, None),
        ("routes: {/: {access: public}}", {"daemun.access.allow": "10.1.0.0/16"}, ()),
        # Limits alone open nothing.
        ("access: {rate_limit: 9/s}", {"daemun.access.allow": "10.1.0.0/16"}, ("10.1.0.0/16",)),
        ("routes: {/: {access: {allow: [10.0.0.0/8]}}}", {"daemun.access.allow": "10.1.0.0/16"}, ("10.1.0.0/16",)),
    ],
)
def test_who_may_come_in(site: str, label: dict[str, str], expected: tuple[str, ...] | None) -> None:
    found = access(served(f"{{from: docker, {site}}}", label))
    assert (None if found is None else found.allow) == expected


def test_what_guards_every_site_holds_over_labels() -> None:
    top = "access: {allow: [10.0.0.0/8]}"
    assert access(served("{from: docker}", {"daemun.access": "public"}, top=top)) is None
    found = access(served("{from: docker, hsts: true}", {"daemun.access.allow": "10.1.0.0/16"}, top=top))
    assert found is not None
    assert found.allow == ("10.1.0.0/16",)


@pytest.mark.parametrize("path", ["/admin/x/", "/admin/x", "/admin/../y"])
def test_no_label_gets_around_a_guarded_path(path: str) -> None:
    written = "{from: docker, routes: {/admin/: {access: {allow: [10.0.0.0/8]}}}}"
    desired = merged(written, {}, {"daemun.path": path, "daemun.access": "public"})
    (site,) = desired.sites
    inner = [one for one in site.routes if one.path not in {"/", "/admin/"}]
    assert all(access_option.OPTION.of(one) == access_option.Access(allow=(NET,)) for one in inner)
    assert access(site, "/admin/") == access_option.Access(allow=(NET,))


def test_no_label_gets_around_a_denied_path() -> None:
    desired = merged("{from: docker, routes: {/x/: {deny: true}}}", {}, {"daemun.path": "/x/y/"})
    (site,) = desired.sites
    assert [one.path for one in site.routes] == ["/", "/x/"]
    (problem,) = desired.problems
    assert str(problem) == ('container web-2: site "a.test", route "/x/y/": is left out: daemun.yaml:3:35 denies "/x/"')
    assert problem.severity is model.Severity.WARNING
    assert [one.is_served for one in desired.containers] == [True, False]


@pytest.mark.parametrize(
    ("written", "paths", "is_served"),
    [
        ("routes: {/x/: {deny: true}}", ("/x/y/", "/other/"), True),
        ("routes: {/: {access: {allow: [10.0.0.0/8]}}}", ("/", "/other/"), True),
        # A path of the file that leads to the container's "/".
        ("routes: {/x/: {access: {allow: [10.0.0.0/8]}}}", ("/", "/other/"), True),
        ("routes: {/x/: {access: {allow: [10.0.0.0/8]}}}", ("/",), True),
        ("routes: {/x/: {deny: true}}", ("/x/y/", "/x/z/"), False),
    ],
)
def test_a_container_is_served_while_another_of_its_routes_is(
    written: str, paths: tuple[str, ...], is_served: bool
) -> None:
    labels = {f"daemun.n{number}.host": "a.test" for number in range(len(paths))}
    labels |= {f"daemun.n{number}.path": path for number, path in enumerate(paths)}
    found = docker_values.run(docker_values.container("web-1", {**labels, "daemun.n0.access.allow": "192.0.2.0/24"}))
    desired = merge.merge_snapshots([file(f"{{from: docker, {written}}}"), found.snapshot])
    (status,) = desired.containers
    assert (status.is_served, status.why) == (is_served, desired.problems[0].message)


@pytest.mark.parametrize(
    "labels",
    [
        [{"daemun.root": "/x"}],  # has no effect
        [{"daemun.hsts": "true"}, {"daemun.path": "/api/", "daemun.hsts": "false"}],  # two that disagree
    ],
)
def test_a_container_with_a_warning_is_served(labels: list[dict[str, str]]) -> None:
    desired = merged("{from: docker}", *labels)
    assert [one.severity for one in desired.problems] == [model.Severity.WARNING]
    assert [one.is_served for one in desired.containers] == [True] * len(labels)


GUARDED = "/admin/: {access: {allow: [10.0.0.0/8]}}"


@pytest.mark.parametrize(
    "entries",
    [
        "{when: {address: [10.0.0.0/8]}, to: 'http://127.0.0.1:1'}, {deny: true}",
        "{when: {address: [10.0.0.0/8]}, to: 'http://127.0.0.1:1'}, {respond: {status: 403, body: no}}",
        "{when: {address: [10.0.0.0/8]}, to: 'http://127.0.0.1:1'}",
    ],
)
def test_no_label_gets_around_a_list_that_lets_nobody_else_in(entries: str) -> None:
    desired = merged(f"{{from: docker, routes: {{/admin/: [{entries}]}}}}", {}, {"daemun.path": "/admin/x/"})
    (site,) = desired.sites
    assert {one.path for one in site.routes} == {"/", "/admin/"}
    (problem,) = desired.problems
    assert str(problem).startswith('container web-2: site "a.test", route "/admin/x/": is left out: daemun.yaml:3:')
    assert '"/admin/"' in problem.message


def test_every_route_of_a_list_guards_what_is_below() -> None:
    listed = (
        "[{when: {method: [GET]}, to: 'http://127.0.0.1:1', access: public}, "
        "{to: 'http://127.0.0.1:1', access: {allow: [10.0.0.0/8]}}]"
    )
    site = served(f"{{from: docker, routes: {{/admin/: {listed}}}}}", {}, {"daemun.path": "/admin/x/"})
    assert access(site, "/admin/x/") == access_option.Access(allow=(NET,))


@pytest.mark.parametrize(
    ("exempt", "path"),
    [
        ("'= /admin/x': {access: public}", "/admin/x"),
        ("'*.css': {access: public}", "/admin/x.css"),
        ("'~ ^/admin/x': {access: public}", "/admin/x"),
    ],
)
def test_an_exempt_path_opens_no_prefix(exempt: str, path: str) -> None:
    written = f"{{from: docker, routes: {{{GUARDED}, {exempt}}}}}"
    assert access(served(written, {}, {"daemun.path": path}), path) == access_option.Access(allow=(NET,))


def test_an_exempt_path_opens_no_prefix_below_a_denied_one() -> None:
    desired = merged(
        "{from: docker, routes: {/x/: {deny: true}, '= /x/ok': {timeout: 5m}}}", {}, {"daemun.path": "/x/ok"}
    )
    assert [one.path for one in desired.sites[0].routes] == ["/", "/x/", "= /x/ok"]


def test_what_cannot_both_hold_closes_the_route_and_names_both() -> None:
    written = "{from: docker, access: {allow: [10.0.0.0/8]}}"
    desired = merged(written, {"daemun.access.allow": "192.0.2.0/24"}, {"daemun.path": "/other/"})
    (site,) = desired.sites
    assert route(site).action == model.Respond(status=503)
    assert isinstance(route(site, "/other/").action, model.Proxy)  # what is another container's goes on
    (problem,) = desired.problems
    assert str(problem) == (
        'container web-1: site "a.test", route "/", access: allow: none of these is among those that the file lets in; '
        "container web-1 cannot be combined with daemun.yaml:3:3: change one of them"
    )
    assert [(one.is_served, one.why) for one in desired.containers] == [(False, problem.message), (True, None)]


def test_an_option_that_the_containers_route_has_no_use_for() -> None:
    written = "{from: docker, routes: {/: {timeout: 5m}}}"
    desired = merged(written, {"daemun.redirect": "https://b.test/"})
    assert [str(one) for one in desired.problems] == [
        'daemun.yaml:3:35: site "a.test", route "/", timeout: has a meaning only beside `to` or `php`, and container '
        "web-1 has `redirect`; it has no effect"
    ]
    assert [type(one.action) for one in desired.sites[0].routes] == [model.Redirect]


# --- while there is none -----------------------------------------------------------------------------------------


def test_without_a_container_it_waits_and_what_guards_it_stays() -> None:
    site = served(
        "{from: docker, access: {allow: [10.0.0.0/8]}, "
        "routes: {/admin/: {access: {deny: [10.1.0.0/16]}, timeout: 5m}, '= /old': {redirect: /new}}}"
    )
    assert [(one.path, type(one.action).__name__) for one in site.routes] == [
        ("/", "Respond"),
        ("/admin/", "Respond"),
        ("= /old", "Redirect"),
    ]
    assert access_option.OPTION.of(site) == access_option.Access(allow=(NET,))
    assert access(site, "/admin/") == access_option.Access(deny=("10.1.0.0/16",))


def test_waiting_is_quiet() -> None:
    desired = merged("{from: docker}")
    files = {"sites/a.test.conf": b""}
    (status,) = outcome.site_statuses(desired, live=files, rendered=files)
    assert (status.state, desired.problems) == (model.SiteState.WAITING, ())
    assert status.state.is_at_rest
    assert status.reason == 'no container has the host "a.test", and the site has the routes of containers (`from`)'
    assert status.cure is not None
    assert "daemun.host=a.test" in status.cure
    (status,) = outcome.site_statuses(merged("{from: docker}", {}), live=files, rendered=files)
    assert status.state is model.SiteState.LIVE


def test_no_container_is_to_be_started_while_no_engine_answers() -> None:
    site = served("{from: docker}")
    silent = model.EngineStatus(name="nas", place="ssh://nas", answers=False)
    assert site_overlays.how_to_serve(site, [silent]).startswith("let daemun reach the engine nas first")
    for engines in ([], [silent, model.EngineStatus(name="local", place="unix:///run/docker.sock")]):
        assert site_overlays.how_to_serve(site, engines).startswith("start a container")


def test_one_that_is_switched_off_stays_off() -> None:
    (site,) = merged("{from: docker, enabled: false}", {}).sites
    assert not site.enabled


# --- how it is written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        ("{from: file}", 'site "a.test", from: expected docker, found "file"'),
        ("{hsts: true, routes: {/: {timeout: 5m}}}", "expected one of `to`"),
        ("{from: docker, routes: {/: [{when: {method: [GET]}, timeout: 5m}]}}", "expected one of `to`"),
        ("{from: docker, hst: true}", "hsts"),
    ],
)
def test_mistakes(written: str, cause: str) -> None:
    text = f"sites:\n  a.test: {written}\n"
    problems = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/").problems
    assert any(cause in str(one) for one in problems), problems


def test_an_application_is_that_of_the_containers() -> None:
    site = served("{from: docker, app: nextcloud}", {})
    assert isinstance(route(site).action, model.Proxy)
    assert "/.well-known/carddav" in {one.path.removeprefix("= ") for one in site.routes}


def test_every_key_is_of_an_option() -> None:
    (site,) = file("{from: docker, listen: {http: 8080, https: 8443}, routes: {/api/*: {timeout: 5m}}}").sites
    assert site.overlay is not None
    assert {key[-1] for key in site.overlay.keys} <= catalogue.BY_NAME.keys()
    assert ("routes", "/api/", "timeout") in site.overlay.keys


# --- mistakes of the file -------------------------------------------------------------------------------------------


def set_aside_of(written: str, known: dict[str, model.Site]) -> model.Snapshot:
    text = f"sites:\n  a.test: {written}\n  b.test: http://127.0.0.1:1\n"
    found = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    error = yaml_file.InvalidFileError(found.problems, good=found)
    return set_aside.set_aside(error, set_aside.LastGoodEntries(sites=known), is_start=False)


@pytest.mark.parametrize("known", [{}, {"a.test": "from: docker"}])
def test_a_mistake_over_containers_leaves_what_runs_its_servers(known: dict[str, str]) -> None:
    before = {host: one for text in known.values() for one in file(f"{{{text}}}").sites for host in (one.host,)}
    snapshot = set_aside_of("{from: docker, acces: {allow: [private]}}", before)
    theirs = containers({})
    desired = merge.merge_snapshots([snapshot, theirs])
    site = next(one for one in desired.sites if one.host == "a.test")
    assert site.fault is not None
    (one,) = site.routes
    assert isinstance(one.action, model.Proxy)
    assert one.action.targets[0].pool == theirs.pools[0].name
    assert [one.why for one in desired.containers] == [None]


def test_a_mistake_where_no_container_is_shows_a_page() -> None:
    desired = merge.merge_snapshots([set_aside_of("{from: docker, acces: {allow: [private]}}", {})])
    site = next(one for one in desired.sites if one.host == "a.test")
    assert site.fault is not None
    assert [one.action for one in site.routes] == [model.Respond(status=503)]


@pytest.mark.parametrize(
    "written",
    [
        "{to: 'http://10.9.9.9', acces: {allow: [private]}}",
        "{from: docker, acces: {allow: [private]}}",
        "{from: docker, routes: {/admin/: {denny: true}}}",
    ],
)
def test_a_site_that_never_could_be_read_gives_its_host_to_no_container_that_comes(
    written: str,
) -> None:
    desired = merge.merge_snapshots([set_aside_of(written, {}), containers({})])
    path = change_plan.site_file("a.test")
    found: assembly.Assembled | None = None
    for _ in range(2):  # at a start, and with what that left
        found = assembly.assemble_files(desired, ENVIRONMENT, last_good={} if found is None else found.files)
        assert [(one.path, one.stand_in) for one in found.refused] == [(path, StandIn.UNAVAILABLE)]
        assert b"return 503;" in found.files[path]
        assert b"proxy_pass" not in found.files[path]


@pytest.mark.parametrize(
    ("top", "cause"),
    [
        ("docker: 'off'", "`docker` is off"),
        ("docker: {reserve: ['*.test']}", 'no container may claim "*.test" (`docker.reserve`)'),
    ],
)
def test_one_that_would_wait_for_ever_is_warned_of(top: str, cause: str) -> None:
    text = f"{top}\nsites:\n  a.test: {{from: docker}}\n"
    (problem,) = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/").problems
    assert problem.severity is model.Severity.WARNING
    assert str(problem).startswith('daemun.yaml:3:18: site "a.test", from: the site waits for ever')
    assert cause in problem.message


def test_the_status_has_which_options_labels_set_and_which_the_file() -> None:
    site = served("{from: docker, hsts: true}", {"daemun.robots": "none", "daemun.hsts": "false"})
    entry = json_values.site_json(model.SiteStatus(site=site, state=model.SiteState.LIVE), None, {})
    (one,) = entry["routes"]
    assert (one["labels"], one["origin"]) == (["robots"], PLACE)
    own = model.SiteStatus(site=file("{/: {respond: 200}}").sites[0], state=model.SiteState.LIVE)
    assert "labels" not in json_values.site_json(own, None, {})["routes"][0]
