"""`dashboard`: what it may be, and which site daemun makes of it."""

import pytest

from daemun.core import model
from daemun.core.access import built_in_sites, dashboard_site
from daemun.core.certificates import certificate_choice
from daemun.core.options import access_option, dashboard_option, option
from daemun.core.rounds import merge
from daemun.sources import yaml_file

_SITE = "sites: {a.test: {routes: {/: 'http://b:1'}}}"


def read(text: str, sites: str = _SITE) -> model.Snapshot:
    return yaml_file.parse(f"{text}\n{sites}", file_name="daemun.yaml", base_dir="/srv")


def desire(text: str, sites: str = _SITE) -> model.Desired:
    return merge.merge_snapshots([read(text, sites)])


def read_access(holder: option.HasOptions) -> access_option.Access:
    return access_option.OPTION.of(holder) or access_option.Access()


@pytest.mark.parametrize("written", ["off", "false", "{host: off}"])
def test_it_can_be_left_out(written: str) -> None:
    desired = desire(f"dashboard: {written}")
    assert dashboard_option.find(desired.globals) is None
    assert dashboard_site.make_local(desired) is None
    assert built_in_sites.find_all(desired.globals) == ()


@pytest.mark.parametrize("text", ["", "dashboard: true", "dashboard: {}"])
def test_without_a_host_it_is_for_this_machine_and_no_site(text: str) -> None:
    desired = desire(text)
    site = dashboard_site.make_local(desired)
    assert site is not None
    assert site.host == "daemun.localhost"
    assert read_access(site).allow == ("127.0.0.0/8", "::1/128")
    assert [one.host for one in desired.sites] == ["a.test"]
    assert [spec.host for spec in certificate_choice.find_own_specs(desired)] == ["daemun.localhost"]
    assert [spec.host for spec in certificate_choice.find_specs(desired)] == ["a.test"]


def test_a_site_of_its_name_goes_first() -> None:
    desired = desire("", "sites: {daemun.localhost: {routes: {/: 'http://b:1'}}}")
    assert dashboard_site.make_local(desired) is None


def test_with_a_host_it_is_a_site_behind_the_conditions_of_the_gate() -> None:
    desired = desire("dashboard: gate.test\naccess: {allow: 192.0.2.1, basic_auth: {users: {ann: $2y$05$x}}}")
    (site,) = (one for one in desired.sites if one.host == "gate.test")
    access = read_access(site)
    assert (access.allow, access.basic_auth) == (("192.0.2.1",), None)
    assert dashboard_site.make_local(desired) is None
    assert [route.path for route in site.routes] == ["/"]


def test_users_of_the_sign_in_come_by_a_path_that_the_judge_guards() -> None:
    desired = desire("dashboard: {host: gate.test, own: [ann]}\nlogin: auth.test")
    (site,) = (one for one in desired.sites if one.host == "gate.test")
    guarded = {route.path: read_access(route).login is not None for route in site.routes}
    assert guarded == {"/": False, "/sign-in/account": True}
    assert desired.problems == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dashboard: {own: ann}", "add `login: {host: auth.example.com}`"),
        ("dashboard: {own: ann}\nlogin: auth.test", "add `host: gate.example.com`"),
    ],
)
def test_users_that_cannot_come_are_reported(text: str, words: str) -> None:
    assert words in " ".join(one.message for one in read(text).problems)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "expected true, false, a host"),
        ("yes", "write true"),
        ("7", "found the number 7"),
        ("[a]", "found a list"),
        ("{hots: a}", 'did you mean "host"'),
        ("{host: '*.test'}", "is not one name"),
        ("{host: 10.0.0.1}", "is not one name"),
        ("{host: a.test}", "is a site already"),
    ],
)
def test_what_it_cannot_be(written: str, words: str) -> None:
    found = [one.message for one in read(f"dashboard: {written}").problems]
    assert len(found) == 1 and words in found[0], found


def test_nobody_else_gets_its_host() -> None:
    theirs = model.Site(
        host="gate.test",
        routes=(model.Route(path="/", action=model.Redirect(to="https://b.test/")),),
        origin=model.Origin(source="docker"),
    )
    file = read("dashboard: gate.test")
    desired = merge.merge_snapshots([file, model.Snapshot(source="docker", sites=(theirs,))])
    assert [one.origin.source for one in desired.sites if one.host == "gate.test"] == ["dashboard"]
    assert any("give the container or the dashboard another host" in one.message for one in desired.problems)


def test_its_own_certificate_is_listed_only_when_something_is_wrong_with_it() -> None:
    states = (model.CertificateState.LOCAL, model.CertificateState.NOT_SERVED, model.CertificateState.PENDING)
    ours = tuple(model.CertificateStatus(name="d", host="daemun.localhost", names=(), state=one) for one in states)
    other = model.CertificateStatus(name="a", host="a.test", names=("a.test",), state=states[0])
    assert dashboard_site.without_local((*ours, other)) == (*ours[1:], other)
