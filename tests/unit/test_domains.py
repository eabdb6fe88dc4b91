"""Names that are added to a site: which may be, and what certificate each gets."""

import pytest

from daemun.core import domains, merge, model

ROUTES = (model.Route(path="/", action=model.Redirect(to="/x")),)
APP = model.Site(host="app.example.com", on_demand=model.OnDemand(most=5), routes=ROUTES)
WILD = model.Site(host="*.wild.example.com", tls=model.Tls(mode=model.TlsMode.LOCAL), routes=ROUTES)


def desired(*sites: model.Site) -> model.Desired:
    return merge.merge_snapshots([model.Snapshot(source="file", globals=model.Globals(), sites=sites)])


@pytest.mark.parametrize(
    ("host", "count", "denial"),
    [
        ("shop.example.net", 4, None),
        ("a.b.wild.example.org", 0, None),
        ("shop.example.net", 5, domains.Denial.FULL),
        ("app.example.com", 0, domains.Denial.TAKEN),
        ("x.wild.example.com", 0, domains.Denial.TAKEN),
        ("x.y.wild.example.com", 0, domains.Denial.TAKEN),
        ("localhost", 0, domains.Denial.INVALID),
        ("*.example.net", 0, domains.Denial.INVALID),
        ("[::1]", 0, domains.Denial.INVALID),
        ("192.0.2.1", 0, domains.Denial.INVALID),
        ("a..b", 0, domains.Denial.INVALID),
        ("A.example.net", 0, domains.Denial.INVALID),
        ("a/../b.test", 0, domains.Denial.INVALID),
        (".".join(["a" * 50] * 3), 0, domains.Denial.INVALID),
    ],
)
def test_which_names_may_be_added(host: str, count: int, denial: domains.Denial | None) -> None:
    refused = domains.find_denial(host, desired(APP, WILD), count=count)
    assert (refused.denial if refused else None) is denial
    assert refused is None or refused.message.startswith("cannot add ")


def test_a_disabled_site_takes_none() -> None:
    disabled = model.Site(host="app.example.com", on_demand=model.OnDemand(), routes=ROUTES, enabled=False)
    refused = domains.find_denial("shop.example.net", desired(disabled), count=0)
    assert refused is not None
    assert refused.denial is domains.Denial.NO_SITE


@pytest.mark.parametrize(
    ("host", "mode", "expected"),
    [
        ("shop.example.net", model.TlsMode.AUTO, model.TlsMode.ACME),
        ("shop.lan", model.TlsMode.AUTO, model.TlsMode.LOCAL),
        ("shop.lan", model.TlsMode.ACME, model.TlsMode.ACME),
    ],
)
def test_who_signs(host: str, mode: model.TlsMode, expected: model.TlsMode) -> None:
    site = model.Site(host="app.example.com", tls=model.Tls(mode=mode), on_demand=model.OnDemand(), routes=ROUTES)
    spec = domains.make_spec(host, site, model.Acme())
    assert (spec.mode, spec.names, spec.host) == (expected, (host,), host)


def test_one_site_at_most_takes_names() -> None:
    second = model.Site(host="b.example.com", on_demand=model.OnDemand(), routes=ROUTES)
    found = desired(APP, second)
    assert [site.host for site in found.sites] == ["app.example.com"]
    assert "can go to one place only" in found.problems[-1].message
