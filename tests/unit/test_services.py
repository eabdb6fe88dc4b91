"""Which targets nginx asks the DNS responder for, and that rendering asks for exactly these."""

import dataclasses

import pytest

from daemun.core import layout, model, render_environment
from daemun.core.options import catalogue, health_option, host_header_option, upstream_tls_options
from daemun.core.render import render_tree
from daemun.core.rounds import merge
from daemun.core.services import dns_service, dns_services
from daemun.core.texts import names
from daemun.core.validation import validate
from tests.support import sites
from tests.support.sites import upstream_tls

ENVIRONMENT = render_environment.Environment(
    layout=layout.Layout("/state"),
    nginx=render_environment.Nginx(path="/nginx", version=(1, 31, 3), features=frozenset(render_environment.Feature)),
    resolver="127.0.0.1:5301",
)
HEALTH = health_option.Health(path="/healthz")
POOL = model.Target(scheme=model.Scheme.HTTP, pool="abc.daemun")


def proxy(*targets: model.Target, checked: health_option.Health | None = None) -> model.Proxy:
    return model.Proxy(targets=targets, options=catalogue.values(health_option.OPTION.set(checked)))


def find(target: model.Target, checked: health_option.Health | None = None) -> dns_service.Service | None:
    return dns_services.find_service(proxy(target, checked=checked), target)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://web:8080", names.service_name("web", 8080)),
        ("http://10.0.0.1", None),
        ("http://[::1]:80", None),
        ("http://unix:/run/x", None),
    ],
)
def test_names_are_services_and_places_are_not(url: str, name: str | None) -> None:
    found = find(sites.target(url))
    assert (found.name if found else None) == name


def test_a_pool_is_asked_for_by_its_own_name() -> None:
    assert find(POOL) == dns_service.Service(name="abc.daemun", pool="abc.daemun")


@pytest.mark.parametrize("target", [sites.target("http://web:80"), sites.target("http://10.0.0.1:80"), POOL])
def test_what_is_checked_is_a_service_of_its_own(target: model.Target) -> None:
    checked = find(target, HEALTH)
    other = find(target, dataclasses.replace(HEALTH, path="/other"))
    assert checked is not None
    assert other is not None
    assert checked.check is not None
    unchecked = find(target)
    assert len({checked.name, other.name, unchecked.name if unchecked else None}) == 3


def test_what_cannot_be_taken_out_is_not_checked() -> None:
    assert find(sites.target("http://unix:/run/x"), HEALTH) is None
    down = find(sites.target("http://web:80", down=True), HEALTH)
    assert down is not None
    assert down.check is None


def test_a_check_knows_the_name_that_a_certificate_carries() -> None:
    target = sites.target("https://web:8443")
    action = model.Proxy(
        targets=(target,),
        options=catalogue.values(health_option.OPTION.set(HEALTH)) + upstream_tls(model.UpstreamTls(verify=False)),
    )
    service = dns_services.find_service(action, target)
    assert service is not None
    assert service.check == dns_service.Check(
        health=HEALTH, tls=upstream_tls_options.find_tls(action), host="web", server_name="web"
    )
    plain = dns_services.find_service(
        dataclasses.replace(
            action, options=(*action.options, *catalogue.values(host_header_option.OPTION.set("shop.example:80")))
        ),
        sites.target("http://a"),
    )
    assert plain is not None
    assert plain.check == dns_service.Check(health=HEALTH, tls=None, host="shop.example:80", server_name="a")


def desired(
    *pools: model.Pool, target: model.Target = POOL, checked: health_option.Health | None = None
) -> model.Desired:
    site = sites.site(
        "a.test",
        sites.route("/", proxy(target, checked=checked)),
        tls=model.Tls(mode=model.TlsMode.OFF),
    )
    site = dataclasses.replace(
        site, http=model.HttpMode.SERVE, origin=model.Origin(source="docker", place="container a")
    )
    return merge.merge_snapshots([model.Snapshot(source="docker", sites=(site,), pools=pools)])


@pytest.mark.parametrize("health", [None, HEALTH])
@pytest.mark.parametrize("target", [sites.target("http://web:80"), sites.target("http://10.0.0.1:80"), POOL])
def test_rendered_names_are_published(target: model.Target, health: health_option.Health | None) -> None:
    wanted = desired(target=target, checked=health)
    text = render_tree.render_files(wanted, ENVIRONMENT)["sites/a.test.conf"].decode()
    for service in merge.services(wanted):
        assert f"server {service.name} service=http resolve " in text
    assert text.count("service=http resolve") == len(merge.services(wanted))


def test_endpoints_of_a_pool_change_no_file() -> None:
    one = model.Endpoint(address="10.0.0.1", port=80)
    files = [
        render_tree.render_files(desired(*pools), ENVIRONMENT)
        for pools in (
            (),
            (model.Pool(name="abc.daemun"),),
            (model.Pool(name="abc.daemun", endpoints=(one, dataclasses.replace(one, port=81))),),
        )
    ]
    assert files[0] == files[1] == files[2]


def test_pools_of_every_source_are_merged() -> None:
    first = model.Snapshot(source="docker", pools=(model.Pool(name="b.daemun"),))
    second = model.Snapshot(source="api", pools=(model.Pool(name="a.daemun"),))
    assert [pool.name for pool in merge.merge_snapshots([first, second]).pools] == ["a.daemun", "b.daemun"]


@pytest.mark.parametrize(("source", "is_good"), [("docker", True), ("file", False)])
def test_a_file_has_no_pools(source: str, is_good: bool) -> None:
    site = sites.site("a.test", sites.route("/", proxy(POOL)), origin=model.Origin(source=source))
    assert (validate.find_site_problems(site) == ()) == is_good
