"""Edits say exactly what was asked and leave every other byte of the file alone."""

import collections.abc
import difflib
import os
import pathlib
import re
import shlex

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.errors import ConfigError, EnvironmentProblemError
from daemun.sources import edited_file, yaml_edit, yaml_excerpt, yaml_file

Edit = collections.abc.Callable[[pathlib.Path], bytes | None]

OWNERS = """\
# the owner's own words
listen: { http: 80,   https: 443 }   # two spaces too many

sites:
    # the first one
    a.test:   http://10.0.0.1:80   # a comment behind it

    b.test:        # short form
        /: http://html
        # a comment between
        /ws/: "http://chat:7777/"

    c.test:
        tls:  local
        routes:
            /: {to: [http://x, {url: http://y, weight: 2}], balance: least_conn}   # long
            /old: {redirect: "/new"}
        nginx: |
            add_header X-A "b";

            add_header X-C d;


    # the last one
    'd.test': {/: http://z, "/y": http://y}
logs: {keep: 3}
# the end
"""


def add(host: str, target: str, path: str = "/") -> Edit:
    return lambda file: yaml_edit.add_route(file, host, target, route_path=path)


def remove(host: str, path: str | None = None) -> Edit:
    if path is None:
        return lambda file: yaml_edit.remove_site(file, host)
    return lambda file: yaml_edit.remove_route(file, host, path)


def switch(host: str, *, enabled: bool) -> Edit:
    return lambda file: yaml_edit.set_enabled(file, host, enabled=enabled)


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "daemun.yaml"
    path.write_text(OWNERS)
    return path


def changed(file: pathlib.Path, before: str) -> list[str]:
    """The lines that differ, "-" for old ones and "+" for new ones."""
    lines = difflib.ndiff(before.splitlines(), file.read_text().splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (add("n.test", "http://n"), ["+     n.test: http://n"]),
        (add("n.test", "http://n", "/p/"), ["+     n.test:", "+         /p/: http://n"]),
        (add("*.n.test", "http://n"), ['+     "*.n.test": http://n']),
        (add("[::1]", "http://unix:/run/n.sock:/x"), ['+     "[::1]": http://unix:/run/n.sock:/x']),
        (
            add("a.test", "http://n", "/p/"),
            [
                "-     a.test:   http://10.0.0.1:80   # a comment behind it",
                "+     a.test:   # a comment behind it",
                "+         /: http://10.0.0.1:80",
                "+         /p/: http://n",
            ],
        ),
        (add("b.test", "http://n", "/a b/"), ['+         "/a b/": http://n']),
        (add("c.test", "http://n", "/p/"), ["+             /p/: http://n"]),
        (
            add("d.test", "http://n", "/p/"),
            [
                "-     'd.test': {/: http://z, \"/y\": http://y}",
                "+     'd.test': {/: http://z, \"/y\": http://y, /p/: http://n}",
            ],
        ),
        (remove("a.test"), ["-     a.test:   http://10.0.0.1:80   # a comment behind it"]),
        (remove("b.test", "/ws/"), ['-         /ws/: "http://chat:7777/"']),
        (remove("c.test", "/old"), ['-             /old: {redirect: "/new"}']),
        (
            remove("d.test", "/"),
            ["-     'd.test': {/: http://z, \"/y\": http://y}", "+     'd.test': {\"/y\": http://y}"],
        ),
        (
            remove("d.test", "/y"),
            ["-     'd.test': {/: http://z, \"/y\": http://y}", "+     'd.test': {/: http://z}"],
        ),
        (remove("D.TEST"), ["-     'd.test': {/: http://z, \"/y\": http://y}"]),
        (
            switch("a.test", enabled=False),
            [
                "-     a.test:   http://10.0.0.1:80   # a comment behind it",
                "+     a.test:   # a comment behind it",
                "+         enabled: false",
                "+         routes:",
                "+             /: http://10.0.0.1:80",
            ],
        ),
        (
            switch("b.test", enabled=False),
            [
                "-         /: http://html",
                "-         # a comment between",
                '-         /ws/: "http://chat:7777/"',
                "+         enabled: false",
                "+         routes:",
                "+             /: http://html",
                "+             # a comment between",
                '+             /ws/: "http://chat:7777/"',
            ],
        ),
        (switch("c.test", enabled=False), ["+         enabled: false"]),
        (
            switch("d.test", enabled=False),
            [
                "-     'd.test': {/: http://z, \"/y\": http://y}",
                "+     'd.test': {enabled: false, routes: {/: http://z, \"/y\": http://y}}",
            ],
        ),
        (switch("c.test", enabled=True), []),
        (add("a.test", "http://10.0.0.1:80"), []),
    ],
)
def test_an_edit_changes_its_own_lines_only(file: pathlib.Path, edit: Edit, lines: list[str]) -> None:
    assert edit(file) == OWNERS.encode(), "what it held before"
    assert sorted(changed(file, OWNERS)) == sorted(lines)
    assert not _errors(file)


def test_a_site_with_raw_nginx_goes_as_a_whole(file: pathlib.Path) -> None:
    yaml_edit.remove_site(file, "c.test")
    start, last = OWNERS.index("    c.test:"), "add_header X-C d;\n"
    assert file.read_text() == OWNERS[:start] + OWNERS[OWNERS.index(last) + len(last) :]


@pytest.mark.parametrize(
    "edits",
    [
        (add("n.test", "http://n"), remove("n.test")),
        (add("n.test", "http://n"), add("n.test", "http://m", "/p/"), remove("n.test", "/p/"), remove("n.test")),
        (add("c.test", "http://n", "/p/"), remove("c.test", "/p/")),
        (add("d.test", "http://n", "/p/"), remove("d.test", "/p/")),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        OWNERS,
        OWNERS.replace("\n", "\r\n"),
        OWNERS.removesuffix("logs: {keep: 3}\n# the end\n").rstrip("\n"),
        "\ufeff" + OWNERS,
    ],
    ids=["lf", "crlf", "no line break at the end", "byte order mark"],
)
def test_there_and_back_again(file: pathlib.Path, edits: tuple[Edit, ...], text: str) -> None:
    file.write_bytes(text.encode())
    for edit in edits:
        edit(file)
        assert not _errors(file)
    assert file.read_bytes() == text.encode()


def test_switching_off_and_on_again_keeps_the_site(file: pathlib.Path) -> None:
    before = yaml_file.read_snapshot(file).sites
    for host in ("a.test", "b.test", "c.test", "d.test"):
        yaml_edit.set_enabled(file, host, enabled=False)
    assert not any(site.enabled for site in yaml_file.read_snapshot(file).sites)
    for host in ("a.test", "b.test", "c.test", "d.test"):
        yaml_edit.set_enabled(file, host, enabled=True)
    after = yaml_file.read_snapshot(file).sites
    assert [(site.host, site.enabled, len(site.routes)) for site in after] == [
        (site.host, True, len(site.routes)) for site in before
    ]
    assert "# a comment between" in file.read_text()


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        ("", add("a.test", "http://a"), "sites:\n  a.test: http://a\n"),
        ("# mine\n", add("a.test", "http://a"), "# mine\nsites:\n  a.test: http://a\n"),
        ("workers: 2", add("a.test", "http://a"), "workers: 2\nsites:\n  a.test: http://a\n"),
        (
            "sites: {}  # none\nworkers: 2\n",
            add("a.test", "http://a"),
            "sites:  # none\n  a.test: http://a\nworkers: 2\n",
        ),
        ("sites:\n  a.test: http://a\n", remove("a.test"), "sites: {}\n"),
        ("sites: {a.test: http://a}\n", remove("a.test"), "sites: {}\n"),
        ("sites: {a.test: http://a}\n", add("b.test", "http://b"), "sites: {a.test: http://a, b.test: http://b}\n"),
        (
            "sites: {a.test: http://a}\n",
            add("a.test", "http://b", "/b"),
            "sites: {a.test: {/: http://a, /b: http://b}}\n",
        ),
        (
            "sites: {a.test: http://a}\n",
            switch("a.test", enabled=False),
            "sites: {a.test: {enabled: false, routes: {/: http://a}}}\n",
        ),
        (
            "sites:\n  a.test:\n    routes: {/: http://a}\n    enabled: no  # later\n".replace("no ", "false "),
            switch("a.test", enabled=True),
            "sites:\n  a.test:\n    routes: {/: http://a}\n    enabled: true  # later\n",
        ),
        (
            "sites:\n  a.test:\n    /:\n      to: http://a\n      nginx: |\n        a b;\n\n        c d;\n\n# end\n",
            switch("a.test", enabled=False),
            "sites:\n  a.test:\n    enabled: false\n    routes:\n      /:\n        to: http://a\n        nginx: |\n"
            "          a b;\n\n          c d;\n\n# end\n",
        ),
    ],
)
def test_small_files(file: pathlib.Path, text: str, edit: Edit, expected: str) -> None:
    file.write_text(text)
    edit(file)
    assert file.read_text() == expected


def test_the_file_is_made_when_it_is_missing(file: pathlib.Path) -> None:
    file.unlink()
    assert yaml_edit.add_route(file, "a.test", "http://a") is None
    assert file.read_text() == "sites:\n  a.test: http://a\n"
    edited_file.restore(file, None)
    assert not file.exists()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (add("n.test", "ftp://n"), 'cannot add "n.test": target "ftp://n" has the unknown scheme "ftp"'),
        (add("n.test", "http://n:99999"), 'the port "99999"'),
        (add("n..test", "http://n"), 'host "n..test" is not a host name'),
        (add("한국..test", "http://n"), "is not a host name"),
        (add("n.test", "http://n", "p"), 'path "p" must start with "/"; write "/p"'),
        (
            add("a.test", "http://other"),
            'it already has a route "/"; remove that one first: `daemun rm a.test`',
        ),
        (add("b.test", "http://other", "/ws/"), "remove that one first: `daemun rm b.test --path /ws/`"),
        (remove("a.tst"), 'cannot remove "a.tst": there is no such site in daemun.yaml; did you mean "a.test"?'),
        (remove("b.test", "/wss/"), 'there is no such route, only "/" and "/ws/"; did you mean "/ws/"?'),
        (remove("a.test", "/"), "it is the only one; remove the whole site instead: `daemun rm a.test`"),
        (switch("x.test", enabled=True), 'cannot enable "x.test"'),
        (switch("x.test", enabled=False), 'cannot disable "x.test"'),
    ],
)
def test_what_is_refused_leaves_the_file_alone(file: pathlib.Path, edit: Edit, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        edit(file)
    assert words in str(caught.value)
    assert file.read_text() == OWNERS
    assert [path.name for path in file.parent.iterdir()] == ["daemun.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "sites:\n  a.test: &t\n    /: http://a\n  b.test: *t\n",
        "sites:\n  b.test: &t {tls: local, routes: {/: http://a}}\n  a.test: {<<: *t}\n",
        "sites: &s\n  a.test: http://a\n<<: {workers: 2}\n",
        "? sites\n: ? a.test\n  : http://a\n",
        "{sites: {a.test: http://a}}\n",
        "sites:\n  a.test: !!str http://a\n",
    ],
)
def test_unusual_yaml_is_changed_rightly_or_not_at_all(file: pathlib.Path, text: str) -> None:
    edits = (
        add("a.test", "http://n", "/n"),
        add("n.test", "http://n"),
        switch("a.test", enabled=False),
        remove("a.test"),
    )
    for edit in edits:
        file.write_text(text)
        before = {site.host: site.routes for site in yaml_file.read_snapshot(file).sites}
        try:
            edit(file)
        except ConfigError as error:
            assert "by hand" in str(error)
            assert file.read_text() == text
        else:
            after = {site.host: site.routes for site in yaml_file.read_snapshot(file).sites}
            assert {host for host in before if host != "a.test"} <= set(after)


WRONG = {
    "a scheme": "    wrong.test: ftp://x   # later\n",
    "an option": "    wrong.test:\n        acess: {allow: [private]}\n        routes: {/: http://a, /b: http://b}\n",
    "a value of a route": "    wrong.test:\n        /: {to: http://a, timeout: never}\n        /b: http://b\n",
    "paths beside options": "    wrong.test:\n        tls: local\n        /: http://a\n",
    "a variable": "    wrong.test: http://${NAME}:80\n",
    "a key twice": "    wrong.test:\n        /: http://a\n        /: http://b\n",
    "a tag": "    wrong.test: !mine http://a\n",
    "nothing": "    wrong.test:\n",
    "a list": "    wrong.test: [http://a, http://b]\n",
    "no host name": "    wrong..test: http://a\n",
    "no name of any script": "    한국..test: http://a\n",
    "a name of another site": "    wrong.test: {aliases: [a.test], routes: {/: http://a}}\n",
}


CANNOT_BE_OFF = {"nothing", "a list", "a tag", "a name of another site", "no host name"}
"""By a command: there is no place for `enabled: false`, or the mistake concerns other sites."""


@pytest.fixture(params=["short", "long"])
def wrong_file(file: pathlib.Path, request: pytest.FixtureRequest) -> pathlib.Path:
    file.write_text(OWNERS if request.param == "short" else LONG)
    return file


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_site_keeps_no_other_from_being_edited(wrong_file: pathlib.Path, kind: str) -> None:
    """And is removed as any other."""
    good = wrong_file.read_text()
    bad = good.replace("    c.test:", f"{WRONG[kind]}    c.test:")
    wrong_file.write_text(bad)
    assert _errors(wrong_file)
    for edit, back in (
        (add("n.test", "http://n"), remove("n.test")),
        (add("b.test", "http://n", "/n"), remove("b.test", "/n")),
    ):
        assert edit(wrong_file) == bad.encode()
        assert WRONG[kind] in wrong_file.read_text()
        back(wrong_file)
        assert wrong_file.read_text() == bad
    switch("c.test", enabled=False)(wrong_file)
    remove("b.test")(wrong_file)
    wrong_file.write_text(bad)
    remove(WRONG[kind].split(":")[0].strip())(wrong_file)
    assert wrong_file.read_text() == good


@pytest.mark.parametrize(
    "kind", sorted(WRONG.keys() - {"nothing", "a list", "a tag", "a name of another site", "no host name"})
)
def test_a_wrong_site_can_be_switched_off_which_ends_its_mistake(wrong_file: pathlib.Path, kind: str) -> None:
    host = WRONG[kind].split(":")[0].strip()
    wrong_file.write_text(wrong_file.read_text().replace("    c.test:", f"{WRONG[kind]}    c.test:"))
    switch(host, enabled=False)(wrong_file)
    assert not _errors(wrong_file)
    snapshot = yaml_file.parse(wrong_file.read_bytes(), file_name=wrong_file.name, base_dir=wrong_file.parent)
    assert any(problem.host is not None for problem in snapshot.problems), "it is still told"
    assert [site.enabled for site in snapshot.sites if site.host == host] == [False]
    with pytest.raises(ConfigError, match="cannot enable"):
        switch(host, enabled=True)(wrong_file)


def test_a_route_can_be_taken_out_of_a_wrong_site_and_none_added(file: pathlib.Path) -> None:
    file.write_text("sites:\n  a.test:\n    /: http://a\n    /b: ftp://b\n  c.test: ftp://c\n")
    with pytest.raises(ConfigError, match=r'cannot add "a.test": daemun.yaml:4:9: .*correct that first'):
        add("a.test", "http://n", "/n")(file)
    remove("a.test", "/b")(file)
    assert file.read_text() == "sites:\n  a.test:\n    /: http://a\n  c.test: ftp://c\n"
    with pytest.raises(ConfigError, match='there is no such route, only "/"'):
        remove("c.test", "/b")(file)


def test_an_edit_brings_no_mistake(file: pathlib.Path) -> None:
    file.write_text("default: {site: a.test}\nsites:\n  a.test: http://a\n  b.test: ftp://b\n")
    with pytest.raises(ConfigError, match=r'default.*"a.test" is not a site'):
        remove("a.test")(file)
    file.write_text("sites:\n  a.test: {aliases: [n.test], routes: {/: http://a}}\n  b.test: ftp://b\n")
    with pytest.raises(ConfigError, match=r'"n.test" already belongs to site "a.test"'):
        add("n.test", "http://n")(file)


def test_a_site_that_is_there_twice_is_for_a_person(file: pathlib.Path) -> None:
    text = "sites:\n  A.test: http://a\n  a.test: http://b\n  b.test: http://b\n"
    file.write_text(text)
    for edit in (remove("a.test"), switch("a.test", enabled=False), add("a.test", "http://n", "/n")):
        with pytest.raises(ConfigError, match="it is there twice; edit"):
            edit(file)
    remove("b.test")(file)
    assert file.read_text() == text.replace("  b.test: http://b\n", "")


def test_a_file_that_is_wrong_as_a_whole_is_not_edited(file: pathlib.Path) -> None:
    for text, place in (("sites: [\n", "2:1"), ("workerss: 3\nsites: {a.test: ftp://a}\n", "1:1")):
        file.write_text(text)
        with pytest.raises(yaml_file.InvalidFileError, match=rf"daemun\.yaml:{place}"):
            yaml_edit.add_route(file, "b.test", "http://b")
        assert file.read_text() == text
    file.write_bytes(b"\x00\xff")
    with pytest.raises(ConfigError, match="is not text"):
        yaml_edit.add_route(file, "b.test", "http://b")


def test_a_star_at_the_end_is_the_prefix(file: pathlib.Path) -> None:
    """G1: as in the file."""
    file.write_text("sites: {a.test: {/: http://a}}\n")
    add("a.test", "http://b", "/api/*")(file)
    assert [route.path for route in read(file).sites[0].routes] == ["/", "/api/"]
    before = file.read_bytes()
    assert add("a.test", "http://b", "/api/")(file) == before
    remove("a.test", "/api/*")(file)
    assert [route.path for route in read(file).sites[0].routes] == ["/"]

    file.write_text("sites:\n  a.test:\n    /: http://a\n    /api/*: http://b\n")
    remove("a.test", "/api/")(file)
    assert file.read_text() == "sites:\n  a.test:\n    /: http://a\n"


def read(file: pathlib.Path) -> model.Snapshot:
    return yaml_file.parse(file.read_text(), file_name="daemun.yaml", base_dir=str(file.parent))


def test_mode_and_link_stay(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "d.yaml", tmp_path / "daemun.yaml"
    real.write_text("sites: {}\n")
    real.chmod(0o640)
    link.symlink_to("real/d.yaml")
    yaml_edit.add_route(link, "a.test", "http://a")
    assert link.is_symlink()
    assert real.stat().st_mode & 0o7777 == 0o640
    assert "a.test" in real.read_text()
    assert [path.name for path in real.parent.iterdir()] == ["d.yaml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_stays(file: pathlib.Path) -> None:
    os.chown(file, 1234, 2345)
    yaml_edit.remove_site(file, "a.test")
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 2345)


def test_a_folder_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EnvironmentProblemError, match="no such file or directory"):
        yaml_edit.add_route(tmp_path / "nowhere" / "daemun.yaml", "a.test", "http://a")


def test_restore(file: pathlib.Path) -> None:
    before = yaml_edit.remove_site(file, "a.test")
    edited_file.restore(file, before)
    assert file.read_text() == OWNERS


HOSTS = ("a.test", "b.test", "c.test", "d.test", "n.test", "[::1]")
PATHS = ("/", "/ws/", "/a b", "/y")
EDITS = (
    strategies.builds(add, strategies.sampled_from(HOSTS), strategies.just("http://n"), strategies.sampled_from(PATHS))
    | strategies.builds(remove, strategies.sampled_from(HOSTS), strategies.none() | strategies.sampled_from(PATHS))
    | strategies.builds(switch, strategies.sampled_from(HOSTS), enabled=strategies.booleans())
)


@hypothesis.settings(
    max_examples=40, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None
)
@hypothesis.given(edits=strategies.lists(EDITS, max_size=8))
def test_any_edits_in_a_row_keep_the_comments_and_a_good_file(file: pathlib.Path, edits: list[Edit]) -> None:
    file.write_text(OWNERS)
    for edit in edits:
        try:
            edit(file)
        except ConfigError as error:
            assert "by hand" not in str(error), "an edit of an ordinary file always has a way"
    assert not _errors(file)
    text = file.read_text()
    for comment in (
        "# the owner's own words\nlisten: { http: 80,   https: 443 }   # two",
        "# the first one",
        "# the end",
    ):
        assert comment in text


PLAIN = "".join(f"    p{number}.test: http://10.0.0.1:{number}\n" for number in range(1, 201))
SITES = "".join(f"    q{number}.test:\n        /: http://q\n        # of q\n" for number in range(1, 101))
LONG = OWNERS.replace("    c.test:", f"{PLAIN}    c.test:").replace("    # the last one", f"{SITES}    # the last one")


@hypothesis.settings(
    max_examples=8, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None
)
@hypothesis.given(
    edits=strategies.lists(
        EDITS
        | strategies.sampled_from(
            [
                remove("p7.test"),
                remove("q1.test"),
                add("P9.test.", "http://n", "/new/"),
                switch("q3.test", enabled=False),
            ]
        ),
        max_size=4,
    )
)
def test_an_excerpt_of_a_long_file_is_edited_as_the_whole_would_be(file: pathlib.Path, edits: list[Edit]) -> None:
    """O2: both ways give the same bytes, or the same refusal."""
    file.write_text(LONG)
    for edit in edits:
        before = file.read_bytes()
        by_excerpt = _outcome(edit, file)
        file.write_bytes(before)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(yaml_excerpt, "FEW_LINES", 1 << 30)
            assert _outcome(edit, file) == by_excerpt


def test_an_excerpt_leaves_out_what_is_plain() -> None:
    found = yaml_excerpt.make(LONG, lambda key: key == "p100.test")
    assert found is not None
    assert len(found.text.splitlines()) < 60
    assert "p100.test" in found.text
    assert "p99.test" not in found.text
    assert found.complete(found.text) == LONG


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("p9.test: http", "p9.test: &a http"),
        lambda text: text.replace("p9.test", "\tp9.test"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: f"---\n{text}---\n{text}",
    ],
)
def test_a_long_file_of_another_form_is_read_whole(change: collections.abc.Callable[[str], str]) -> None:
    found = yaml_excerpt.make(change(LONG), lambda key: False)
    assert found is None or "p9.test" in found.text


def _outcome(edit: Edit, file: pathlib.Path) -> object:
    try:
        edit(file)
    except ConfigError as error:
        return str(error)
    return file.read_bytes()


def _errors(file: pathlib.Path) -> list[str]:
    snapshot = yaml_file.parse(file.read_bytes(), file_name=file.name, base_dir=file.parent)
    return [str(problem) for problem in snapshot.problems if problem.severity is model.Severity.ERROR]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://127.0.0.1:3000/x", "http://127.0.0.1:3000/x"),
        ("https://web:8443", "https://web:8443"),
        ("3000", "http://127.0.0.1:3000"),
        (":3000", "http://127.0.0.1:3000"),
        ("localhost:3000", "http://localhost:3000"),
        ("10.0.0.7:3000", "http://10.0.0.7:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("unix:/run/x.sock", "http://unix:/run/x.sock"),
    ],
)
@pytest.mark.parametrize("host", ["app.example.com", "App.Example.com", "앱.example.com", "*.a.test"])
def test_a_target_before_its_host_is_told_with_the_command_that_was_meant(
    tmp_path: pathlib.Path, host: str, given: str, meant: str
) -> None:
    """K1: the command that is printed is accepted."""
    file = tmp_path / "daemun.yaml"
    with pytest.raises(ConfigError, match="the name comes first, then where it goes") as caught:
        yaml_edit.add_route(file, given, host, route_path="/x")
    (command,) = re.findall("write `daemun add ([^`]*)`", str(caught.value))
    assert shlex.split(command) == [host, meant, "--path", "/x"]
    assert not file.exists()
    yaml_edit.add_route(file, host, meant, route_path="/x")
    assert meant in file.read_text()


def test_a_folder_before_its_host_is_told_too(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"write `daemun add a.example.com {tmp_path}`")):
        yaml_edit.add_route(tmp_path / "daemun.yaml", str(tmp_path), "a.example.com")


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("https://app.example.com", "backend.internal"),  # copied from a browser's bar, for the site
        ("https://app.example.com/", "127.0.0.1"),
        ("app.example.com", "app.example.com"),
        ("3000", "app"),
        ("3000", "4000"),
        ("3000", "10.0.0.1"),
    ],
)
def test_what_is_not_swapped_for_sure_is_not_told_so(tmp_path: pathlib.Path, host: str, target: str) -> None:
    with pytest.raises(ConfigError) as caught:
        yaml_edit.add_route(tmp_path / "daemun.yaml", host, target)
    assert "comes first" not in str(caught.value)
