"""`access`: what may be written, what is refused, and what a container's label adds to the file's."""

import dataclasses
import typing

import pytest

from daemun.core import model
from daemun.core.access import access_levels
from daemun.core.options import access_option, catalogue, client_certificates_form, country_forms
from daemun.core.options.access_option import Access
from daemun.core.options.client_certificates_form import ClientCertificates
from daemun.core.options.forward_auth_forms import ForwardAuth, ForwardAuthKind
from daemun.core.options.login_rule_form import LoginRule
from daemun.core.options.rate_limit_form import Rate, RateLimit
from daemun.core.rounds import merge
from daemun.sources import yaml_file
from daemun.sources.docker import label_options
from tests.support.sites import route, site

A_MINUTE = 60


LOCAL = ClientCertificates(ca=client_certificates_form.ClientAuthority())
ASKED = dataclasses.replace(LOCAL, require=False)
OWN = ClientCertificates(ca=client_certificates_form.ClientAuthority(path="/etc/daemun/own.pem"))
WITH_LIST = dataclasses.replace(OWN, revoked="/etc/daemun/own.crl")


def read(access: str) -> tuple[Access | None, list[str]]:
    text = f"login: auth.test\nsites:\n  a.test:\n    access: {access}\n    routes: {{/: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    (found,) = snapshot.sites
    return access_option.OPTION.of(found), [problem.message for problem in snapshot.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("public", Access()),
        ("{allow: private}", Access(allow=("private",))),
        ("{allow: [10.0.0.0/8, '2001:db8::1']}", Access(allow=("10.0.0.0/8", "2001:db8::1"))),
        ("{rate_limit: 120/h}", Access(rate_limit=RateLimit(rate=Rate(requests=120, period_s=60 * A_MINUTE)))),
        ("{allow: public, connections: 5}", Access(allow=("public",), connections=5)),
        ("{deny: 10.0.0.1}", Access(deny=("10.0.0.1",))),
        ("{allow: home.example.org}", Access(allow=("home.example.org",))),
        ("{allow: 'private, home.example.org, 192.0.2.1'}", Access(allow=("private", "home.example.org", "192.0.2.1"))),
        ("{deny: [a_b.docker.internal]}", Access(deny=("a_b.docker.internal",))),
        ("{allow: 'private, 192.0.2.1'}", Access(allow=("private", "192.0.2.1"))),
        ("{rate_limit: 10/s}", Access(rate_limit=RateLimit(rate=Rate(requests=10, period_s=1)))),
        ("{rate_limit: 5 / m}", Access(rate_limit=RateLimit(rate=Rate(requests=5, period_s=A_MINUTE)))),
        (
            "{forward_auth: authelia, rate_limit: {rate: 5/m, by: user}}",
            Access(
                forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA),
                rate_limit=RateLimit(rate=Rate(requests=5, period_s=A_MINUTE), by="user"),
            ),
        ),
        (
            "{rate_limit: {rate: 5/m, burst: 2, by: header X-Key}}",
            Access(rate_limit=RateLimit(rate=Rate(requests=5, period_s=A_MINUTE), burst=2, by="header X-Key")),
        ),
        ("{client_certificates: local}", Access(client_certificates=LOCAL)),
        ("{client_certificates: {ca: local, require: false}}", Access(client_certificates=ASKED)),
        ("{client_certificates: own.pem}", Access(client_certificates=OWN)),
        (
            "{client_certificates: {ca: own.pem, revoked: own.crl}, allow: private, any: true}",
            Access(client_certificates=WITH_LIST, allow=("private",), any=True),
        ),
        ("{forward_auth: authelia}", Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA))),
        (
            "{forward_auth: {kind: authelia, remember: 10s}}",
            Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA, remember_s=10.0)),
        ),
        (
            "{forward_auth: {url: http://judge:8080/x?y=z, copy: X-User}}",
            Access(forward_auth=ForwardAuth(url="http://judge:8080/x?y=z", copied=("X-User",))),
        ),
        ("{login: true}", Access(login=LoginRule())),
        ("{login: family}", Access(login=LoginRule(groups=("family",)))),
        ("{login: 'family, admins'}", Access(login=LoginRule(groups=("family", "admins")))),
        (
            "{login: {users: [bob], emails: '*@example.com'}}",
            Access(login=LoginRule(users=("bob",), emails=("*@example.com",))),
        ),
        ("{connections: 7, allow: private, any: true}", Access(connections=7, allow=("private",), any=True)),
    ],
)  # fmt: skip
def test_what_may_be_written(written: str, meant: Access) -> None:
    assert read(written) == (meant, [])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("private", "write `{allow: private}`"),
        ("{client_certificates: true}", "write {ca: local}"),
        ("{client_certificates: }", "found nothing"),
        ("{forward_auth: {kind: authelia, remember: 1h}}", "remember"),
        ("{forward_auth: {kind: authelia, remember: 100ms}}", "remember"),
        ("{client_certificates: optional}", "write {ca: local}"),
        ("{client_certificates: {require: true}}", "ca"),
        ("{client_certificates: {ca: local, revoked: x.pem}}", "daemun clients revoke"),
        ("{client_certificates: {ca: local, require: false}, any: true, allow: private}", "cannot stand beside `any`"),
        ("{}", "to let everybody in, write public"),
        ("true", "expected public or a map"),
        ("{allow: localhost}", "is not a network"),
        ("{allow: Home.Example.org}", 'is a host name in capitals; write "home.example.org"'),
        ("{allow: '*.example.org'}", "is not a network"),
        ("{allow: 'example.org/24'}", "is not a network"),
        ("{allow: '192.168.1'}", "is not a network"),
        ("{allow: 'example.org:443'}", "is not a network"),
        ("{allow: 'http://example.org'}", "is not a network"),
        ("{allow: 'example.org;'}", "is not a network"),
        ("{deny: 'a..example.org'}", "is not a network"),
        ("{allow: router}", "a host name needs a dot"),
        ("{allow: 10.0.0.1/8}", 'write "10.0.0.0/8"'),
        ("{deny: [10.0.0.0/8, x]}", '"x" is not a network'),
        ("{alow: private}", 'did you mean "allow"?'),
        ("{any: true}", "there is no condition beside it"),
        ("{any: true, deny: 10.0.0.1}", "could come in by another condition"),
        ("{rate_limit: 10}", "expected a rate such as 10/s or 300/m, found the number 10; write 10/s"),
        ("{rate_limit: {rate: 2}}", "write 2/s"),
        ("{rate_limit: '2'}", "write 2/s"),
        ("{rate_limit: true}", "expected a rate such as 10/s"),
        ("{rate_limit: 119/h}", "write 1/m (60/h) or 2/m"),
        ("{rate_limit: {rate: 61/h}}", "write 1/m (60/h) or 2/m"),
        ("{allow: private, any: yes}", 'found the text "yes"; write true'),
        ("{allow: home}", "private is the home network"),
        ("{rate_limit: 10rps}", "expected a rate such as 10/s"),
        ("{rate_limit: 0/s}", "0 is not"),
        ("{rate_limit: 5/h}", "write 1/m"),
        ("{rate_limit: {burst: 3}}", "rate"),
        ("{rate_limit: {rate: 1/s, burst: 0}}", "burst"),
        ("{rate_limit: {rate: 1/s, by: cookie}}", "expected address, user or"),
        ("{rate_limit: {rate: 1/s, by: 'header $x'}}", "is not a header name"),
        ("{login: false}", "to let everybody in, leave it out"),
        ("{login: {}}", "to let everybody in, leave it out"),
        ("{login: }", "to let everybody in, write `access: public`"),
        ("{login: {groups: ['a,b']}}", "groups"),
        ("{login: {emails: [example.com]}}", "is no e-mail address"),
        ("{login: {users: ['A:b']}}", "users"),
        ("{login: true, forward_auth: authelia}", "cannot stand beside `forward_auth`"),
        ("{forward_auth: nginx}", "there is no usual place of a server of the kind nginx"),
        ("{forward_auth: authlia}", 'did you mean "authelia"?'),
        ("{forward_auth: http://judge/}", "write {kind: traefik, url:"),
        ("{forward_auth: {url: judge:9091}}", "url"),
        ("{forward_auth: {url: ftp://judge/}}", "url"),
        ("{forward_auth: {url: fastcgi://judge:9000}}", "is no http or https URL"),
        ("{forward_auth: {url: 'http://judge/$host'}}", "url"),
        ("{forward_auth: {url: 'http://judge/a;b{'}}", "url"),
        ("{forward_auth: {kind: authelia, copy: [Host]}}", "copy"),
        ("{forward_auth: {kind: authelia, copy: ['X-A: b']}}", "is not a header name"),
        *(
            (f"{{{key}: {empty}}}", f"{key}: is empty; to let nobody in, use `enabled: false`")
            for key in ("allow", "deny", "countries")
            for empty in ("[]", "")
        ),
        ("{allow: [], rate_limit: 1/s}", "to let everybody in, write `access: public`"),
        ("{any: true, allow: []}", "allow: is empty"),
        ("{allow: private, deny: []}", "deny: is empty"),
        ("{basic_auth: }", "basic_auth: is empty"),
        ("{forward_auth: }", "forward_auth: is empty"),
        ("{rate_limit: }", "rate_limit: is empty; remove it"),
        ("{connections: }", "connections: is empty; remove it"),
        ("{any: false}", "there is no condition beside it"),
        ("{connections: 0}", "connections"),
        ("{connections: many}", "connections"),
    ],
)
def test_what_is_refused_and_why(written: str, said: str) -> None:
    """The site with it is set aside: nobody is let in by a mistake."""
    text = f"sites:\n  a.test:\n    access: {written}\n    routes: {{/: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    desired = merge.merge_snapshots([snapshot])
    assert any(said in problem.message for problem in desired.problems), [one.message for one in desired.problems]
    assert all(one.fault is not None for one in desired.sites)


def test_what_a_label_says() -> None:
    entry = label_options.read_route(
        {"access": {"allow": "private 192.0.2.0/24", "rate_limit": "10/s", "any": "false"}}
    )
    given = typing.cast(Access, entry.given(catalogue.BY_NAME)["access"])
    assert given.allow == ("private", "192.0.2.0/24")
    assert given.rate_limit == RateLimit(rate=Rate(requests=10, period_s=1))
    assert label_options.read_route({"access": "public"}).given(catalogue.BY_NAME)["access"] == Access()


@pytest.mark.parametrize("written", [{"allow": ""}, {"deny": " "}, {"allow": ","}, {"any": "false"}])
def test_an_empty_label_lets_nobody_in(written: dict[str, str]) -> None:
    with pytest.raises(label_options.OptionError):
        label_options.read_route({"access": written})


def test_limits_alone_keep_the_conditions_from_further_out() -> None:
    gate = Access(allow=("private",), deny=("10.0.0.1",), connections=5)
    limit = RateLimit(rate=Rate(requests=1, period_s=1))
    settings = model.Globals(options=catalogue.values(access_option.OPTION.set(gate)))
    limited, opened, public = (
        route(f"/{number}", "http://127.0.0.1:1", options=catalogue.values(access_option.OPTION.set(one)))
        for number, one in enumerate((Access(rate_limit=limit), Access(allow=("public",), rate_limit=limit), Access()))
    )
    plain = site("a.test", limited, opened, public)
    kept = dataclasses.replace(gate, connections=None, rate_limit=limit)
    assert access_levels.of_route(limited, plain, settings).access == kept
    assert access_levels.of_route(opened, plain, settings).access == Access(allow=("public",), rate_limit=limit)
    assert access_levels.of_route(public, plain, settings).access == Access()
    of_site = site("a.test", limited, options=catalogue.values(access_option.OPTION.set(Access(connections=9))))
    assert access_levels.of_site(of_site, settings).access == dataclasses.replace(gate, connections=9)
    assert access_levels.of_route(limited, of_site, settings).access == kept


# --- the file's and a container's ------------------------------------------------------------------------------

FILE = Access(allow=("10.0.0.0/8", "192.0.2.0/24"), deny=("10.9.9.9",), connections=5)


def merged(label: Access, outer: Access = FILE, source: str = "docker") -> tuple[Access | None, list[str]]:
    """What holds for a site that a container or the file has, and what is refused."""
    one = site("a.test", route("/", "http://127.0.0.1:1", options=catalogue.values(access_option.OPTION.set(label))))
    one = dataclasses.replace(one, origin=model.Origin(source=source, place="container web"))
    gate = model.Globals(options=catalogue.values(access_option.OPTION.set(outer)))
    snapshots = [model.Snapshot(source="file", globals=gate), model.Snapshot(source=source, sites=(one,))]
    desired = merge.merge_snapshots(snapshots)
    found = [access_option.OPTION.of(route_) for site_ in desired.sites for route_ in site_.routes]
    return found[0] if found else None, [problem.message for problem in desired.problems]


def test_a_label_never_opens_what_the_file_guards() -> None:
    assert merged(Access())[0] is None
    assert "cannot write public" in merged(Access())[1][0]
    assert merged(Access(allow=("0.0.0.0/0", "::/0")))[0] == dataclasses.replace(FILE)
    assert merged(Access(allow=("10.1.0.0/16", "198.51.100.0/24")))[0] == dataclasses.replace(
        FILE, allow=("10.1.0.0/16",)
    )
    assert merged(Access(allow=("198.51.100.0/24",)))[0] is None
    assert merged(Access(allow=("private",), any=True))[0] is None
    assert merged(Access(connections=9))[0] == FILE
    assert merged(Access(connections=2))[0] == dataclasses.replace(FILE, connections=2)
    assert merged(Access(deny=("10.0.0.1",)))[0] == dataclasses.replace(FILE, deny=("10.9.9.9", "10.0.0.1"))
    limit = RateLimit(rate=Rate(requests=1, period_s=1))
    assert merged(Access(rate_limit=limit))[0] == dataclasses.replace(FILE, rate_limit=limit)
    assert merged(Access(allow=("10.0.0.0/8",)), dataclasses.replace(FILE, deny=(), any=True))[0] is None


def test_a_label_names_a_judge_and_no_server() -> None:
    """Whoever may start a container is not to make the gate request whatever it can reach."""
    given = label_options.read_route({"access": {"forward_auth": "authelia"}}).given(catalogue.BY_NAME)["access"]
    assert given == Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA))
    for value in ("http://127.0.0.1:9000/", "{url: http://127.0.0.1/}", "nginx"):
        with pytest.raises(label_options.OptionError):
            _checked_label(value)


def _checked_label(value: str) -> None:
    given = label_options.read_route({"access": {"forward_auth": value}}).given(catalogue.BY_NAME)["access"]
    _, problems = merged(typing.cast(Access, given), Access())
    if problems:
        raise label_options.OptionError("access", problems[0])


def test_the_files_judge_and_a_labels_cannot_be_one() -> None:
    outer = Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA))
    assert merged(Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.TINYAUTH)), outer)[0] is None
    elsewhere = Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA, url="http://10.0.0.9:9091"))
    same = Access(forward_auth=ForwardAuth(kind=ForwardAuthKind.AUTHELIA, remember_s=60.0), connections=3)
    assert merged(same, elsewhere)[0] == dataclasses.replace(elsewhere, connections=3)
    assert merged(elsewhere, outer)[0] is None
    assert merged(Access(deny=("192.0.2.1",)), outer)[0] == dataclasses.replace(outer, deny=("192.0.2.1",))


def test_the_file_itself_may_open_what_it_guards() -> None:
    assert merged(Access(), source="file")[0] == Access()


def test_a_label_keeps_the_countries_of_the_file_and_names_no_database() -> None:
    korea = country_forms.Countries(database=country_forms.CountryDatabase(path="/c.mmdb"), allow=("KR",))
    outer = Access(countries=(korea,))
    assert merged(Access(connections=2), outer)[0] == Access(countries=(korea,), connections=2)
    assert merged(Access(allow=("0.0.0.0/0",)), outer)[0] == Access(countries=(korea,), allow=("0.0.0.0/0",))
    assert merged(Access(), outer)[0] is None
    assert "countries" not in label_options.PARTS["access"]


def test_where_the_file_guards_nothing_a_label_stands_alone() -> None:
    assert merged(Access(), Access())[0] == Access()
    assert merged(Access(allow=("private",), any=True), Access())[0] == Access(allow=("private",), any=True)


def test_certificates_of_the_file_hold_for_containers_whose_labels_name_none() -> None:
    assert merged(Access(rate_limit=RateLimit(rate=Rate(requests=1, period_s=1))), Access(client_certificates=ASKED))[
        0
    ] == Access(client_certificates=ASKED, rate_limit=RateLimit(rate=Rate(requests=1, period_s=1)))
    both, said = merged(Access(client_certificates=LOCAL), Access(client_certificates=ASKED))
    assert (both, said) == (Access(client_certificates=LOCAL), [])
    assert merged(Access(client_certificates=ASKED), Access(client_certificates=LOCAL))[0] == both
    assert any(
        "another CA" in one for one in merged(Access(client_certificates=OWN), Access(client_certificates=LOCAL))[1]
    )
    assert "client_certificates" not in label_options.PARTS["access"]


@pytest.mark.parametrize("empty", ["", "null", "~", "{}"])
@pytest.mark.parametrize(
    "text",
    [
        "access: EMPTY\nsites: {a.test: http://127.0.0.1:1}",
        "sites:\n  a.test:\n    access: EMPTY\n    routes: {/: http://127.0.0.1:1}",
        "sites:\n  a.test:\n    /:\n      to: http://127.0.0.1:1\n      access: EMPTY",
    ],
)
def test_nothing_behind_the_key_opens_nothing(text: str, empty: str) -> None:
    snapshot = yaml_file.parse(text.replace("EMPTY", empty), file_name="daemun.yaml", base_dir="/etc/daemun")
    (problem,) = snapshot.problems
    assert problem.severity is model.Severity.ERROR
    assert "access: expected public or a map, found " in problem.message
    assert problem.message.endswith("; to let everybody in, write public")
