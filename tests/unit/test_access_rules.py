"""Who may come in, in words: what holds, wherever it is written, and never a secret."""

from daemun.core import model
from daemun.core.dashboard import access_rules
from daemun.sources import yaml_file

HASH = "$2y$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"


def _rules(text: str) -> dict[str | None, list[str]]:
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/")
    found = access_rules.find_all(snapshot.sites[0], snapshot.globals or model.Globals())
    return {one.path: [access_rules.describe(rule) for rule in one.rules] for one in found}


def test_a_site_without_access_is_open() -> None:
    assert _rules("sites: {a.test: http://10.0.0.1}") == {None: ["open to everybody"]}


def test_a_route_with_rules_of_its_own() -> None:
    text = """
access: {deny: [203.0.113.0/24]}
sites:
  a.test:
    routes:
      /: http://10.0.0.1
      /same/: http://10.0.0.1
      /open/: {to: http://10.0.0.1, access: public}
      /few/: {to: http://10.0.0.1, access: {rate_limit: 5/m, connections: 3}}
"""
    assert _rules(text) == {
        None: ["not from 203.0.113.0/24"],
        "/open/": ["open to everybody"],
        "/few/": ["not from 203.0.113.0/24", "at most 5/m by address", "at most 3 open requests of one address"],
    }


def test_no_hash_of_a_password_is_shown() -> None:
    text = f"""
sites:
  a.test:
    access: {{basic_auth: {{users: {{alice: "{HASH}", bob: "{HASH}"}}}}}}
    routes: {{/: http://10.0.0.1}}
"""
    assert _rules(text) == {None: ["name and password, of alice and bob"]}


def test_a_long_list_is_counted() -> None:
    listed = ", ".join(f"10.0.0.{number}" for number in range(1, 51))
    rules = _rules(f"sites: {{a.test: {{access: {{allow: [{listed}]}}, routes: {{/: http://10.0.0.1}}}}}}")
    assert rules[None][0].endswith("10.0.0.20 and 30 more")


def test_a_closed_site() -> None:
    text = "sites: {a.test: {maintenance: true, routes: {/: http://10.0.0.1}}}"
    assert _rules(text) == {None: ["closed for maintenance", "open to everybody"]}


def test_every_kind_has_words() -> None:
    for kind in access_rules.WORDS:
        described = access_rules.describe(access_rules.AccessRule(kind=kind, values=("x",), more=2))
        assert "{" not in described
