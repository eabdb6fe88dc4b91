"""`access: {basic_auth: ...}`: what may be written, what is refused, htpasswd files, and which policies come of it."""

import dataclasses
import pathlib
import typing

import pytest

from daemun.core import model
from daemun.core.access import basic_auth_policies
from daemun.core.options import access_option, basic_auth_form, catalogue
from daemun.core.options.access_option import Access
from daemun.core.options.basic_auth_form import BasicAuth
from daemun.core.rounds import merge
from daemun.sources import yaml_file
from daemun.sources.docker import label_options
from tests.support.sites import route, site

BCRYPT = "$2y$05$7Xb16TQCqci0ggvZM38VsOL0zTfxPbBo9iLKdT3O49QxPld89o/Qq"
ARGON2 = "$argon2id$v=19$m=256,t=1,p=1$tHZuba21ltJaaw2BMGYMgQ$equ8p5Z2XOWun06kWRpeXry32a49RloRjOwqPF0bsiE"
APR1 = "$apr1$saltsalt$HIDXe7D36X22w1CH4M1cQ."


def read(basic_auth: str) -> tuple[BasicAuth | None, list[model.Problem]]:
    text = f"sites:\n  a.test:\n    access:\n      basic_auth: {basic_auth}\n    routes: {{/: http://127.0.0.1:1}}\n"
    snapshot = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")
    access = access_option.OPTION.of(snapshot.sites[0]) if snapshot.sites else None
    return access.basic_auth if access is not None else None, list(snapshot.problems)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (f"{{users: {{alice: {BCRYPT!r}}}}}", BasicAuth(users=(("alice", BCRYPT),))),
        (f"{{users: {{앨리스: {ARGON2!r}, b: {APR1!r}}}}}", BasicAuth(users=(("앨리스", ARGON2), ("b", APR1)))),
        (f"{{users: ['alice:{BCRYPT}']}}", BasicAuth(users=(("alice", BCRYPT),))),
        (f'{{users: ["zoe\\u0308:{BCRYPT}"]}}', BasicAuth(users=(("zo\u00eb", BCRYPT),))),
        (f"'alice:{ARGON2},bob:{BCRYPT}'", BasicAuth(users=(("alice", ARGON2), ("bob", BCRYPT)))),
        ("{file: ./htpasswd, realm: 'Our \"house\"'}", BasicAuth(file="/etc/daemun/htpasswd", realm='Our "house"')),
        ("{file: /etc/nginx/.htpasswd}", BasicAuth(file="/etc/nginx/.htpasswd")),
    ],
)
def test_what_may_be_written(written: str, meant: BasicAuth) -> None:
    assert read(written) == (meant, [])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "is empty"),
        ("null", "is empty"),
        ("{}", "has no users"),
        ("true", "a map with `users` or `file`"),
        ("./htpasswd", "write {file: ./htpasswd}"),
        ("{users: {}}", "has no users"),
        ("{users: {alice: hunter22}}", "is no hashed password"),
        ("{users: {alice: '$2y$05$short'}}", "is no complete hash"),
        ("{users: {alice: '{PLAIN}hunter22'}}", "is no complete hash"),
        ("{users: {alice: 1234}}", "hashed passwords"),
        ("{users: {alice: }}", "hashed passwords"),
        ("{users: alice}", "hashed passwords"),
        (f"{{users: {{'a:b': {BCRYPT!r}}}}}", "has a colon"),
        (f"{{users: ['a:{BCRYPT}', 'a:{BCRYPT}']}}", "is there twice"),
        (f'{{users: {{a: {BCRYPT!r}}}, realm: "a\\nb"}}', "realm"),
        (f"{{user: {{a: {BCRYPT!r}}}}}", 'did you mean "users"?'),
    ],
)
def test_what_is_refused(written: str, said: str) -> None:
    _, problems = read(written)
    assert any(said in one.message for one in problems), problems
    assert not any("hunter22" in one.message for one in problems)
    assert problems[0].origin.place.startswith(("daemun.yaml:3:", "daemun.yaml:4:"))
    assert all(one.severity is model.Severity.ERROR for one in problems)


def test_a_wrong_hash_is_found_at_its_line() -> None:
    text = (
        "sites:\n  a.test:\n    access:\n      basic_auth:\n        users:\n"
        f"          alice: {BCRYPT!r}\n          bob: hunter22\n    routes: {{/: http://127.0.0.1:1}}\n"
    )
    (problem,) = yaml_file.parse(text, file_name="daemun.yaml", base_dir="/").problems
    assert problem.origin.place == "daemun.yaml:7:16"
    assert "access.basic_auth.users.bob" in problem.message


def test_a_label_holds_users_and_no_file() -> None:
    given = label_options.read_route({"access": {"basic_auth": f"alice:{ARGON2},bob:{BCRYPT}"}})
    access = typing.cast(Access, given.given(catalogue.BY_NAME)["access"])
    assert access.basic_auth == BasicAuth(users=(("alice", ARGON2), ("bob", BCRYPT)))
    with pytest.raises(label_options.OptionError):
        label_options.read_route({"access": {"basic_auth": "/etc/shadow"}})


def test_a_label_adds_to_what_the_file_demands() -> None:
    basic = BasicAuth(users=(("alice", BCRYPT),))
    private = Access(allow=("private",))
    assert access_option.tighten(private, Access(basic_auth=basic)) == Access(allow=("private",), basic_auth=basic)
    assert access_option.tighten(Access(basic_auth=basic), private) == Access(allow=("private",), basic_auth=basic)
    with pytest.raises(ValueError, match="basic_auth"):
        access_option.tighten(Access(basic_auth=basic), Access(basic_auth=basic))


# --- htpasswd files --------------------------------------------------------------------------------------------


def test_lines_of_a_file() -> None:
    content = f"# ours\n\nalice:{BCRYPT}\r\nbob:{APR1}:a remark\n  carol:{ARGON2}  \n".encode()
    found = basic_auth_form.parse_htpasswd(b"\xef\xbb\xbf" + content)
    assert found.users == (("alice", BCRYPT), ("bob", APR1), ("carol", ARGON2))
    assert not found.faults


def test_wrong_lines_let_nobody_in_and_keep_nobody_out() -> None:
    lines = [
        b"alice:" + BCRYPT.encode(),
        b"hunter22",
        b"bob:hunter22",
        b"d\xffve:" + BCRYPT.encode(),
        b":" + BCRYPT.encode(),
        b"alice:" + APR1.encode(),
        b"eve\0:" + BCRYPT.encode(),
    ]
    found = basic_auth_form.parse_htpasswd(b"\n".join(lines))
    assert found.users == (("alice", BCRYPT),)
    assert [line for line, _ in found.faults] == [2, 3, 4, 5, 6, 7]
    assert "hunter22" not in str(found.faults)


def test_the_file_stands_behind_what_is_written() -> None:
    value = BasicAuth(users=(("alice", BCRYPT),), file="/f")
    both = basic_auth_form.with_file(value, lambda _: f"alice:{APR1}\nbob:{APR1}\n".encode())
    assert both.known_users == (("alice", BCRYPT), ("bob", APR1))
    again = basic_auth_form.with_file(both, lambda _: f"eve:{APR1}\n".encode())
    assert again.known_users == (("alice", BCRYPT), ("eve", APR1))
    assert basic_auth_form.with_file(again, lambda _: None).known_users == value.users


def test_a_file_beside_daemun_yaml(tmp_path: pathlib.Path) -> None:
    config, htpasswd = tmp_path / "daemun.yaml", tmp_path / "htpasswd"
    htpasswd.write_text(f"alice:{BCRYPT}\n")
    config.write_text(
        "access: {basic_auth: {file: ./htpasswd}}\nsites:\n  a.test:\n"
        "    /: {to: http://127.0.0.1:1, access: {basic_auth: {file: ./htpasswd}}}\n"
    )
    snapshot = yaml_file.read_snapshot(config)
    assert snapshot.globals is not None
    holders = (snapshot.globals, snapshot.sites[0].routes[0])
    found = [access_option.OPTION.of(holder) for holder in holders]
    assert [one.basic_auth.known_users for one in found if one and one.basic_auth] == [(("alice", BCRYPT),)] * 2


@pytest.mark.parametrize("content", [None, "bob:hunter22\n"])
def test_a_file_that_cannot_be_used_is_told_and_lets_nobody_in(tmp_path: pathlib.Path, content: str | None) -> None:
    config = tmp_path / "daemun.yaml"
    config.write_text(
        "sites:\n  a.test:\n    access: {basic_auth: {file: ./htpasswd}}\n    routes: {/: http://127.0.0.1:1}\n"
    )
    if content is not None:
        (tmp_path / "htpasswd").write_text(content)
    with pytest.raises(yaml_file.InvalidFileError) as raised:
        yaml_file.read_snapshot(config)
    (problem,) = raised.value.problems
    assert problem.file == str(tmp_path / "htpasswd")
    assert problem.origin.place.startswith("daemun.yaml:3:")
    assert "hunter22" not in problem.message
    assert raised.value.good is not None
    (one,) = raised.value.good.sites
    access = access_option.OPTION.of(one)
    assert access is not None
    assert access.basic_auth is not None
    assert access.basic_auth.users == ()


def test_a_folder_with_the_file_is_not_published(tmp_path: pathlib.Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "htpasswd").write_text(f"alice:{BCRYPT}\n")
    config = tmp_path / "daemun.yaml"
    config.write_text(
        "sites:\n  a.test:\n    access: {basic_auth: {file: public/htpasswd}}\n    routes: {/: {files: ./public}}\n"
    )
    with pytest.raises(yaml_file.InvalidFileError, match="which has passwords"):
        yaml_file.read_snapshot(config)


# --- policies --------------------------------------------------------------------------------------------------


def test_each_place_has_a_policy_of_its_own() -> None:
    basic = BasicAuth(users=(("bob", BCRYPT), ("alice", APR1)), realm="R")
    options = catalogue.values(access_option.OPTION.set(Access(basic_auth=basic)))
    one = site("a.test", route("/", "http://127.0.0.1:1"), route("/b/", "http://127.0.0.1:1", options=options))
    other = dataclasses.replace(one, host="b.test", options=options)
    off = dataclasses.replace(other, host="c.test", enabled=False)
    desired = merge.merge_snapshots(
        [model.Snapshot(source="file", globals=model.Globals(options=options), sites=(one, other, off))]
    )
    found = basic_auth_policies.find_policies(desired)
    assert len({policy.name for policy in found}) == len(found) == 4
    assert found[0].name == "gate"
    assert {policy.users for policy in found} == {(("alice", APR1), ("bob", BCRYPT))}
    assert {policy.realm for policy in found} == {"R"}
