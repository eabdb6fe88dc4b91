"""`include` in daemun.yaml: which files it names, what they may hold, and what a mistake in one costs."""

import collections.abc
import os
import pathlib
import typing

import pytest

from daemun.cli import lost_file
from daemun.core import model
from daemun.core.options import hsts_option
from daemun.errors import ConfigError
from daemun.sources import (
    last_good_file,
    set_aside,
    yaml_edit,
    yaml_file,
    yaml_file_set,
    yaml_holder,
    yaml_include,
    yaml_positions,
)
from daemun.store import memory_store

MAIN = "# ours\ninclude: sites/*.yaml\ndefaults: {hsts: true}\nsites:\n  a.test: http://a # first\n"
B, C = "# of b\nsites:\n  b.test: http://b\n", "sites:\n  c.test: http://c\n  d.test: http://d\n"
Write = collections.abc.Callable[..., pathlib.Path]


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Write:
    """Writes daemun.yaml, and files in its folder sites/ by their names; returns the path of daemun.yaml."""

    def writing(main: str = MAIN, **files: str) -> pathlib.Path:
        (tmp_path / "sites").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "sites" / f"{name}.yaml").write_text(text)
        (tmp_path / "daemun.yaml").write_text(main)
        return tmp_path / "daemun.yaml"

    return writing


def read(path: pathlib.Path) -> tuple[dict[str, str], list[str]]:
    """The sites with the places that they are written at, and all that is wrong."""
    try:
        found = yaml_file.read_snapshot(path)
        problems = found.problems
    except yaml_file.InvalidFileError as error:
        assert error.good is not None
        found, problems = error.good, error.problems
    places = {site.host: site.origin.place for site in found.sites}
    return places, [f"{one.severity.value}: {one}" for one in problems]


def test_sites_of_all_files_with_their_places(write: Write) -> None:
    path = write(c=C, b=B)
    snapshot = yaml_file.read_snapshot(path)
    assert {site.host: site.origin.place for site in snapshot.sites} == {
        "a.test": "daemun.yaml:5:3",
        "b.test": "sites/b.yaml:3:3",
        "c.test": "sites/c.yaml:2:3",
        "d.test": "sites/c.yaml:3:3",
    }
    assert not snapshot.problems
    assert {hsts_option.OPTION.of(site) for site in snapshot.sites} == {hsts_option.Hsts()}


def test_daemun_yaml_may_have_no_sites_of_its_own(write: Write) -> None:
    assert read(write("include: [sites/c.yaml, sites/b.yaml]\n", b=B, c=C)) == (
        {"c.test": "sites/c.yaml:2:3", "d.test": "sites/c.yaml:3:3", "b.test": "sites/b.yaml:3:3"},
        [],
    )


def test_anchors_and_relative_paths_are_of_their_file(write: Write) -> None:
    path = write(b="x-b: &b {files: public}\nsites: {b.test: {/: *b}}\n", c="sites: {c.test: *b}\n")
    (path.parent / "sites" / "public").mkdir()
    snapshot, problems = read(path)
    assert snapshot.keys() == {"a.test", "b.test"}
    assert [one.split(":", 4)[1:3] for one in problems] == [[" sites/c.yaml", "1"]]
    (site,) = (one for one in good_sites(path) if one.host == "b.test")
    assert site.routes[0].action == model.Files(folder=str(path.parent / "sites" / "public"), trusted=None)


def good_sites(path: pathlib.Path) -> tuple[model.Site, ...]:
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    assert caught.value.good is not None
    return caught.value.good.sites


@pytest.mark.parametrize(
    ("include", "words"),
    [
        ("''", "is no name of a file"),
        ("sites/", "is a folder; write `sites/*.yaml`"),
        ("sites/**/*.yaml", "write `*` for each level"),
        ("https://example.com/x.yaml", "is no path of a file"),
        ("~/x.yaml", "is no path of a file"),
        ("{a: 1}", "include: expected text, found a map"),
        ("daemun.yaml", '"daemun.yaml" is this file itself; remove it'),
        ("[sites/b.yaml, 3]", "include: expected text, found the number 3"),
    ],
)
def test_what_include_cannot_name(write: Write, include: str, words: str) -> None:
    path = write(MAIN.replace("sites/*.yaml", include, 1), b=B)
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    (problem,) = caught.value.problems
    assert words in problem.message
    assert (problem.origin.place.startswith("daemun.yaml:2:"), problem.host, problem.file) == (True, None, None)


def test_patterns_and_what_they_match(write: Write) -> None:
    main = "include: ['sites/[bc].yaml', '*.yaml', sites/*.yaml, sites/?/site.yaml, other/*.yaml, '*.yml']\nsites: {}\n"
    path = write(main, b=B, c=C)
    folder = path.parent / "sites"
    (folder / ".#b.yaml").write_text("what an editor leaves")
    (folder / "again.yaml").symlink_to("b.yaml")  # is read once
    (folder / "x").mkdir()
    (folder / "x" / "site.yaml").write_text("sites: {x.test: http://x}\n")
    (folder / "y").mkdir()
    places, problems = read(path)
    assert places == {
        "b.test": "sites/b.yaml:3:3",
        "c.test": "sites/c.yaml:2:3",
        "d.test": "sites/c.yaml:3:3",
        "x.test": "sites/x/site.yaml:1:9",
    }
    assert [one.partition(": include: ")[::2] for one in problems] == [
        (
            "warning: daemun.yaml:1:73",
            '"other/*.yaml" matches no file: there is no folder other; make it, or correct the pattern',
        ),
        ("warning: daemun.yaml:1:87", '"*.yml" matches no file; no site comes from it until there is one'),
    ]


@pytest.mark.parametrize("folder", ["c[1]", "*", "?x", ".[a]/b"])
def test_the_folder_of_daemun_yaml_is_no_pattern(tmp_path: pathlib.Path, folder: str) -> None:
    base = tmp_path / folder
    for name, text in (("sites/b.yaml", B), ("w/site.yaml", C)):
        (base / name).parent.mkdir(parents=True)
        (base / name).write_text(text)
    (tmp_path / "c1").mkdir()
    path = base / "daemun.yaml"
    for include in ("[sites/*.yaml, '?/site.yaml']", "[./sites/../sites/*.yaml, w/site.yaml]"):
        path.write_text(f"include: {include}\n")
        places, problems = read(path)
        assert (set(places), problems) == ({"b.test", "c.test", "d.test"}, list[str]())
        holder = yaml_holder.find(path, "new.test", file=str(base / "sites" / "new.yaml"))
        assert holder.path == base / "sites" / "new.yaml"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("../sites/*.yaml", "../sites/a.yaml", True),
        ("../sites/*.yaml", "sites/a.yaml", False),
        ("sites/*.yaml", "sites/x/a.yaml", False),
        ("sites/*.yaml", "a.yaml", False),
        ("/srv/*/a.yaml", "/srv/x/a.yaml", True),
        ("/srv/*/a.yaml", "/srv/.x/a.yaml", False),
        ("../../../../../srv/*.yaml", "/srv/x.yaml", True),
    ],
)
def test_which_files_a_pattern_fits(text: str, name: str, *, expected: bool) -> None:
    main = pathlib.Path("/c[1]/.d/daemun.yaml")
    pattern = yaml_include.Pattern(text=text, origin=model.NOWHERE, field=())
    path = pathlib.Path(os.path.normpath(main.parent / name))
    assert yaml_include.fits(pattern, path, main) is expected


def _make_unreadable(path: pathlib.Path) -> None:
    folder = path / "sites"
    (folder / "1.yaml").mkdir()
    os.mkfifo(folder / "2.yaml")
    (folder / "3.yaml").symlink_to("3.yaml")
    (folder / "4.yaml").symlink_to("nowhere")
    (folder / "5.yaml").write_bytes(b"sites: {\xff: 1}")
    (folder / "6.yaml").write_text("")
    (folder / "7.yaml").write_text("sites: [")
    (folder / "8.yaml").write_text("x.test: http://x\n")
    (folder / "9.yaml").write_text("include: x\ntls: off\nnginx: x\nsites: {x.test: http://x}\n")


def test_files_that_cannot_be_used_cost_their_own_sites(write: Write) -> None:
    path = write(MAIN.replace("sites/*.yaml", "[sites/*.yaml, gone.yaml]"), b=B)
    _make_unreadable(path.parent)
    places, problems = read(path)
    assert places.keys() == {"a.test", "b.test"}
    expected = [
        ("1.yaml:1:1", "it is a directory; give it another name, or write `sites/1.yaml/*.yaml`"),
        ("2.yaml:1:1", "it is a pipe; put a file of sites in its place"),
        ("3.yaml:1:1", "too many levels of symbolic links; correct the link"),
        ("4.yaml:1:1", "it is a link to nowhere, which is not there; correct the link"),
        ("5.yaml:1:9", "byte 0xff is not UTF-8"),
        ("6.yaml:1:1", "the file is empty"),
        ("7.yaml:1:", ""),
        ("8.yaml:1:1", '`sites:` is missing above "x.test"'),
        ("9.yaml:1:1", "files that it includes include no others"),
        ("9.yaml:2:1", 'unknown key "tls" here: it is an option of a site'),
        ("9.yaml:3:1", "belongs to the top of daemun.yaml, which includes this file"),
        ("gone.yaml:1:1", "no such file or directory; put it back, or take it out of `include`"),
    ]
    assert len(problems) == len(expected)
    for problem, (place, words) in zip(problems, expected, strict=True):
        assert place in problem
        assert words in problem


def test_the_sites_of_a_file_that_cannot_be_used_go_on_as_they_were(write: Write) -> None:
    path = write(MAIN + "default: {site: c.test}\n", b=B, c=C)
    source = yaml_file.YamlFile(path)
    known = {site.host: site for site in source.read_now().sites}
    write(MAIN.replace("http://a", "http://other") + "default: {site: c.test}\n", c="sites: [", e="sites: [")
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        source.read_now()
    assert caught.value.lost == {"sites/c.yaml", "sites/e.yaml"}
    found = {
        site.host: site
        for site in set_aside.set_aside(caught.value, set_aside.LastGoodEntries(sites=known), is_start=False).sites
    }
    assert {host for host, site in found.items() if site.fault is None} == {"a.test", "b.test"}
    assert found["a.test"] != known["a.test"]
    for host in ("c.test", "d.test"):
        fault = found[host].fault
        assert fault is not None
        assert fault.reason.startswith("sites/c.yaml:1:")
        assert "e.yaml" not in fault.reason
        assert found[host].routes == known[host].routes
    # At a start without what was before, those of the other files are served.
    assert {
        site.host for site in set_aside.set_aside(caught.value, set_aside.LastGoodEntries(), is_start=True).sites
    } == {
        "a.test",
        "b.test",
    }


def test_a_folder_that_a_wildcard_names_goes_with_its_sites(write: Write) -> None:
    path = write(MAIN.replace("sites/*.yaml", "sites/*/site.yaml"))
    for name, text in (("b", B), ("c", C)):
        (path.parent / "sites" / name).mkdir()
        (path.parent / "sites" / name / "site.yaml").write_text(text)
    source = yaml_file.YamlFile(path)
    assert len(source.read_now().sites) == 4
    (path.parent / "sites" / "c").rename(path.parent / "away")
    assert {site.host for site in source.read_now().sites} == {"a.test", "b.test"}
    (path.parent / "sites" / "b").rename(path.parent / "elsewhere")
    assert {site.host for site in source.read_now().sites} == {"a.test"}


def test_a_site_that_moved_out_of_a_file_that_cannot_be_used(write: Write) -> None:
    source = yaml_file.YamlFile(write(b=B, c=C))
    known = {site.host: site for site in source.read_now().sites}
    write(b=f"{B}  d.test: http://new\n", c="sites: [")
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        source.read_now()
    assert [one.origin.place.partition(":")[0] for one in caught.value.problems] == ["sites/c.yaml"]
    found = {
        site.host: site
        for site in set_aside.set_aside(caught.value, set_aside.LastGoodEntries(sites=known), is_start=False).sites
    }
    assert found["d.test"].origin.place == "sites/b.yaml:4:3"
    assert {host for host, site in found.items() if site.fault is not None} == {"c.test"}


def test_a_host_in_two_files_names_both_and_the_first_is_served(write: Write) -> None:
    path = write(b=f"{B}  a.test: http://2\n", c=f"{C}  b.test: http://3\n")
    places, problems = read(path)
    assert places == {
        "a.test": "daemun.yaml:5:3",
        "b.test": "sites/b.yaml:3:3",
        "c.test": "sites/c.yaml:2:3",
        "d.test": "sites/c.yaml:3:3",
    }
    cure = "whose site is served; keep it in one of the two files"
    assert problems == [
        f'error: sites/b.yaml:4:3: host "a.test" is already given in daemun.yaml:5:3, {cure}',
        f'error: sites/c.yaml:4:3: host "b.test" is already given in sites/b.yaml:3:3, {cure}',
    ]
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    found = set_aside.set_aside(caught.value, set_aside.LastGoodEntries(), is_start=True).sites
    assert [(site.host, site.fault) for site in found if site.host in {"a.test", "b.test"}] == [
        ("a.test", None),
        ("b.test", None),
    ]


def test_the_sites_of_earlier_files_are_not_gone_through_for_each_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_twice, seen = yaml_file_set._find_twice, []

    def finding(sites: typing.Any, owners: dict[str, model.Site], file: yaml_include.Included) -> typing.Any:
        seen.append(owners)
        return find_twice(sites, owners, file)

    monkeypatch.setattr(yaml_file_set, "_find_twice", finding)
    assert not read(write(b=B, c=C))[1]
    first, second = seen
    assert first is second


def test_a_file_that_is_too_large_is_not_reported_with_a_size_that_is_not_its_own(write: Write) -> None:
    """Only the beginning of it is read."""
    path = write(b=B, c=C + "#" * (yaml_positions.MAX_BYTES + 1000))
    assert read(path)[1] == [f"error: sites/c.yaml:1:1: is too large: more than {yaml_positions.MAX_BYTES} bytes"]


@pytest.mark.parametrize(
    "secret",
    ["root:hunter2:1:0\ndaemon:*:1:0\n", "token: hunter2\nkeys: [hunter2]\n", "sites: [\nhunter2: {", "{hunter2: }"],
)
def test_nothing_is_quoted_of_a_file_that_a_link_leads_to(write: Write, secret: str) -> None:
    path = write(b=B)
    target = path.parent / "secret"
    target.write_text(secret)
    link = path.parent / "sites" / "c.yaml"
    link.symlink_to("../secret")
    (problem,) = read(path)[1]
    assert "hunter2" not in problem
    assert problem.startswith("error: sites/c.yaml:")
    assert f": it is a link to {target}, which is no file of sites" in problem
    target.write_text(C)  # one of sites is read as any other
    assert not read(path)[1]
    link.unlink()
    (path.parent / "sites" / ".data").write_text(secret)
    link.symlink_to(".data")  # as Kubernetes mounts files
    problems = read(path)[1]
    assert problems
    assert "is a link" not in "".join(problems)


def test_an_alias_that_another_file_has_costs_the_later_site_alone(write: Write) -> None:
    path = write(b="sites: {b.test: {aliases: [a.test], routes: {/: http://b}}}\n", c=C)
    places, problems = read(path)
    assert places.keys() == {"a.test", "c.test", "d.test"}
    (problem,) = problems
    assert problem.startswith("error: sites/b.yaml:1:28: ")
    assert '"a.test" already belongs to site "a.test" (daemun.yaml:5:3)' in problem


def test_what_the_top_has_is_compared_with_the_sites_of_all_files(write: Write) -> None:
    assert not read(write(f"{MAIN}default: {{site: c.test}}\n", c=C))[1]
    (problem,) = read(write(f"{MAIN}default: {{site: e.test}}\n", c=C))[1]
    assert problem.startswith("error: daemun.yaml:6:17: ")


def test_other_defaults_reach_files_that_did_not_change(write: Write) -> None:
    source = yaml_file.YamlFile(write(b=B, c=C))
    for text, expected in ((MAIN, True), (MAIN.replace("true", "false"), False), (MAIN, True)):
        write(text)
        found = source.read_now().sites
        assert {hsts_option.OPTION.of(site) is not None for site in found} == {expected}


def test_files_are_read_again_as_if_they_were_read_anew(write: Write) -> None:
    lines = [f"  s{number}.test: http://127.0.0.1:{number + 1}\n" for number in range(60)]
    source = yaml_file.YamlFile(write(b=f"sites:\n{''.join(lines)}", c=C))
    for change in (
        "  s9.test: http://other\n",
        "  s9.test: {/: http://x, /y: http://y}\n",
        "  s10.test: http://x\n",
        "",
    ):
        lines[9] = change
        path = write(b=f"sites:\n{''.join(lines)}")
        try:
            found: object = source.read_now()
        except yaml_file.InvalidFileError as error:
            found = error.problems
        try:
            assert found == yaml_file.read_snapshot(path)
        except yaml_file.InvalidFileError as error:
            assert found == error.problems


def test_files_are_bounded_in_number_and_size(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(b=B, c=C)
    monkeypatch.setattr(yaml_include, "MOST_BYTES", len(B) + 3)
    places, problems = read(path)
    assert places.keys() == {"a.test", "b.test"}
    assert "sites/c.yaml:1:1: is too large" in problems[0]
    monkeypatch.setattr(yaml_include, "MOST_FILES", 1)
    places, problems = read(path)
    assert places.keys() == {"a.test"}
    assert problems == ["error: daemun.yaml:2:10: include: names more than 1 files; put the sites of several into one"]


@pytest.mark.parametrize("is_long", [False, True])
def test_an_edit_changes_the_file_that_has_the_site_alone(write: Write, *, is_long: bool) -> None:
    more = "".join(f"  s{number}.test: http://s{number}\n" for number in range(500 if is_long else 0))
    path = write(MAIN + more, b=B, c=C + more.replace("  s", "  t"))

    def texts() -> dict[str, str]:
        return {one.name: one.read_text() for one in (path, *(path.parent / "sites").iterdir())}

    before = texts()
    for host, name, line in (
        ("a.test", "daemun.yaml", "  a.test: # first\n    enabled: false\n    routes:\n      /: http://a\n"),
        ("B.test", "b.yaml", "  b.test:\n    enabled: false\n    routes:\n      /: http://b\n"),
        ("d.test", "c.yaml", "  d.test:\n    enabled: false\n    routes:\n      /: http://d\n"),
    ):
        holder = yaml_holder.find(path, host)
        assert yaml_edit.set_enabled(holder, host, enabled=False) == before[name].encode()
        now = texts()
        assert line in now[name]
        assert {one for one in now if now[one] != before[one]} == {name}
        yaml_edit.set_enabled(holder, host, enabled=True)
        before = texts()
    yaml_edit.add_route(yaml_holder.find(path, "new.test"), "new.test", "http://new")
    assert "  new.test: http://new\n" in texts()["daemun.yaml"]
    yaml_edit.add_route(yaml_holder.find(path, "e.test", file="sites/e.yaml"), "e.test", "http://e")
    assert texts()["e.yaml"] == "sites:\n  e.test: http://e\n"
    yaml_edit.remove_site(yaml_holder.find(path, "e.test"), "e.test")
    assert not read(path)[1]


@pytest.mark.parametrize(
    ("host", "file", "words"),
    [
        ("b.tst", None, 'there is no such site in daemun.yaml and the files that it includes; did you mean "b.test"?'),
        ("b.tst", None, "; sites/broken.yaml cannot be read, see `daemun check`"),
        ("c.test", None, "it is in sites/b.yaml and sites/c.yaml; take it out of all but one by hand"),
        ("new.test", "x/y.yaml", 'daemun.yaml does not include it; its `include` names "sites/*.yaml"'),
        ("new.test", "sites/.y.yaml", "daemun.yaml does not include it"),
        ("d.test", "sites/b.yaml", "sites/c.yaml has the site already; leave `--file` out"),
    ],
)
def test_edits_that_are_refused(write: Write, host: str, file: str | None, words: str) -> None:
    path = write(b=f"{B}  c.test: http://x\n", c=C, broken="sites: [")
    with pytest.raises(ConfigError) as caught:
        yaml_edit.remove_site(yaml_holder.find(path, host, file=file), host)
    assert words in str(caught.value)


def test_no_file_to_write_into_where_none_is_included(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"includes no files; write `include: sites/\*.yaml` at its top"):
        yaml_holder.find(write("sites: {}\n"), "a.test", file="sites/a.yaml")


def test_what_the_files_held_is_kept_and_recalled(write: Write) -> None:
    path, store = write(b=B, c=C), memory_store.MemoryStore()
    source = yaml_file.YamlFile(path)
    sites = source.read_now().sites
    store.write(last_good_file.KEY, path.read_bytes())
    last_good_file.write_included(store, source.included)
    (path.parent / "sites" / "b.yaml").write_text("sites: [")
    (path.parent / "sites" / "c.yaml").unlink()
    known = last_good_file.recall(store, path)
    assert known is not None
    assert {(site.host, site.origin.place) for site in known.sites} == {
        (site.host, site.origin.place) for site in sites
    }
    store.write(last_good_file.KEY_INCLUDED, b"{damaged")
    known = last_good_file.recall(store, path)
    assert known is not None
    assert [site.host for site in known.sites] == ["a.test"]
    assert store.damage.is_noted(last_good_file.KEY_INCLUDED)


def test_a_folder_with_one_of_the_files_is_not_published(write: Write) -> None:
    path = write(b="sites: {b.test: {/: {files: .}}}\n")
    assert "b.yaml, the configuration that is in use" in "".join(read(path)[1])


@pytest.mark.parametrize(
    ("now", "host", "file", "words"),
    [
        (None, "c.test", None, 'sites/c.yaml": it is missing, and what it held last is served'),
        ("", "C.test", None, 'sites/c.yaml": it is empty, and what it held last is served'),
        ("", "new.test", "sites/c.yaml", 'sites/c.yaml": it is empty, and what it held last is served'),
        ("sites: [", "d.test", None, "sites/c.yaml, which had it, cannot be read"),
        (None, "new.test", None, ""),
        (None, "b.test", None, ""),
        ("sites: {}", "c.test", None, ""),
    ],
)
def test_no_site_is_begun_anew_whose_file_is_lost(
    write: Write, now: str | None, host: str, file: str | None, words: str
) -> None:
    """It would lack what guards it, or take the others of the file away."""
    path = write(b=B, c=C)
    kept = {"sites/b.yaml": B.encode(), "sites/c.yaml": C.encode()}
    lost = path.parent / "sites" / "c.yaml"
    lost.unlink()
    if now is not None:
        lost.write_text(now)
    holder = yaml_holder.find(path, host, file=file)
    if not words:
        lost_file.refuse_if_included_lost(kept, holder, host)
        return
    with pytest.raises(ConfigError) as caught:
        lost_file.refuse_if_included_lost(kept, holder, host)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", [b"a\nb.yaml", b"a\x1b[31mb.yaml", b"\xff.yaml", "a\u2028b.yaml".encode()])
def test_a_name_that_cannot_be_printed_is_reported_in_one_line(write: Write, name: bytes) -> None:
    path = write(b=B)
    pathlib.Path(os.fsdecode(os.fsencode(path.parent / "sites") + b"/" + name)).write_text(C)
    places, problems = read(path)
    assert [*places] == ["a.test", "b.test"]
    (problem,) = problems
    assert problem.isprintable()
    assert "signs in its name that cannot be printed" in problem
    assert [*yaml_holder.read_all(path)] == ["daemun.yaml", "sites/b.yaml"]


@pytest.mark.parametrize(("main", "is_refused"), [("etc", True), ("state", True), ("other", False)])
def test_nothing_of_the_state_directory_is_included(tmp_path: pathlib.Path, main: str, is_refused: bool) -> None:
    """daemun.yaml may lie in it, and what is beside it may be included; by no link either."""
    state = tmp_path / "state"
    for folder in (state / "store" / "keys", tmp_path / "etc"):
        folder.mkdir(parents=True)
    secret = state / "store" / "keys" / "one.yaml"
    secret.write_text("s3cret: of the store\n")
    (tmp_path / "etc" / "link.yaml").symlink_to(secret)
    (state / "beside.yaml").write_text("sites: {b.test: http://b}\n")
    path = tmp_path / ("etc" if main == "etc" else "state") / "daemun.yaml"
    named = {"etc": "link.yaml", "state": "store/*/*.yaml", "other": "beside.yaml"}[main]
    path.write_text(f"include: {named}\nsites: {{}}\n")
    source = yaml_file.YamlFile(path, state=str(state))
    if not is_refused:
        assert [one.host for one in source.read_now().sites] == ["b.test"]
        return
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        source.read_now()
    (problem,) = caught.value.problems
    assert "daemun's state directory" in problem.message
    assert "s3cret" not in str(caught.value)
