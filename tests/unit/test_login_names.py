"""Users and groups that `access: {login: ...}` names and nobody has: warnings with a cure."""

import pathlib

import pytest

from daemun.core import model
from daemun.core.access import login_users
from daemun.sources import login_names, yaml_file

SITE = "  {host}: {{access: {{login: {rule}}}, routes: {{/: http://127.0.0.1:1}}}}\n"
ALICE = login_users.User(name="alice", hashed="", stamp="a", groups=("family",))


def warnings(*rules: str, users: tuple[login_users.User, ...] = (ALICE,), has_providers: bool = False) -> list[str]:
    sites = "".join(SITE.format(host=f"{index}.test", rule=rule) for index, rule in enumerate(rules))
    snapshot = yaml_file.parse(f"login: x.test\nsites:\n{sites}", file_name="daemun.yaml", base_dir="/etc")
    found = login_names.find_unknown(snapshot, users, has_providers=has_providers)
    assert {one.severity for one in found} <= {model.Severity.WARNING}
    return [one.message for one in found]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("alice", '"alice" is a user and no group that anybody has; write {users: [alice]}'),
        ("famliy", 'no user has the group "famliy"; did you mean "family"?'),
        ("[family, staff]", 'no user has the group "staff"; `daemun users add NAME --group staff` makes one'),
        ("{users: [alice, bob]}", 'there is no user "bob"; `daemun users add bob` makes one'),
        ("{users: alise}", 'there is no user "alise"; did you mean "alice"?'),
    ],
)
def test_names_that_nobody_has(rule: str, words: str) -> None:
    (message,) = warnings(rule)
    assert message.startswith('site "0.test", access.login.')
    assert words in message


@pytest.mark.parametrize(
    "rule", ["true", "family", "{users: alice}", "{emails: '*@a.test'}", "{groups: ['id.test:staff']}"]
)
def test_names_that_somebody_has_or_a_provider_gives(rule: str) -> None:
    assert warnings(rule) == []


def test_each_name_is_reported_once() -> None:
    assert len(warnings("staff", "staff", "[staff, other]")) == 2


@pytest.mark.parametrize("rule", ["true", "family", "{users: bob}"])
def test_without_any_user_nobody_comes_in(rule: str) -> None:
    (message,) = warnings(rule, rule, users=())
    assert message.endswith("there is no user yet, so nobody comes in; `daemun users add NAME` makes one")
    assert warnings("true", users=(), has_providers=True) == []


def test_users_of_the_state_directory(tmp_path: pathlib.Path) -> None:
    """At their places in the file; nothing is known where no gate ever was, or of a damaged file."""
    file, state = tmp_path / "daemun.yaml", tmp_path / "state"
    file.write_text("login: x.test\nsites:\n" + SITE.format(host="a.test", rule="[family, staff]"))
    source = yaml_file.YamlFile(file, state=str(state))
    assert source.read_now().problems == ()
    users = state / "store" / login_users.KEY
    users.parent.mkdir(parents=True)
    (problem,) = source.read_now().problems
    assert "there is no user yet" in problem.message
    users.write_bytes(login_users.encode([ALICE]))
    (problem,) = source.read_now().problems
    assert str(problem).startswith("daemun.yaml:3:")
    assert 'no user has the group "staff"' in problem.message
    users.write_bytes(b"damaged")
    assert source.read_now().problems == ()
