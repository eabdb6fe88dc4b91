"""daemun's own sign-in: what must be there for it, and what a container's label adds."""

import pytest

from daemun.core import model
from daemun.core.access import access_levels, judge_policies, login_policies, login_site
from daemun.core.options import access_option, catalogue, login_option, login_rule_form, rate_limit_form
from daemun.core.options.access_option import Access
from daemun.core.options.login_rule_form import LoginRule
from daemun.core.rounds import merge
from daemun.core.texts import patterns
from daemun.sources import yaml_file
from tests.support.sites import route, site

EVERYBODY, FAMILY = LoginRule(), LoginRule(groups=("family",))


SERVER = "http://127.0.0.1:1"


def problems_of(text: str) -> list[str]:
    return [one.message for one in yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc").problems]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sites: {a.test: {access: {login: true}, routes: {/: http://127.0.0.1:1}}}", "write `login: {host:"),
        ("sites: {a.test: {/: {to: http://127.0.0.1:1, access: {login: true}}}}", "write `login: {host:"),
        ("access: {login: true}\nsites: {a.test: http://127.0.0.1:1}", "write `login: {host:"),
        ("login: a.test\nsites: {a.test: http://127.0.0.1:1}", "is a site already"),
        ("login: '*.test'\nsites: {}", "is not one name"),
        ("login: 192.0.2.1\nsites: {}", "is not one name"),
        ("login: {host: x.test, idle: 1s}\nsites: {}", "is not between"),
        ("login: {hots: x.test}\nsites: {}", "host"),
        (
            "login: x.test\nsites: {a.test: {access: {login: true}, tls: off, routes: {/: http://127.0.0.1:1}}}",
            "needs HTTPS",
        ),
        (
            "login: x.test\naccess: {login: true}\nsites: {a.test: {tls: off, routes: {/: http://127.0.0.1:1}}}",
            "needs HTTPS",
        ),
        (
            "login: x.test\nsites: {a.test: {access: {login: true}, on_demand: true, routes: {/: http://127.0.0.1:1}}}",
            "on_demand",
        ),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    assert any(said in one for one in problems_of(text)), problems_of(text)


@pytest.mark.parametrize(
    ("more", "group", "cure"),
    [
        ("oidc: https://id.test", "id.test:family", "`groups_claim: groups`"),
        ("oidc: https://id.test, groups_claim: roles", "id.test:family", None),
        ("github: true", "github:family", "`scopes: [user:email, read:org]`"),
        ("github: true, scopes: [user:email]", "github:family", "`scopes: [user:email, read:org]`"),
        ("github: true, scopes: [user:email, read:org]", "github:family", None),
        ("github: true", "family", None),
    ],
)
def test_groups_of_a_provider_that_gives_none(more: str, group: str, cure: str | None) -> None:
    text = (
        f"login: {{host: x.test, providers: [{{{more}, client_id: a, client_secret: b}}]}}\n"
        f'sites: {{a.test: {{access: {{login: {{groups: ["{group}"]}}}}, routes: {{/: http://127.0.0.1:1}}}}}}'
    )
    found = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc").problems
    warned = [one for one in found if "gives no groups" in one.message]
    assert [one.severity for one in warned] == ([] if cure is None else [model.Severity.WARNING])
    assert all(f"write {cure}" in one.message and str(one.origin).startswith("daemun.yaml:2:") for one in warned)


@pytest.mark.parametrize(
    "text",
    [
        "login: x.test\nsites: {a.test: {access: {login: true}, routes: {/: http://127.0.0.1:1}}}",
        "login: {host: x.test, idle: 1h, lifetime: 2d}\naccess: {login: family}\nsites: {}",
        "login: x.test\ntrusted_proxies: [10.0.0.1]\n"
        "sites: {a.test: {access: {login: true}, tls: off, routes: {/: http://127.0.0.1:1}}}",
    ],
)
def test_what_is_taken(text: str) -> None:
    assert problems_of(text) == []


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("login: true", "{login: true}"),
        ("login: [family]", "{login: [family]}"),
        ("login: family", "{login: family}"),
        ("login: {users: [alice]}", "{login: {users: [alice]}}"),
        ("login: true, access: {allow: private}", "{allow: private, login: true}"),
    ],
)
@pytest.mark.parametrize(
    "place", [f"sites: {{a.test: {{%s, routes: {{/: {SERVER}}}}}}}", f"sites: {{a.test: {{/: {{%s, to: {SERVER}}}}}}}"]
)
def test_a_rule_that_stands_beside_access(place: str, written: str, cure: str) -> None:
    (message,) = problems_of(f"login: x.test\n{place % written}")
    assert message.endswith(f'unknown key "login" here: it is a condition of `access`; write `access: {cure}`')
    assert problems_of(f"login: x.test\n{place % f'access: {cure}'}") == []


@pytest.mark.parametrize("written", ["auth.test", "{host: auth.test}", "false"])
def test_a_sign_in_page_is_of_the_top(written: str) -> None:
    (message,) = problems_of(f"sites: {{a.test: {{login: {written}, routes: {{/: {SERVER}}}}}}}")
    assert "it belongs to the top of the file" in message


@pytest.mark.parametrize(
    ("written", "cure"),
    [("yes", "write true"), ("On", "write true"), ("off", "leave it out"), ("no", "leave it out")],
)
def test_a_word_of_yaml_1_1_is_no_group(written: str, cure: str) -> None:
    (message,) = problems_of(f"login: x.test\nsites: {{a.test: {{/: {{to: {SERVER}, access: {{login: {written}}}}}}}}}")
    assert f'found the text "{written}"' in message
    assert message.endswith(cure)
    assert problems_of(f"login: x.test\naccess: {{login: {{groups: [{written}]}}}}\nsites: {{}}") == []


@pytest.mark.parametrize("written", ["off", "true", "false", "yes"])
def test_a_flag_is_no_host_of_the_page(written: str) -> None:
    (message,) = problems_of(f"login: {written}\nsites: {{}}")
    assert message.startswith("login: expected the host of the sign-in page")


def test_the_page_is_a_site_that_is_open() -> None:
    settings = model.Globals(
        options=catalogue.values(
            login_option.OPTION.set(login_option.Login(host="x.test")),
            access_option.OPTION.set(Access(login=EVERYBODY, allow=("10.0.0.0/8",))),
        )
    )
    snapshot = model.Snapshot(source="file", globals=settings, sites=(site("a.test", "http://127.0.0.1:1"),))
    desired = merge.merge_snapshots([snapshot])
    page = next(one for one in desired.sites if one.host == "x.test")
    assert access_option.OPTION.of(page) == Access(allow=("10.0.0.0/8",))
    (host,) = (one for one in login_policies.find_policies(desired) if isinstance(one, judge_policies.LoginHost))
    assert host.hosts == ("a.test",)
    # A container cannot take its name.
    taken = model.Snapshot(source="docker", sites=(site("x.test", "http://127.0.0.1:1"),))
    again = merge.merge_snapshots([snapshot, taken])
    assert "x.test" in str(again.problems)


def test_limits_of_the_gate_leave_the_page_open() -> None:
    limit = rate_limit_form.RateLimit(rate=rate_limit_form.Rate(requests=1, period_s=1))
    for outer in (Access(login=EVERYBODY, rate_limit=limit), Access(login=EVERYBODY, allow=("10.0.0.1",), any=True)):
        settings = model.Globals(
            options=catalogue.values(
                login_option.OPTION.set(login_option.Login(host="x.test")), access_option.OPTION.set(outer)
            )
        )
        page = login_site.make(settings)
        assert page is not None
        held = access_levels.of_site(page, settings).access
        assert held.login is None
        assert held.rate_limit == outer.rate_limit
        assert held.conditions in {(), ("allow",)}
        assert held.allow in {(), ("public",)}


def test_what_both_demand() -> None:
    assert access_option.tighten(Access(login=EVERYBODY), Access(login=FAMILY)).login == FAMILY
    assert access_option.tighten(Access(login=FAMILY), Access(login=EVERYBODY)).login == FAMILY
    assert access_option.tighten(Access(allow=("10.0.0.0/8",)), Access(login=FAMILY)).login == FAMILY
    assert access_option.tighten(Access(login=FAMILY), Access(deny=("10.0.0.1",))).login == FAMILY
    for inner in (Access(login=LoginRule(users=("bob",))), Access()):
        with pytest.raises(ValueError, match="the file"):
            access_option.tighten(Access(login=FAMILY), inner)
    with pytest.raises(ValueError, match="the file"):
        login_rule_form.tighten(FAMILY, FAMILY)


def test_a_route_of_its_own() -> None:
    options = catalogue.values(access_option.OPTION.set(Access(login=FAMILY)))
    one = site("a.test", route("/", "http://127.0.0.1:1"), route("/f/", "http://127.0.0.1:1", options=options))
    settings = model.Globals(options=catalogue.values(login_option.OPTION.set(login_option.Login(host="x.test"))))
    found = login_policies.find_policies(model.Desired(globals=settings, sites=(one,)))
    assert [type(each) for each in found] == [judge_policies.LoginPolicy, judge_policies.LoginHost]
    assert judge_policies.decode(judge_policies.encode(found)) == found


@pytest.mark.parametrize(
    ("host", "names", "is_so"),
    [
        ("a.test", ("a.test",), True),
        ("b.a.test", ("a.test",), False),
        ("b.a.test", ("*.a.test",), True),
        ("a.test", ("*.a.test",), False),
        ("ba.test", ("*.a.test",), False),
        ("www.a.test", ("www.a.*",), True),
        ("www.b.test", ("www.a.*",), False),
        ("x7.test", (r"~^x[0-9]\.test$",), True),
        ("x7.test.evil", (r"~^x[0-9]\.test$",), False),
    ],
)
def test_names_of_sites(host: str, names: tuple[str, ...], is_so: bool) -> None:
    assert patterns.is_among(host, names) is is_so
