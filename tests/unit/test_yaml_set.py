"""Keys are set and unset where they stand; every other byte stays, and no value becomes more than a value."""

import pathlib
import typing

import hypothesis
import pytest
from hypothesis import strategies

from daemun.errors import ConfigError
from daemun.sources import yaml_edit, yaml_holder, yaml_positions, yaml_set, yaml_value_text

OWNERS = """\
# the owner's own words
logs: {keep: 3}   # three

sites:
    a.test:   http://10.0.0.1:80   # a comment behind it
    b.test:        # short form
        /: http://html
        /ws/: "http://chat:7777/"   # chat
    c.test:
        tls:  local
        # about the routes
        routes:
            /: {to: [http://x, {url: http://y, weight: 2}], balance: least_conn}   # long
            /old: {redirect: "/new"}
            /api/:
                - {when: {method: [POST]}, to: http://writer}
                - to: http://reader
                  max_body: 1m   # small
"""


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "daemun.yaml"
    path.write_text(OWNERS)
    return path


def set_site(
    file: pathlib.Path, host: str, path: str | None = None, index: int | None = None, **changes: object
) -> str:
    route = None if path is None else yaml_set.RoutePlace(path=path, index=index)
    yaml_set.set_of_site(yaml_holder.of_path(file), host, changes, route=route)
    return file.read_text()


def value_of(file: pathlib.Path, *path: str | int) -> typing.Any:
    return yaml_positions.load(file.read_text()).get(path)


def test_options_of_sites_in_each_form(file: pathlib.Path) -> None:
    text = set_site(file, "a.test", hsts=True)
    assert (
        "    a.test:   # a comment behind it\n        hsts: true\n        routes:\n            /: http://10.0.0.1:80\n"
        in text
    )
    text = set_site(file, "b.test", robots="none", hsts={"max_age": "1d"})
    assert value_of(file, "sites", "b.test", "routes", "/ws/") == "http://chat:7777/"
    assert "# chat" in text
    text = set_site(file, "c.test", hsts={"max_age": "1d"}, tls=yaml_set.UNSET)
    assert "    c.test:\n        hsts:\n            max_age: 1d\n        # about the routes\n" in text
    assert text.startswith(OWNERS[:50])


def test_options_of_routes_in_each_form(file: pathlib.Path) -> None:
    set_site(file, "a.test", "/", timeout={"read": "30s"}, max_body=7)
    assert value_of(file, "sites", "a.test") == {
        "/": {"to": "http://10.0.0.1:80", "timeout": {"read": "30s"}, "max_body": 7}
    }
    text = set_site(file, "b.test", "/ws/", buffering=True)
    assert value_of(file, "sites", "b.test", "/ws/") == {"to": "http://chat:7777/", "buffering": True}
    assert "# chat" in text
    set_site(file, "c.test", "/", balance=yaml_set.UNSET)
    text = set_site(file, "c.test", "/api/", 1, max_body="2m")
    assert value_of(file, "sites", "c.test", "routes", "/api/", 1) == {"to": "http://reader", "max_body": "2m"}
    assert "max_body: 2m   # small" in text
    set_site(file, "c.test", "/api/", 0, to="http://10.0.0.9:1")
    assert value_of(file, "sites", "c.test", "routes", "/api/", 0, "to") == "http://10.0.0.9:1"
    set_site(file, "c.test", "/old", redirect="/other")
    assert value_of(file, "sites", "c.test", "routes", "/old") == {"redirect": "/other"}
    assert "# long" in file.read_text()


def test_keys_of_the_gate(file: pathlib.Path) -> None:
    holder = yaml_holder.of_path(file)
    yaml_set.set_of_gate(holder, {"max_header": "16k", "logs": {"keep": 5}})
    text = file.read_text()
    assert text.startswith("# the owner's own words\nlogs:   # three\n  keep: 5\n\nmax_header: 16k\nsites:\n")
    yaml_set.set_of_gate(holder, {"logs": yaml_set.UNSET, "max_header": yaml_set.UNSET})
    assert list(value_of(file)) == ["sites"]
    assert file.read_text().endswith(OWNERS[OWNERS.index("sites:") :])


def test_a_text_of_several_lines_stays_readable(file: pathlib.Path) -> None:
    snippet = 'add_header X-A "b";\n\nadd_header X-C d;\n'
    text = set_site(file, "c.test", nginx=snippet)
    assert '        nginx: |\n            add_header X-A "b";\n\n            add_header X-C d;\n' in text
    assert value_of(file, "sites", "c.test", "nginx") == snippet
    set_site(file, "c.test", nginx="add_header X-E f;")
    assert value_of(file, "sites", "c.test", "nginx") == "add_header X-E f;"


@pytest.mark.parametrize(
    "hostile",
    [
        "x\n    evil.test: http://169.254.169.254",
        'x"}\nsites: {evil.test: http://e}',
        "x # comment",
        "&a *a",
        "*a",
        "!!python/object:os.system",
        "<<",
        "- a\n- b",
        "{a: b}",
        "a: b",
        "true",
        "1e3",
        "~",
        "\u2028next",
        "back\\slash",
        "\ttab ",
        "\x7f",
        "é✓😀",
        "",
    ],
)
def test_no_value_becomes_more_than_a_value(file: pathlib.Path, hostile: str) -> None:
    """It is written as it is, or refused by the option's own rule."""
    before = typing.cast(dict[str, typing.Any], yaml_positions.load(OWNERS).value)
    try:
        set_site(file, "c.test", response_headers={"X-Own": hostile})
    except ConfigError as refused:
        assert "response_headers" in str(refused)
        assert file.read_text() == OWNERS
        return
    after = typing.cast(dict[str, typing.Any], yaml_positions.load(file.read_text()).value)
    headers = after["sites"]["c.test"].pop("response_headers")
    assert (headers, after) == ({"X-Own": hostile}, before)


@hypothesis.given(
    value=strategies.recursive(
        strategies.none()
        | strategies.booleans()
        | strategies.integers(-(10**20), 10**20)
        | strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=20),
        lambda inner: (
            strategies.lists(inner, max_size=3)
            | strategies.dictionaries(
                strategies.text(strategies.characters(categories=["L", "N", "P"]), min_size=1, max_size=8),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    )
)
def test_any_value_reads_as_itself(value: object) -> None:
    hypothesis.assume("$" not in repr(value))  # variables of the environment are put in
    assert yaml_value_text.read(value) == value


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (float("nan"), "no number"),
        (10**60, "no number"),
        ("\ud800", "surrogate"),
        ({"": 1}, "cannot be a key"),
        ({"a\nb": 1}, "cannot be a key"),
        ([[[[[[[[[[[[[[1]]]]]]]]]]]]]], "nested deeper"),
    ],
)
def test_what_cannot_stand_in_yaml_is_refused(file: pathlib.Path, value: object, cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        set_site(file, "c.test", response_headers=value)
    assert file.read_text() == OWNERS


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"hst": True}, 'there is no key "hst" here; did you mean "hsts"?'),
        ({"routes": {}}, 'there is no key "routes"'),
        ({"hsts": "perhaps"}, "hsts"),
        ({}, "no key is given"),
    ],
)
def test_what_is_wrong_is_refused_and_the_file_stays(
    file: pathlib.Path, changes: dict[str, object], cause: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        yaml_set.set_of_site(yaml_holder.of_path(file), "c.test", changes)
    assert cause in str(refused.value)
    with pytest.raises(ConfigError, match="no such route"):
        set_site(file, "c.test", "/nowhere", max_body=1)
    with pytest.raises(ConfigError, match="no such site"):
        set_site(file, "z.test", hsts=True)
    assert file.read_text() == OWNERS


def test_what_is_shared_by_an_alias_is_left_to_a_person(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("x-a: &a {to: http://x, max_body: 1m}\nsites:\n  a.test: {/: *a}\n  b.test: {/: *a}\n")
    before = path.read_text()
    with pytest.raises(ConfigError, match="aliases"):
        set_site(path, "a.test", "/", max_body="2m")
    assert path.read_text() == before


def test_a_wrong_setting_of_the_gate_can_be_corrected(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("max_header: [1]\nsites: {a.test: http://x}\n")
    yaml_set.set_of_gate(yaml_holder.of_path(path), {"max_header": "16k"})
    assert path.read_text() == "max_header: 16k\nsites: {a.test: http://x}\n"
    yaml_edit.set_enabled(path, "a.test", enabled=False)


# --- over containers ---------------------------------------------------------------------------------------------


def test_a_site_over_containers_from_its_first_key_to_its_last(file: pathlib.Path) -> None:
    yaml_edit.lay_over_containers(yaml_holder.of_path(file), "chat.test")
    assert file.read_text() == f"{OWNERS}    chat.test:\n        from: docker\n"
    set_site(file, "chat.test", hsts=True)
    text = set_site(file, "chat.test", "/admin/", timeout="5m", access={"allow": ["private"]})
    assert value_of(file, "sites", "chat.test") == {
        "hsts": True,
        "from": "docker",
        "routes": {"/admin/": {"timeout": "5m", "access": {"allow": ["private"]}}},
    }
    assert text.startswith(OWNERS)
    set_site(file, "chat.test", "/ws/", max_body="1m")
    set_site(file, "chat.test", "/admin/", timeout=yaml_set.UNSET, access=yaml_set.UNSET)
    assert value_of(file, "sites", "chat.test", "routes") == {"/ws/": {"max_body": "1m"}}
    yaml_edit.remove_route(file, "chat.test", "/ws/")
    assert value_of(file, "sites", "chat.test") == {"hsts": True, "from": "docker"}
    assert set_site(file, "chat.test", "/ws/", max_body=yaml_set.UNSET) == file.read_text()
    yaml_edit.add_route(file, "chat.test", "http://127.0.0.1:9", route_path="/own/")
    assert value_of(file, "sites", "chat.test", "routes") == {"/own/": "http://127.0.0.1:9"}


def test_only_over_containers_a_route_needs_no_target(file: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="there is no such route"):
        set_site(file, "c.test", "/new/", max_body="1m")
    yaml_edit.lay_over_containers(yaml_holder.of_path(file), "c.test")
    assert file.read_text() == OWNERS
