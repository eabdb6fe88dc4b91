"""What is remembered of rendering is never told from rendering anew."""

import collections.abc
import dataclasses

import pytest

from daemun.core import layout, model, render_environment, site_memory
from daemun.core.options import access_option, catalogue, hsts_option, trusted_proxies_option
from daemun.core.render import render_tree
from daemun.core.rounds import assembly

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout("/var/lib/daemun"),
    nginx=render_environment.Nginx(
        path="/usr/sbin/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)
    ),
    thumbprint="x" * 43,
    resolver="127.0.0.1:5301",
    own_blocks=20,
)


def site(host: str, port: int = 8000, *, line: int = 1) -> model.Site:
    origin = model.Origin(source="file", place=f"daemun.yaml:{line}:3")
    proxy = model.Proxy(targets=(model.Target(scheme=model.Scheme.HTTP, host="127.0.0.1", port=port),))
    return model.Site(host=host, routes=(model.Route(path="/", action=proxy, origin=origin),), origin=origin)


GRPC = (
    model.Route(
        path="/",
        action=model.Proxy(targets=(model.Target(scheme=model.Scheme.GRPC, host="127.0.0.1", port=1),)),
    ),
)
MANY = tuple(site(f"{number:03}.test", 9000 + number % 7, line=number) for number in range(30))
"""Those from `own_blocks` on share what they can."""
DESIRED = model.Desired(globals=model.Globals(), sites=MANY)

Change = collections.abc.Callable[
    [model.Desired, render_environment.Environment], tuple[model.Desired, render_environment.Environment]
]


def with_site(number: int, **changes: object) -> Change:
    def change(
        desired: model.Desired, env: render_environment.Environment
    ) -> tuple[model.Desired, render_environment.Environment]:
        sites = list(desired.sites)
        sites[number] = dataclasses.replace(sites[number], **changes)  # type: ignore[arg-type]
        return dataclasses.replace(desired, sites=tuple(sites)), env

    return change


def with_settings(**changes: object) -> Change:
    return lambda desired, env: (
        dataclasses.replace(desired, globals=dataclasses.replace(desired.globals, **changes)),  # type: ignore[arg-type]
        env,
    )


def with_environment(**changes: object) -> Change:
    return lambda desired, env: (desired, dataclasses.replace(env, **changes))  # type: ignore[arg-type]


CHANGES: dict[str, Change] = {
    "nothing": lambda desired, env: (desired, env),
    "equal sites": lambda desired, env: (
        dataclasses.replace(desired, sites=tuple(dataclasses.replace(one) for one in desired.sites)),
        env,
    ),
    "a target": with_site(7, routes=site("007.test", 1234).routes),
    "an alias": with_site(8, aliases=("www.008.test",)),
    "a place": with_site(9, origin=model.Origin(source="file", place="daemun.yaml:999:3")),
    "a target of a site that shares its blocks": with_site(20, routes=site("020.test", 1234).routes),
    "a place of such a site": with_site(21, routes=site("021.test", 9000, line=999).routes),
    "an option of such a site": with_site(22, options=catalogue.values(hsts_option.OPTION.set(hsts_option.Hsts()))),
    "switched off": with_site(10, enabled=False),
    "tls": with_site(11, tls=model.Tls(mode=model.TlsMode.OFF), http=model.HttpMode.SERVE),
    "removed": lambda desired, env: (dataclasses.replace(desired, sites=desired.sites[1:]), env),
    "added": lambda desired, env: (dataclasses.replace(desired, sites=(*desired.sites, site("zzz.test"))), env),
    "default site": with_settings(default=model.Default(kind=model.DefaultKind.SITE, host="005.test")),
    "ports": with_settings(listen=model.Listen(https=(model.Address(port=8443),))),
    "trust": with_settings(options=catalogue.values(trusted_proxies_option.OPTION.set(("10.0.0.0/8",)))),
    "state directory": with_environment(layout=layout.Layout("/srv/other")),
    "resolver": with_environment(resolver="127.0.0.1:5302"),
    "account key": with_environment(thumbprint="y" * 43),
    "nginx": with_environment(nginx=dataclasses.replace(ENVIRONMENT.nginx, version=(1, 29, 0))),
    "a site of another kind": with_site(23, routes=GRPC),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_anything_is_seen_and_so_is_its_end(change: Change) -> None:
    known = site_memory.PerSite[bytes]()
    for desired, env in ((DESIRED, ENVIRONMENT), change(DESIRED, ENVIRONMENT), (DESIRED, ENVIRONMENT)):
        remembered = render_tree.render_files(desired, env, known)
        assert remembered == render_tree.render_files(desired, env)
        assert list(remembered) == sorted(remembered)


LACKING = with_environment(nginx=dataclasses.replace(ENVIRONMENT.nginx, features=frozenset()))


@pytest.mark.parametrize("change", [*CHANGES.values(), LACKING], ids=[*CHANGES, "what nginx can do"])
def test_a_change_of_anything_is_seen_in_the_whole_tree(change: Change) -> None:
    known = assembly.AssemblyMemory()
    mixed = dataclasses.replace(DESIRED, sites=(*MANY, dataclasses.replace(site("grpc.test"), routes=GRPC)))
    for desired, env in ((mixed, ENVIRONMENT), change(mixed, ENVIRONMENT), (mixed, ENVIRONMENT)):
        remembered = assembly.assemble_files(desired, env, last_good={}, memory=known)
        anew = assembly.assemble_files(desired, env, last_good={})
        assert (remembered.files, remembered.refused) == (anew.files, anew.refused)


def test_what_did_not_change_is_the_same_object() -> None:
    known = site_memory.PerSite[bytes]()
    before = render_tree.render_files(DESIRED, ENVIRONMENT, known)
    desired, env = CHANGES["a target"](DESIRED, ENVIRONMENT)
    after = render_tree.render_files(desired, env, known)
    assert [path for path in after if after[path] is not before[path] and path.startswith("sites/")] == [
        "sites/007.test.conf"
    ]


def test_a_name_that_resolves_anew_concerns_who_uses_it() -> None:
    by_name = catalogue.values(access_option.OPTION.set(access_option.Access(allow=("home.example.org",))))
    of_countries = access_option.Access(deny=("away.example.org", "home.example.org"))
    sites = list(MANY[:9])
    sites[3] = dataclasses.replace(sites[3], options=by_name)
    (only,) = sites[5].routes
    guarded = dataclasses.replace(
        only, path="/admin/", options=catalogue.values(access_option.OPTION.set(of_countries))
    )
    sites[5] = dataclasses.replace(sites[5], routes=(only, guarded))
    desired = model.Desired(globals=model.Globals(), sites=tuple(sites))
    known = assembly.AssemblyMemory()
    home, away = ("192.0.2.1",), ("192.0.2.7",)
    steps: tuple[tuple[collections.abc.Mapping[str, tuple[str, ...]], set[int]], ...] = (
        ({}, set()),
        ({"home.example.org": home}, {3, 5}),
        ({"home.example.org": home, "away.example.org": away}, {5}),
        ({"home.example.org": away, "away.example.org": away}, {3, 5}),
        ({"home.example.org": away, "away.example.org": away, "other.example.org": home}, set()),
        ({"home.example.org": away}, {5}),
    )
    before: dict[str, bytes] = {}
    for addresses, changed in steps:
        env = dataclasses.replace(ENVIRONMENT, named_addresses=addresses)
        after = assembly.assemble_files(desired, env, last_good={}, memory=known).files
        assert after == assembly.assemble_files(desired, env, last_good={}).files
        anew = {path for path in after if path.startswith("sites/") and after[path] is not before.get(path)}
        assert anew == {f"sites/00{number}.test.conf" for number in (changed if before else range(9))}, addresses
        before = dict(after)
    # Of all sites where the gate names it.
    settings = model.Globals(options=by_name)
    guarded_gate = dataclasses.replace(desired, globals=settings)
    for at_home in (home, away):
        env = dataclasses.replace(ENVIRONMENT, named_addresses={"home.example.org": at_home})
        after = assembly.assemble_files(guarded_gate, env, last_good={}, memory=known).files
        assert after == assembly.assemble_files(guarded_gate, env, last_good={}).files


def test_a_site_that_cannot_be_rendered_is_found_among_many_and_found_again() -> None:
    bad = with_site(7, routes=(dataclasses.replace(MANY[7].routes[0], path="/a\x01b"),))
    desired, env = bad(DESIRED, ENVIRONMENT)
    known = assembly.AssemblyMemory()
    good = assembly.assemble_files(DESIRED, ENVIRONMENT, last_good={}, memory=known).files
    for last_good in ({}, good):
        assembled = assembly.assemble_files(desired, env, last_good=last_good, memory=known)
        assert [refused.path for refused in assembled.refused] == ["sites/007.test.conf"]
        stand_in = good["sites/007.test.conf"] if last_good else assembled.unavailable["sites/007.test.conf"]
        wanted = {**good, "sites/007.test.conf": stand_in}  # nginx.conf has a zone for each site that is rendered
        assert {**assembled.files, "nginx.conf": b""} == {**wanted, "nginx.conf": b""}
    assert assembly.assemble_files(DESIRED, ENVIRONMENT, last_good=good, memory=known).files == good


def test_a_page_for_each_site_can_be_had_and_for_no_other() -> None:
    desired = model.Desired(globals=model.Globals(), sites=(*MANY[:3], dataclasses.replace(MANY[3], enabled=False)))
    pages = assembly.assemble_files(desired, ENVIRONMENT, last_good={}).unavailable
    assert sorted(pages) == [f"sites/{number:03}.test.conf" for number in range(3)]
    assert len(pages) == 3
    assert pages["sites/001.test.conf"] == render_tree.render_unavailable(MANY[1], ENVIRONMENT)
    assert pages.get("sites/003.test.conf") is None
