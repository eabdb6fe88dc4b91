"""Names that are added to a site: which may be, and what certificate each gets."""

import pytest

from daemun.core import model
from daemun.core.certificates import on_demand_names
from daemun.core.options import catalogue, on_demand_option
from daemun.core.rounds import merge

ROUTES = (model.Route(path="/", action=model.Redirect(to="/x")),)
APP = model.Site(
    host="app.example.com",
    options=catalogue.values(on_demand_option.OPTION.set(on_demand_option.OnDemand(most=5))),
    routes=ROUTES,
)
WILD = model.Site(host="*.wild.example.com", tls=model.Tls(mode=model.TlsMode.LOCAL), routes=ROUTES)


def desired(*sites: model.Site) -> model.Desired:
    return merge.merge_snapshots([model.Snapshot(source="file", globals=model.Globals(), sites=sites)])


def find_denial(host: str, given: model.Desired, *, count: int) -> on_demand_names.RefusedName | None:
    owners = on_demand_names.Owners(given.sites)
    return on_demand_names.find_denial(host, on_demand_names.find_site(given), owners, count=count)


@pytest.mark.parametrize(
    ("host", "count", "denial"),
    [
        ("shop.example.net", 4, None),
        ("a.b.wild.example.org", 0, None),
        ("shop.example.net", 5, on_demand_names.Denial.FULL),
        ("app.example.com", 0, on_demand_names.Denial.TAKEN),
        ("x.wild.example.com", 0, on_demand_names.Denial.TAKEN),
        ("x.y.wild.example.com", 0, on_demand_names.Denial.TAKEN),
        ("localhost", 0, on_demand_names.Denial.INVALID),
        ("*.example.net", 0, on_demand_names.Denial.INVALID),
        ("[::1]", 0, on_demand_names.Denial.INVALID),
        ("192.0.2.1", 0, on_demand_names.Denial.INVALID),
        ("a..b", 0, on_demand_names.Denial.INVALID),
        ("A.example.net", 0, on_demand_names.Denial.INVALID),
        ("a/../b.test", 0, on_demand_names.Denial.INVALID),
        (".".join(["a" * 50] * 3), 0, on_demand_names.Denial.INVALID),
    ],
)
def test_which_names_may_be_added(host: str, count: int, denial: on_demand_names.Denial | None) -> None:
    refused = find_denial(host, desired(APP, WILD), count=count)
    assert (refused.denial if refused else None) is denial
    assert refused is None or refused.message.startswith("cannot add ")


def test_o6_whose_a_name_is() -> None:
    nearer = model.Site(host="*.y.wild.example.com", routes=ROUTES, enabled=False)
    both = model.Site(host="shop.example.com", aliases=("*.shop.example.com",), routes=ROUTES)
    owners = on_demand_names.Owners((APP, WILD, nearer, both))
    wanted = {
        "app.example.com": APP,
        "x.wild.example.com": WILD,
        "x.y.wild.example.com": nearer,
        "y.wild.example.com": WILD,
        "a.b.shop.example.com": both,
        "wild.example.com": None,
        "example.com": None,
        "com": None,
    }
    assert {host: owners.find(host) for host in wanted} == wanted


def test_a_disabled_site_takes_none() -> None:
    disabled = model.Site(
        host="app.example.com",
        options=catalogue.values(on_demand_option.OPTION.set(on_demand_option.OnDemand())),
        routes=ROUTES,
        enabled=False,
    )
    refused = find_denial("shop.example.net", desired(disabled), count=0)
    assert refused is not None
    assert refused.denial is on_demand_names.Denial.NO_SITE


@pytest.mark.parametrize(
    ("host", "mode", "expected"),
    [
        ("shop.example.net", model.TlsMode.AUTO, model.TlsMode.ACME),
        ("shop.lan", model.TlsMode.AUTO, model.TlsMode.LOCAL),
        ("shop.lan", model.TlsMode.ACME, model.TlsMode.ACME),
    ],
)
def test_who_signs(host: str, mode: model.TlsMode, expected: model.TlsMode) -> None:
    site = model.Site(
        host="app.example.com",
        tls=model.Tls(mode=mode),
        options=catalogue.values(on_demand_option.OPTION.set(on_demand_option.OnDemand())),
        routes=ROUTES,
    )
    spec = on_demand_names.make_spec(host, site, model.Acme())
    assert (spec.mode, spec.names, spec.host) == (expected, (host,), host)


def test_one_site_at_most_takes_names() -> None:
    second = model.Site(
        host="b.example.com",
        options=catalogue.values(on_demand_option.OPTION.set(on_demand_option.OnDemand())),
        routes=ROUTES,
    )
    found = desired(APP, second)
    assert [site.host for site in found.sites] == ["app.example.com"]
    assert "can go to one place only" in found.problems[-1].message
