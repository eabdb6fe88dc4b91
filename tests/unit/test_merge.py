"""Snapshots become one desired state: the first source wins, and nobody's mistake hurts another."""

import dataclasses
import typing

import pytest

from daemun.core import model, site_memory
from daemun.core.options import alias_options, catalogue, login_option, workers_option
from daemun.core.rounds import merge
from daemun.core.texts import names

REDIRECT = model.Redirect(to="/x")
TARGET = model.Target(scheme=model.Scheme.HTTP, host="web", port=8080)


def site(host: str, source: str = "file", place: str = "", **options: typing.Any) -> model.Site:
    route = model.Route(path="/", action=model.Proxy(targets=(TARGET,)))
    return model.Site(
        **{"host": host, "routes": (route,), "origin": model.Origin(source=source, place=place), **options}
    )


def snapshot(*sites: model.Site, source: str = "file", **options: typing.Any) -> model.Snapshot:
    return model.Snapshot(source=source, sites=sites, **options)


def test_nothing_is_a_state_too() -> None:
    assert merge.merge_snapshots([]) == model.Desired(globals=model.Globals())


def test_sites_of_all_sources_sorted() -> None:
    routes = tuple(model.Route(path=path, action=model.Files(folder="/srv")) for path in ("/b", "/a"))
    settings = model.Globals(options=catalogue.values(workers_option.OPTION.set(3)))
    desired = merge.merge_snapshots(
        [snapshot(site("b.test", routes=routes), globals=settings), snapshot(site("a.test", "docker"), source="docker")]
    )
    assert [item.host for item in desired.sites] == ["a.test", "b.test"]
    assert [route.path for route in desired.sites[1].routes] == ["/a", "/b"]
    assert desired.globals == settings
    assert not desired.problems


def test_the_first_source_wins_and_the_other_is_told() -> None:
    mine = site("shop.example", place="sites.yaml:14", tls=model.Tls(mode=model.TlsMode.LOCAL))
    other = site("web.test", "docker", aliases=("shop.example",))
    desired = merge.merge_snapshots([snapshot(mine), snapshot(other, site("ok.test", "docker"), source="docker")])
    assert [item.host for item in desired.sites] == ["ok.test", "shop.example"]
    (problem,) = desired.problems
    assert problem.message == (
        'cannot serve site "web.test@docker": host "shop.example" already belongs to '
        '"shop.example@file" (sites.yaml:14); give one of the two another host'
    )
    assert problem.host == "web.test"


def test_a_container_with_the_host_of_a_site_of_the_file_is_told_how_both_are_served() -> None:
    file, container = (
        snapshot(site("a.test", place="daemun.yaml:2:3")),
        snapshot(site("a.test", "docker"), source="docker"),
    )
    (problem,) = merge.merge_snapshots([file, container]).problems
    assert problem.cure == (
        "write `from: docker` into the file's site, which then has the containers' routes, or give one of the two "
        "another host"
    )
    over = snapshot(site("a.test", overlay=model.Overlay()))
    assert not merge.merge_snapshots([over, container]).problems


def test_no_container_takes_the_host_of_the_sign_in() -> None:
    login = catalogue.values(login_option.OPTION.set(login_option.Login(host="auth.test")))
    file = snapshot(site("a.test"), globals=model.Globals(options=login))
    theirs = (
        site("auth.test", "docker", "container evil"),
        site("b.test", "docker", "container b", aliases=("auth.test",)),
    )
    container = model.ContainerStatus(name="evil", hosts=("auth.test",), is_served=True)
    desired = merge.merge_snapshots([file, snapshot(*theirs, source="docker", containers=(container,))])
    assert [(one.host, one.origin) for one in desired.sites if one.host != "a.test"] == [
        ("auth.test", login_option.ORIGIN)
    ]
    assert [(one.origin.place, one.message) for one in desired.problems] == [
        (
            f"container {name}",
            f'cannot serve site "{host}@docker": host "auth.test" is where people sign in (`login` in daemun.yaml); '
            "give the container or the sign-in another host",
        )
        for name, host in (("evil", "auth.test"), ("b", "b.test"))
    ]
    (found,) = desired.containers
    assert not found.is_served
    assert found.why == 'host "auth.test" is where people sign in (`login` in daemun.yaml)'


def test_a_site_of_the_file_goes_before_the_sign_in() -> None:
    login = catalogue.values(login_option.OPTION.set(login_option.Login(host="auth.test")))
    desired = merge.merge_snapshots([snapshot(site("auth.test"), globals=model.Globals(options=login))])
    assert [one.origin.source for one in desired.sites] == ["file"]
    assert desired.problems[0].origin == login_option.ORIGIN


def test_a_container_whose_host_was_not_granted_is_not_served() -> None:
    mine = site("shop.example", place="daemun.yaml:14")
    sites = (site("shop.example", "docker"), site("ok.test", "docker"), site("bad.test", "docker", routes=()))
    containers = (
        model.ContainerStatus(name="bad", hosts=("bad.test",)),
        model.ContainerStatus(name="both", hosts=("ok.test", "shop.example")),
        model.ContainerStatus(name="good", hosts=("ok.test",)),
        model.ContainerStatus(name="sick", hosts=("shop.example",), is_served=False, why="is unhealthy"),
    )

    desired = merge.merge_snapshots([snapshot(mine), snapshot(*sites, source="docker", containers=containers)])

    bad, both, good, sick = desired.containers
    assert (bad.is_served, bad.why) == (
        False,
        'site "bad.test", routes: is empty; expected at least one path with a target',
    )
    assert (both.is_served, both.why) == (
        False,
        'host "shop.example" already belongs to "shop.example@file" (daemun.yaml:14)',
    )
    assert (good, sick) == (containers[2], containers[3])


def test_an_invalid_site_is_left_out_alone_and_claims_nothing() -> None:
    bad = site("bad.test", "docker", routes=())
    desired = merge.merge_snapshots(
        [snapshot(bad, site("bad.test", "api"), site("ok.test", "docker"), source="docker")]
    )
    assert [(item.host, item.origin.source) for item in desired.sites] == [("bad.test", "api"), ("ok.test", "docker")]
    assert ["routes: is empty" in problem.message for problem in desired.problems] == [True]


def test_warnings_that_the_source_found_are_not_repeated() -> None:
    warned = site("a.test", options=catalogue.values(alias_options.REDIRECT.set(True)))
    (found,) = merge.merge_snapshots([snapshot(warned)]).problems
    placed = dataclasses.replace(found, origin=model.Origin(source="file", place="daemun.yaml:3:5"))
    assert merge.merge_snapshots([snapshot(warned, problems=(placed,))]).problems == (placed,)


@pytest.mark.parametrize(
    ("sites", "kind", "problems"),
    [
        ((site("a.test"),), model.DefaultKind.SITE, 0),
        ((site("a.test", enabled=False),), model.DefaultKind.REFUSE, 0),
        ((site("b.test"),), model.DefaultKind.REFUSE, 1),
    ],
)
def test_unknown_hosts_are_refused_without_the_default_site(
    sites: tuple[model.Site, ...], kind: model.DefaultKind, problems: int
) -> None:
    settings = model.Globals(default=model.Default(kind=model.DefaultKind.SITE, host="a.test"))
    desired = merge.merge_snapshots([snapshot(*sites, globals=settings)])
    assert desired.globals.default.kind is kind
    assert len(desired.problems) == problems


@pytest.mark.parametrize(
    ("host", "aliases", "tls", "mode"),
    [
        ("a.com", (), model.TlsMode.AUTO, model.TlsMode.ACME),
        ("a.com", ("b.com",), model.TlsMode.AUTO, model.TlsMode.ACME),
        ("a.com", ("a.test",), model.TlsMode.AUTO, model.TlsMode.ACME),
        ("a.test", ("b.test",), model.TlsMode.AUTO, model.TlsMode.LOCAL),
        ("*.a.com", (), model.TlsMode.AUTO, model.TlsMode.ACME),
        ("10.0.0.1", (), model.TlsMode.AUTO, model.TlsMode.LOCAL),
        ("a.com", (), model.TlsMode.LOCAL, model.TlsMode.LOCAL),
        ("a.com", (), model.TlsMode.ACME, model.TlsMode.ACME),
        ("a.com", (), model.TlsMode.OFF, None),
    ],
)
def test_who_signs(host: str, aliases: tuple[str, ...], tls: model.TlsMode, mode: model.TlsMode | None) -> None:
    desired = merge.merge_snapshots([snapshot(site(host, aliases=aliases, tls=model.Tls(mode=tls)))])
    specs = merge.certificate_specs(desired)
    assert [(spec.host, spec.names, spec.mode) for spec in specs] == (
        [] if mode is None else [(host, (host, *aliases), mode)]
    )


def test_who_makes_records_in_dns_makes_a_ca_sign_wildcards() -> None:
    acme = model.Acme(dns=model.Dns(provider="cloudflare"))
    sites = (site("*.a.com", aliases=("a.com",)), site("*.a.test"))
    desired = merge.merge_snapshots([snapshot(*sites, globals=model.Globals(acme=acme))])
    specs = merge.certificate_specs(desired)
    assert {spec.host: spec.mode for spec in specs} == {"*.a.com": model.TlsMode.ACME, "*.a.test": model.TlsMode.LOCAL}
    assert {spec.ordering.dns for spec in specs} == {acme.dns}


def test_an_own_certificate_and_a_disabled_site() -> None:
    own = model.Tls(mode=model.TlsMode.FILES, certificate="/c.pem", key="/k.pem")
    desired = merge.merge_snapshots([snapshot(site("a.com", tls=own), site("b.com", enabled=False))])
    (spec,) = merge.certificate_specs(desired)
    assert (spec.name, spec.certificate, spec.key) == (names.slug("a.com"), "/c.pem", "/k.pem")


def test_services_are_the_named_servers_once() -> None:
    targets = (
        TARGET,
        dataclasses.replace(TARGET, weight=3),
        dataclasses.replace(TARGET, host="localhost"),
        dataclasses.replace(TARGET, host="10.0.0.1"),
        dataclasses.replace(TARGET, host="::1"),
        dataclasses.replace(TARGET, host=None, port=None, socket="/run/x"),
    )
    routes = (model.Route(path="/", action=model.Proxy(targets=targets)),)
    off = site("off.test", enabled=False, routes=(model.Route(path="/", action=model.Proxy(targets=(TARGET,))),))
    desired = merge.merge_snapshots([snapshot(site("a.test", routes=routes), site("b.test"), off)])
    found = merge.services(desired)
    assert {(service.host, service.port) for service in found} == {("web", 8080), ("localhost", 8080)}
    assert {service.name for service in found} == {names.service_name(host, 8080) for host in ("web", "localhost")}
    assert list(found) == sorted(found, key=lambda service: service.name)


def test_what_is_remembered_of_earlier_merges_is_not_told_from_merging_anew() -> None:
    origin = {"place": "daemun.yaml:3:3"}
    good = tuple(site(f"{number:03}.test", aliases=(f"www.{number:03}.test",), **origin) for number in range(300))
    bad = dataclasses.replace(good[7], aliases=("NOT A HOST",))
    unsorted = dataclasses.replace(
        good[8], routes=tuple(model.Route(path=path, action=REDIRECT) for path in ("/b", "/a"))
    )
    other = site("009.test", "docker")
    acme = model.Globals(acme=model.Acme(authorities=(model.Authority(directory="https://ca.internal/directory"),)))
    ordered = dataclasses.replace(good[9], tls=model.Tls(mode=model.TlsMode.ACME))
    memory = site_memory.PerSite[merge.Judged]()
    for sites, settings, containers in (
        (good, model.Globals(), ()),
        (good, model.Globals(), (other,)),
        ((*good[:7], bad, unsorted, *good[9:]), model.Globals(), (other,)),
        (tuple(dataclasses.replace(one) for one in good), model.Globals(), ()),
        ((*good[:9], ordered, *good[10:]), model.Globals(), ()),
        ((*good[:9], ordered, *good[10:]), acme, ()),
        (good[:9], acme, (other,)),
        (good, model.Globals(), (other, other)),
    ):
        snapshots = [snapshot(*sites, globals=settings), snapshot(*containers, source="docker")]
        assert merge.merge_snapshots(snapshots, memory) == merge.merge_snapshots(snapshots)


def test_a_site_that_did_not_change_goes_on_as_the_same_object() -> None:
    routes = tuple(model.Route(path=path, action=REDIRECT) for path in ("/b", "/a"))
    memory = site_memory.PerSite[merge.Judged]()
    first, again = (
        merge.merge_snapshots([snapshot(site("a.test"), site("b.test", routes=routes))], memory) for _ in range(2)
    )
    assert all(one is other for one, other in zip(first.sites, again.sites, strict=True))
