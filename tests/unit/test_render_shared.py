"""Which sites share their nginx blocks, what the files say of them, and what a change of one is called."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import pytest

from daemun.core import directive, layout, model, render_environment
from daemun.core.options import catalogue, max_body_option, redirect_status_option, retries_option
from daemun.core.plan import change_plan, generation_files, quarantine, shared_sites
from daemun.core.render import render_tree, shared_blocks, tls
from daemun.core.rounds import assembly, outcome
from tests.support.sites import proxy, route, site, with_options

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout("/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
    ),
    resolver="127.0.0.1:5301",
    ca_bundle="/etc/ssl/certs/ca-certificates.crt",
    own_blocks=0,
)
PLAIN = site("plain.test", "http://10.0.0.1:8000", aliases=("www.plain.test",))
ENTRY = shared_sites.SharedSite(names=("plain.test", "www.plain.test"), server="10.0.0.1:8000")
LINE = (directive.Directive("gzip", (directive.Expr("off"),)),)


def _desired(*sites: model.Site, **settings: object) -> model.Desired:
    return model.Desired(globals=model.Globals(**with_options(settings)), sites=sites)


def _files(*sites: model.Site, own_blocks: int = 0) -> dict[str, bytes]:
    return render_tree.render_files(_desired(*sites), dataclasses.replace(ENVIRONMENT, own_blocks=own_blocks))


def _routed(**changes: object) -> model.Site:
    return dataclasses.replace(PLAIN, routes=(dataclasses.replace(PLAIN.routes[0], **changes),))  # type: ignore[arg-type]


def _proxied(**changes: object) -> model.Site:
    action = PLAIN.routes[0].action
    assert isinstance(action, model.Proxy)
    return _routed(action=dataclasses.replace(action, **with_options(changes)))


def _targeted(**changes: object) -> model.Site:
    action = PLAIN.routes[0].action
    assert isinstance(action, model.Proxy)
    return _proxied(targets=(dataclasses.replace(action.targets[0], **changes),))  # type: ignore[arg-type]


def _secured(**changes: object) -> model.Site:
    return dataclasses.replace(PLAIN, tls=dataclasses.replace(PLAIN.tls, **changes))  # type: ignore[arg-type]


# --- which sites -----------------------------------------------------------------------------------------------

OPTIONS: dict[type, dict[str, object]] = {
    model.Site: {
        "host": "*.plain.test",
        "aliases": ("*.plain.test",),
        "http": model.HttpMode.SERVE,
        "http_port": 81,
        "https_port": 444,
        "http2": True,
        "server_tokens": "on",
        "challenge": False,
        "refuses_tls": True,
        "otherwise": model.FixedAnswer(status=418),
        "options": catalogue.values(redirect_status_option.OPTION.set(301)),
        "snippet": LINE,
        "fault": model.SetAside(reason="x"),
    },
    model.Tls: {
        "mode": model.TlsMode.OFF,
        "group": ("plain.test", "other.test"),
        "policy": model.TlsPolicy(name="x", protocols=("TLSv1.3",), ciphers="x"),
        "clients": model.ClientVerification(ca_file="/ca.pem"),
    },
    model.Route: {
        "path": "/x",
        "entry": 0,
        "action": model.Redirect(to="/x"),
        "is_internal": True,
        "replaced": True,
        "options": catalogue.values(max_body_option.OPTION.set(1)),
        "snippet": LINE,
    },
    model.Proxy: {
        "targets": (),
        "php": model.Php(folder="/srv/x"),
        "options": catalogue.values(retries_option.OPTION.set(1)),
    },
    model.Target: {
        "scheme": model.Scheme.HTTPS,
        "host": "web",
        "port": None,
        "socket": "/run/x.sock",
        "pool": "x.daemun",
        "path": "/",
        "weight": 2,
        "backup": True,
        "down": True,
        "drain": True,
        "max_fails": 0,
        "fail_timeout_s": 1.0,
        "max_connections": 1,
    },
}
"""For each option a value that makes a site have blocks of its own."""
SHARED_ANYWAY = {
    model.Site: {"tls", "routes", "origin", "enabled", "overlay"},
    model.Tls: {"certificate", "key", "ordering"},
    model.Route: {"origin"},
    model.Proxy: set[str](),
    model.Target: set[str](),
}
MAKE = {
    model.Site: lambda **changes: dataclasses.replace(PLAIN, **changes),
    model.Tls: _secured,
    model.Route: _routed,
    model.Proxy: _proxied,
    model.Target: _targeted,
}


def test_every_option_is_looked_at_here() -> None:
    for kind, options in OPTIONS.items():
        assert {field.name for field in dataclasses.fields(kind)} == options.keys() | SHARED_ANYWAY[kind]


@pytest.mark.parametrize(
    ("kind", "option"), [(kind, option) for kind, options in OPTIONS.items() for option in options]
)
def test_a_site_with_an_option_has_blocks_of_its_own(kind: type, option: str) -> None:
    assert shared_blocks.make_entry(PLAIN) == ENTRY
    assert shared_blocks.make_entry(MAKE[kind](**{option: OPTIONS[kind][option]})) is None


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(PLAIN, routes=()),
        dataclasses.replace(PLAIN, routes=(*PLAIN.routes, route("/x", "http://10.0.0.1:8000"))),
        _proxied(targets=proxy("http://10.0.0.1:8000", "http://10.0.0.2:8000").targets),
        *(dataclasses.replace(PLAIN, host=host) for host in ("10.1.1.1", "[::1]", "www.plain.*", "~x", "a" * 101)),
        *(dataclasses.replace(PLAIN, host=host) for host in ("default", "hostnames", "include", "volatile", "a b", "")),
        *(dataclasses.replace(PLAIN, aliases=(alias,)) for alias in ("10.1.1.1", "default", "x;y", "X.test")),
        *(_targeted(host=host) for host in ("fe80::1%eth0", "fd00:0::1", "FD00::1", "127.1", "")),
        *(_targeted(port=port) for port in (0, 65536, -1)),
    ],
    ids=str,
)
def test_what_is_unlike_the_others_has_blocks_of_its_own(changed: model.Site) -> None:
    assert shared_blocks.make_entry(changed) is None


@pytest.mark.parametrize(
    "changed",
    [
        *(_secured(mode=mode) for mode in (model.TlsMode.ACME, model.TlsMode.LOCAL)),
        _secured(mode=model.TlsMode.FILES, certificate="/c.pem", key="/k.pem"),
        _secured(ordering=model.Ordering(email="me@example.com")),
        dataclasses.replace(PLAIN, origin=model.Origin(source="file", place="daemun.yaml:1:2")),
    ],
)
def test_whose_certificate_it_is_makes_no_difference(changed: model.Site) -> None:
    assert shared_blocks.make_entry(changed) == ENTRY


@pytest.mark.parametrize("server", ["http://10.0.0.1", "http://[fd00::1]:8000", "http://127.0.0.1:65535"])
def test_an_entry_says_all_of_a_site(server: str) -> None:
    one = site("plain.test", server, aliases=("a.test", "b.test"))
    entry = shared_blocks.make_entry(one)
    assert entry is not None
    assert shared_blocks.make_site(entry) == one
    assert change_plan.is_same(
        render_tree.render_site(shared_blocks.make_site(entry), ENVIRONMENT), render_tree.render_site(one, ENVIRONMENT)
    )


def test_the_first_sites_have_blocks_of_their_own() -> None:
    sites = tuple(site(f"{number:03}.test", "http://10.0.0.1") for number in range(202))
    files = render_tree.render_files(_desired(*sites), dataclasses.replace(ENVIRONMENT, own_blocks=200))
    assert list(shared_sites.read(files)) == ["200.test", "201.test"]
    assert sum(path.startswith(generation_files.SITES) for path in files) == 200
    fewer = render_tree.render_files(_desired(*sites[:200]), dataclasses.replace(ENVIRONMENT, own_blocks=200))
    assert not any("shared" in path for path in fewer)
    assert b"shared.conf" not in fewer["nginx.conf"]


def test_disabled_sites_do_not_count_and_the_default_one_has_blocks_of_its_own() -> None:
    sites = (dataclasses.replace(PLAIN, host="a.test", aliases=(), enabled=False), PLAIN)
    assert _files(*sites, own_blocks=1).keys() == _files(PLAIN, own_blocks=1).keys()
    default = model.Default(kind=model.DefaultKind.SITE, host=PLAIN.host)
    assert shared_blocks.find_entries(_desired(PLAIN, default=default), ENVIRONMENT) == ()


HOSTS = st.sets(st.integers(min_value=0, max_value=20), max_size=12)


@hypothesis.given(HOSTS, st.integers(min_value=0, max_value=20), st.integers(min_value=0, max_value=6), st.data())
def test_a_site_that_comes_moves_one_other_at_most(hosts: set[int], new: int, own: int, data: st.DataObject) -> None:
    plain = {number: data.draw(st.booleans()) for number in sorted(hosts | {new})}

    def sharing_of(numbers: set[int]) -> set[str]:
        sites = [
            site(f"{number:02}.test", proxy_of(number)) if plain[number] else site(f"{number:02}.test", "http://web")
            for number in sorted(numbers)
        ]
        env = dataclasses.replace(ENVIRONMENT, own_blocks=own)
        return {entry.host for entry in shared_blocks.find_entries(_desired(*sites), env)}

    def proxy_of(number: int) -> str:
        return f"http://10.0.0.{number}"

    name = f"{new:02}.test"
    assert len((sharing_of(hosts - {new}) ^ sharing_of(hosts | {new})) - {name}) <= 1


def test_certificates_that_are_kept_in_memory_are_bounded() -> None:
    def kept(sites: int, workers: int) -> int:
        line = str(tls.lines((PLAIN,) * sites, None, dataclasses.replace(ENVIRONMENT, workers=workers)))
        return int(line.partition("max=")[2].partition("'")[0])

    assert [kept(1, 2), kept(1000, 2), kept(10_000, 2), kept(10_000, 64)] == [1000, 4000, 6000, 1000]


# --- files -----------------------------------------------------------------------------------------------------


def test_the_files_are_read_back() -> None:
    sites = (PLAIN, site("six.test", "http://[fd00::1]"))
    files = _files(*sites)
    entries = shared_blocks.find_entries(_desired(*sites), ENVIRONMENT)
    assert tuple(shared_sites.read(files).values()) == entries
    assert shared_sites.read(_files(*sites, own_blocks=2)) == {}


def test_equal_sites_give_equal_files_whatever_the_line() -> None:
    moved = dataclasses.replace(PLAIN, origin=model.Origin(source="file", place="daemun.yaml:9:9"))
    before, after = _files(PLAIN), _files(moved)
    assert before != after
    actual = model.Actual(pid=1, generation=1, current_generation=1, files=before)
    assert change_plan.choose_activation(after, actual) is change_plan.Activation.NOTHING


def _changes(before: tuple[model.Site, ...], after: tuple[model.Site, ...], *, own_blocks: int = 0) -> list[str]:
    env = dataclasses.replace(ENVIRONMENT, own_blocks=own_blocks)
    running = render_tree.render_files(_desired(*before), env)
    desired = _desired(*after)
    assembled = assembly.assemble_files(desired, env, last_good=running)
    found = change_plan.plan(
        desired,
        assembled.files,
        model.Actual(pid=1, generation=1, current_generation=1, files=running),
        specs=(),
        services=(),
        moved=assembled.moved,
    )
    assert (found.activation is change_plan.Activation.RELOAD) == (before != after)
    assert not any(path.startswith("shared/") for path in found.files_changed)
    return [str(change) for change in found.changes]


OTHER = site("other.test", "http://10.0.0.9")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((PLAIN, OTHER), []),
        ((PLAIN,), ["removed other.test"]),
        ((PLAIN, OTHER, site("z.test", "http://10.0.0.1")), ["added z.test"]),
        ((_targeted(port=8001), OTHER), ["changed plain.test"]),
        ((dataclasses.replace(PLAIN, aliases=()), OTHER), ["changed plain.test"]),
        ((_proxied(keepalive=9), OTHER), ["changed plain.test"]),
    ],
)
def test_changes_are_told_by_the_site_s_name(after: tuple[model.Site, ...], expected: list[str]) -> None:
    assert _changes((PLAIN, OTHER), after) == expected
    assert _changes((PLAIN, _proxied(keepalive=9)), (PLAIN, _proxied(keepalive=9))) == []


def test_a_site_that_only_moved_is_not_told() -> None:
    first, second, third = (site(f"{name}.test", "http://10.0.0.1") for name in "abc")
    assert _changes((second,), (first, second), own_blocks=1) == ["added a.test"]
    assert _changes((first, second, third), (second, third), own_blocks=1) == ["removed a.test"]
    changed = site("b.test", "http://10.0.0.2")
    assert _changes((second,), (first, changed), own_blocks=1) == ["added a.test", "changed b.test"]
    assert _changes((first, second), (changed,), own_blocks=1) == ["removed a.test", "changed b.test"]


def test_each_has_a_state() -> None:
    running = _files(PLAIN, OTHER)
    changed = _targeted(port=8001)
    wanted = _files(changed, OTHER)
    desired = _desired(changed, OTHER, site("z.test", "http://10.0.0.1", enabled=False))

    def states(live: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
        return [found.state.value for found in outcome.site_statuses(desired, live=live, rendered=wanted)]

    assert states(wanted, wanted) == ["live", "live", "disabled"]
    assert states(running, wanted) == ["pending", "live", "disabled"]
    assert states({}, wanted) == ["pending", "pending", "disabled"]
    own = _files(changed, OTHER, own_blocks=2)
    assert states(own, wanted) == ["pending", "pending", "disabled"]
    moved = frozenset({change_plan.site_file(OTHER.host)})
    found = outcome.site_statuses(desired, live=own, rendered=wanted, moved=moved, error="no")
    assert [one.state.value for one in found] == ["pending", "live", "disabled"]


def test_what_shares_its_blocks_with_another_server_has_its_last_good_version() -> None:
    moved = dataclasses.replace(PLAIN, routes=(route("/", proxy("http://10.0.0.7:8000")),))
    assembled = assembly.assemble_files(_desired(moved, OTHER), ENVIRONMENT, last_good=_files(PLAIN, OTHER))
    path = change_plan.site_file("plain.test")
    assert path not in assembled.files
    assert change_plan.is_same(assembled.last_good[path], render_tree.render_site(PLAIN, ENVIRONMENT))
    assert quarantine.find_changed(assembled.files, assembled.last_good) == {path}


def test_what_shared_its_blocks_has_a_last_good_version() -> None:
    """For the quarantine, when hand-written nginx comes to it that nginx refuses."""
    written = dataclasses.replace(_targeted(port=8001), snippet=LINE)
    assembled = assembly.assemble_files(_desired(written, OTHER), ENVIRONMENT, last_good=_files(PLAIN, OTHER))
    path = change_plan.site_file(PLAIN.host)
    assert change_plan.is_same(assembled.last_good[path], render_tree.render_site(PLAIN, ENVIRONMENT))
    assert b"gzip" in assembled.files[path]
    assert path not in assembled.moved


def test_a_site_that_cannot_be_rendered_keeps_what_it_shared() -> None:
    broken = dataclasses.replace(PLAIN, routes=(route("/", "http://10.0.0.1"), route("/", "http://10.0.0.2")))
    assembled = assembly.assemble_files(_desired(broken, OTHER), ENVIRONMENT, last_good=_files(PLAIN, OTHER))
    path = change_plan.site_file(PLAIN.host)
    assert change_plan.is_same(assembled.files[path], render_tree.render_site(PLAIN, ENVIRONMENT))
    (refused,) = assembled.refused
    assert refused.stand_in.is_serving


def test_a_site_that_cannot_be_rendered_moves_no_other() -> None:
    env = dataclasses.replace(ENVIRONMENT, own_blocks=1)
    first, second, third = (site(f"{name}.test", "http://10.0.0.1") for name in "abc")
    broken = dataclasses.replace(first, routes=(route("/", "http://10.0.0.1"), route("/", "http://10.0.0.2")))
    running = render_tree.render_files(_desired(first, second, third), env)
    assembled = assembly.assemble_files(_desired(broken, second, third), env, last_good=running)
    assert assembled.files == running
    assert [refused.path for refused in assembled.refused] == ["sites/a.test.conf"]
