"""`fleet` and `node` of daemun.yaml."""

import base64
import re

import pytest

from daemun.core import model
from daemun.core.options import fleet_option, node_option
from daemun.errors import ConfigError
from daemun.fleet import join_token
from daemun.sources import published_secrets, yaml_file
from daemun.store import fleet_key


def read(text: str) -> tuple[model.Globals, list[str]]:
    content = f"{text}\nsites: {{a.test: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(content, file_name="daemun.yaml", base_dir="/etc/daemun")
    return snapshot.globals or model.Globals(), [str(problem) for problem in snapshot.problems]


def test_fleet() -> None:
    settings, problems = read("fleet: {database: file:db.url, key: fleet.key, name: web-1}")
    assert problems == []
    assert fleet_option.OPTION.of(settings) == fleet_option.Fleet(
        database=model.Secret(file="/etc/daemun/db.url"), key="/etc/daemun/fleet.key", name="web-1"
    )
    settings, problems = read(
        "fleet: {database: {env: DB}, key: k, dns: {names: [a.test], provider: rfc2136, server: ns.test}}"
    )
    assert problems == []
    found = fleet_option.OPTION.of(settings)
    assert found is not None
    assert found.records is not None
    assert (found.records.names, found.records.made_by.provider) == (("a.test",), "rfc2136")
    assert fleet_option.OPTION.of(read("")[0]) is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("fleet: true", "expected a map such as"),
        ("fleet: {key: k}", "database"),
        ("fleet: {database: 'mysql://u:secret@h/d', key: k}", "database: expected a URL such as postgresql://"),
        ("fleet: {database: {env: DB}, key: k, name: Web 1}", '"Web 1" is no name of a machine'),
        ("fleet: {database: {env: DB}, key: k, dns: {names: [], provider: rfc2136, server: n}}", "is empty"),
        ("fleet: {database: {env: DB}, key: k, dns: {names: [a.test], provider: hook}}", "needs the program"),
        ("node: {listen: 80}", "expected a map such as"),
        ("node: {workers: 2}", "workers"),
    ],
)
def test_mistakes(text: str, cause: str) -> None:
    _, problems = read(text)
    assert any(re.search(cause, one) for one in problems), problems
    assert "secret" not in "".join(problems)


def test_what_is_the_nodes_own_goes_first() -> None:
    settings, problems = read("listen: {http: 80, https: 443}\nnode:\n  listen: {http: 8080, https: 8443}")
    assert problems == []
    assert settings.listen == model.Listen(http=(model.Address(port=8080),), https=(model.Address(port=8443),))
    assert node_option.OPTION.of(settings) is not None
    assert read("listen: {http: 81}\nnode: {}")[0].listen.http == (model.Address(port=81),)
    _, problems = read("listen: {http: 80}\nnode:\n  listen: {http: 99999}")
    assert len(problems) == 1
    assert "daemun.yaml:3:18: listen.http: port 99999" in problems[0]


def test_no_visitor_is_shown_the_key() -> None:
    text = "fleet: {database: file:db.url, key: fleet.key}\nsites: {a.test: {routes: {/: {files: /etc/daemun}}}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    found = "".join(str(one) for one in published_secrets.find_problems(snapshot, (), None))
    assert "/etc/daemun/fleet.key" in found
    assert "/etc/daemun/db.url" in found


def test_a_join_token_and_what_is_none() -> None:
    made = join_token.make("postgresql://u:p@h/d", fleet_key.make(), now_s=1000.0)
    text = join_token.encode(made)
    assert join_token.decode(f"  {text[:50]}\n{text[50:]} \n") == made
    assert made.ends_s == 4600
    assert "p@h" not in repr(made)
    nested = b"[" * 30_000
    deep = "daemun-fleet-" + base64.urlsafe_b64encode(join_token._check(nested) + nested).decode().rstrip("=")
    for wrong in (
        "",
        "x",
        text[1:],
        text[:-1],
        f"{text}A",
        text.lower(),
        text.replace("d", "e"),
        "daemun-fleet-",
        "é",
        deep,
    ):
        with pytest.raises(ConfigError, match="this is no token"):
            join_token.decode(wrong)
