"""Identity providers of the sign-in: how they are written, whom their accounts are, and what the judge gets of them."""

import pytest

from daemun.core import model
from daemun.core.access import judge_policies, login_policies, login_providers
from daemun.core.options import login_option, login_provider_form
from daemun.sources import yaml_file

SITES = "sites: {a.test: {access: {login: RULE}, routes: {/: http://127.0.0.1:1}}}"
GOOGLE = "{oidc: https://accounts.google.com, client_id: a, client_secret: b}"


def snapshot_of(providers: str, rule: str = "{emails: [a@example.com]}") -> model.Snapshot:
    text = f"login: {{host: auth.test, providers: {providers}}}\n{SITES.replace('RULE', rule)}"
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc")


def read(providers: str) -> tuple[login_provider_form.LoginProvider, ...]:
    found = snapshot_of(providers)
    assert found.problems == ()
    assert found.globals is not None
    login = login_option.OPTION.of(found.globals)
    assert login is not None
    return login.providers


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        ("file:/run/x", model.Secret(file="/run/x")),
        ("file:x", model.Secret(file="/etc/x")),
        ("{file: x}", model.Secret(file="/etc/x")),
        ("env:NAME", model.Secret(variable="NAME")),
        ("{env: NAME}", model.Secret(variable="NAME")),
        ("abc", model.Secret(text="abc")),
    ],
)
def test_where_a_secret_is(written: str, secret: model.Secret) -> None:
    (one,) = read(
        f"{{oidc: https://id.test, client_id: a, client_secret: {written if '{' in written else repr(written)}}}"
    )
    assert one.client_secret == secret


@pytest.mark.parametrize(
    ("issuer", "key"),
    [
        ("https://accounts.google.com", "accounts.google.com"),
        ("https://accounts.google.com/", "accounts.google.com"),
        ("https://id.test:8443/realms/Home", "id.test-8443-realms-home"),
        ("https://login.microsoftonline.com/0-1/v2.0", "login.microsoftonline.com-0-1-v2.0"),
        ("http://127.0.0.1:3000", "127.0.0.1-3000"),
        ("http://[::1]:3000/x", "1-3000-x"),
    ],
)
def test_keys(issuer: str, key: str) -> None:
    (one,) = read(f"[{{oidc: '{issuer}', client_id: a, client_secret: b}}]")
    assert one.key == key
    assert login_provider_form.callback("auth.test", one.key) == f"https://auth.test/callback/{key}"


@pytest.mark.parametrize(
    ("providers", "said"),
    [
        ("[{client_id: a, client_secret: b}]", "either `oidc`"),
        ("[{oidc: https://a.test, github: true, client_id: a, client_secret: b}]", "either `oidc`"),
        ("[{oidc: a.test, client_id: a, client_secret: b}]", "http"),
        ("[{oidc: http://a.test, client_id: a, client_secret: b}]", "use https"),
        ("[{oidc: 'https://a.test?x=y', client_id: a, client_secret: b}]", "query"),
        ("[{oidc: https://u@a.test, client_id: a, client_secret: b}]", "URL"),
        (
            "[{oidc: https://a.test/.well-known/openid-configuration, client_id: a, client_secret: b}]",
            'write "https://a.test"',
        ),
        ("[{oidc: https://a.test, client_secret: b}]", "client_id"),
        ("[{oidc: https://a.test, client_id: a}]", "client_secret"),
        ("[{oidc: https://a.test, client_id: '', client_secret: b}]", "is empty"),
        ("[{oidc: https://a.test, client_id: a, client_secret: 'b c'}]", "copy it again"),
        ("[{oidc: https://a.test, client_id: a, client_secret: b, scopes: [email]}]", "openid"),
        ("[{oidc: https://a.test, client_id: a, client_secret: b, scopes: [openid, 'a b']}]", "scope"),
        (f"[{GOOGLE}, {GOOGLE}]", "twice"),
        ("[{github: false, client_id: a, client_secret: b}]", "expected true"),
        ("[{github: true, client_id: a, client_secret: b, groups_claim: x}]", "read:org"),
        ("[{oicd: https://a.test, client_id: a, client_secret: b}]", "oidc"),
    ],
)
def test_what_is_refused(providers: str, said: str) -> None:
    found = [one.message for one in snapshot_of(providers).problems]
    assert any(said in one for one in found), found
    assert not any("b c" in one for one in found)


def test_rules_of_providers() -> None:
    assert snapshot_of(GOOGLE, "{users: [alice, 'accounts.google.com:1']}").problems == ()
    (given,) = snapshot_of(GOOGLE, "{groups: [family, 'accounts.google.com:family']}").problems
    assert (given.severity, "gives no groups" in given.message) == (model.Severity.WARNING, True)
    (group,) = snapshot_of(GOOGLE, "{groups: ['github:family']}").problems
    assert "accounts.google.com" in group.message
    for odd in ("accounts.google.com:a/b", "accounts.google.com:", ":family", "accounts.google.com:a:b"):
        assert snapshot_of(GOOGLE, f"{{groups: ['{odd}']}}").problems, odd
    (one,) = snapshot_of(GOOGLE, "{users: ['github:1']}").problems
    assert 'there are "accounts.google.com"' in one.message or "accounts.google.com" in one.message
    assert [one.message for one in snapshot_of(GOOGLE, "{users: ['a:b,c']}").problems]


@pytest.mark.parametrize(
    ("provider", "is_warned"),
    [
        (GOOGLE, True),
        ("{github: true, client_id: a, client_secret: b}", True),
        ("{oidc: https://id.test, client_id: a, client_secret: b}", False),
        ("{github: https://git.test, client_id: a, client_secret: b}", False),
    ],
)
def test_everybody_with_an_account_somewhere(provider: str, is_warned: bool) -> None:
    found = snapshot_of(provider, "true").problems
    assert [one.severity for one in found] == [model.Severity.WARNING] * is_warned
    assert all("emails" in one.message for one in found)
    at_gate = f"access: {{login: true}}\nlogin: {{host: auth.test, providers: {provider}}}\nsites: {{}}"
    parsed = yaml_file.parse(at_gate, file_name="daemun.yaml", base_dir="/etc")
    assert len(parsed.problems) == is_warned


@pytest.mark.parametrize(
    ("access", "is_warned"),
    [("{login: [family]}", True), ("public", False), ("{allow: private}", False)],
)
def test_a_provider_that_is_a_guarded_site_itself(access: str, is_warned: bool) -> None:
    text = (
        "login: {host: auth.test, providers: {oidc: https://id.test/realms/home, client_id: a, client_secret: b}}\n"
        "access: {login: [family]}\n"
        f"sites: {{id.test: {{access: {access}, routes: {{/: http://127.0.0.1:1}}}}, a.test: http://127.0.0.1:1}}"
    )
    found = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc").problems
    assert [one.host for one in found] == ["id.test"] * is_warned
    assert all("access: public" in one.message for one in found)


PROVIDER = login_providers.Provider(
    key="id.test",
    kind=login_providers.ProviderKind.OIDC,
    issuer="https://id.test",
    client_id="a",
    name="Ä",
    scopes=("openid",),
    groups_claim="g",
    ca_file="/etc/root.pem",
    secret=model.Secret(text="hidden"),
)
HOST = judge_policies.LoginHost(host="auth.test", idle_s=1, lifetime_s=2, providers=(PROVIDER,))


def test_no_secret_is_written() -> None:
    content = judge_policies.encode([HOST])
    assert b"hidden" not in content
    (found,) = judge_policies.decode(content)
    assert isinstance(found, judge_policies.LoginHost)
    assert found.providers[0].stamp == PROVIDER.stamp
    assert found.providers[0].ca_file == "/etc/root.pem"
    assert found.providers[0].secret == model.Secret(text="")


def test_policies_of_before_have_no_providers() -> None:
    before = b'[{"kind": "login host", "host": "a", "idle_s": 1, "lifetime_s": 2, "hosts": [], "ports": []}]'
    (found,) = judge_policies.decode(before)
    assert isinstance(found, judge_policies.LoginHost)
    assert found.providers == ()


def identity(subject: str = "1", **sent: object) -> login_providers.Identity:
    every: dict[str, object] = {"display": None, "email": None, "is_verified": False, "groups": None, **sent}
    return login_providers.make_identity(PROVIDER, subject, **every)  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", ["", "a\n", "a" * 256, "\x00"])
def test_no_subject(subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        identity(subject)


def test_names_are_told_apart() -> None:
    names = {identity(one).name for one in ("a", "A", "a b", "a%20b", "a,b", "ä", "a:b", "a/b", "auth0|1")}
    assert len(names) == 9
    assert all(name.isascii() and name.isprintable() and not set(" ,") & set(name) for name in names)
    assert identity("auth0|1").name == "id.test:auth0|1"


@pytest.mark.parametrize(
    ("email", "is_verified", "kept"),
    [
        ("a@example.com", True, "a@example.com"),
        ("a@example.com", False, ""),
        ("a@b@example.com", True, ""),
        ("a@example.com\r\nX: y", True, ""),
        ("a,b@example.com", True, ""),
        ("*@example.com", True, "*@example.com"),
        (["a@example.com"], True, ""),
        (None, True, ""),
        ("a" * 65 + "@example.com", True, ""),
    ],
)
def test_addresses(email: object, is_verified: bool, kept: str) -> None:
    assert identity(email=email, is_verified=is_verified).email == kept


def test_an_address_is_no_pattern() -> None:
    """`*@example.com` in the rule is all of a domain; as the address of an account it is in that domain only."""
    user = identity(email="*@example.com", is_verified=True).make_user("1")
    assert not login_policies.admits(judge_policies.LoginPolicy(name="x", emails=("a@example.com",)), user)
    alice = judge_policies.LoginPolicy(name="x", users=("alice",))
    assert not login_policies.admits(alice, identity("alice").make_user("1"))


def test_groups() -> None:
    sent = ["/family", "a b", "x,y", 1, None, "admins", "", "/a/b"]
    assert identity(groups=sent).groups == ("admins", "family")
    assert identity(groups="family").groups == ("family",)
    assert identity(groups={"a": 1}).groups == ()
    assert len(identity(groups=[f"g{number}" for number in range(2000)]).groups) == login_providers.MOST_GROUPS


def test_groups_of_providers_are_no_groups_of_the_gate() -> None:
    """Anybody can make an organisation of any name."""
    user = identity(groups=["family", "id.test:family"]).make_user("1")
    assert user.groups == ("id.test:family",)
    admitted = {
        group: login_policies.admits(judge_policies.LoginPolicy(name="x", groups=(group,)), user)
        for group in ("family", "id.test:family", "github:family")
    }
    assert admitted == {"family": False, "id.test:family": True, "github:family": False}


def test_what_is_shown() -> None:
    assert identity(display="Ann\r\nX: y ").display == "AnnX: y"
    assert identity(display=1).display == ""
    assert len(identity(display="x" * 1000).display) == 200
