"""One refused file never keeps the others from going live."""

import collections.abc

import pytest

from daemun.control import nginx_port, quarantine_staging
from daemun.core import model
from daemun.core.plan import change_plan, quarantine, shared_sites
from daemun.core.render import snippets
from daemun.errors import ApplyError


class PickyProxy:
    """A proxy that refuses every file holding the word BAD, naming it or not, as nginx does.

    refuse: another judgement: the tree -> why it is refused; None: it is accepted.
    """

    def __init__(
        self,
        *,
        names_file: bool = False,
        refuse: collections.abc.Callable[[collections.abc.Mapping[str, bytes]], nginx_port.TestFailure | None]
        | None = None,
    ) -> None:
        self._names_file = names_file
        self._refuse = refuse or self._refuse_bad
        self.stages = 0
        self.staged: dict[str, bytes] | None = None

    async def read_actual(self) -> model.Actual:
        return model.Actual()

    async def stage(self, files: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        self.stages += 1
        failure = self._refuse(files)
        self.staged = dict(files) if failure is None else None
        return failure

    async def activate(self) -> int:
        return 1

    async def stop(self, *, grace_s: float) -> None:
        return None

    def _refuse_bad(self, files: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        for path, content in sorted(files.items()):
            if b"BAD" in content:
                file, line = (path, 3) if self._names_file else (None, None)
                return nginx_port.TestFailure(message='unknown "foo" variable', file=file, line=line)
        return None


async def stage(
    proxy: PickyProxy,
    files: dict[str, bytes],
    *,
    last_good: dict[str, bytes] | None = None,
    unavailable: collections.abc.Mapping[str, bytes] | None = None,
) -> quarantine_staging.Staged:
    """What was found, which is also what nginx was given last."""
    staged = await quarantine_staging.stage_with_quarantine(
        proxy,
        files,
        last_good=last_good or {},
        unavailable=UNAVAILABLE if unavailable is None else unavailable,
        known={},
    )
    assert proxy.staged == staged.files
    return staged


def path_of(number: int) -> str:
    return change_plan.site_file(f"s{number}.test")


HOSTS = ("a.test", "b.test", "c.test")
UNAVAILABLE = {change_plan.site_file(host): b"503" for host in HOSTS}
MANY = 10_000


@pytest.mark.parametrize("names_file", [True, False])
async def test_the_bad_ones_alone_are_replaced(names_file: bool) -> None:
    files = {"nginx.conf": b"x", "sites/a.test.conf": b"BAD", "sites/b.test.conf": b"BAD", "sites/c.test.conf": b"new"}
    last_good = {"nginx.conf": b"x", "sites/a.test.conf": b"old a", "sites/c.test.conf": b"old c"}
    staged = await quarantine_staging.stage_with_quarantine(
        PickyProxy(names_file=names_file), files, last_good=last_good, unavailable=UNAVAILABLE, known={}
    )
    assert staged.files == {
        "nginx.conf": b"x",
        "sites/a.test.conf": b"old a",
        "sites/b.test.conf": b"503",
        "sites/c.test.conf": b"new",
        "variables.conf": b"",
    }
    assert {item.path for item in staged.refused} == {"sites/a.test.conf", "sites/b.test.conf"}


async def test_a_last_good_version_that_fails_too_gives_way_to_the_503_page() -> None:
    files = {"sites/a.test.conf": b"BAD new"}
    staged = await quarantine_staging.stage_with_quarantine(
        PickyProxy(names_file=True),
        files,
        last_good={"sites/a.test.conf": b"BAD old"},
        unavailable=UNAVAILABLE,
        known={},
    )
    assert staged.files == {"sites/a.test.conf": b"503", "variables.conf": b""}


async def test_the_snippet_of_the_whole_file_can_be_left_out() -> None:
    files = {snippets.OF_THE_FILE: b"BAD", "sites/a.test.conf": b"good"}
    staged = await quarantine_staging.stage_with_quarantine(
        PickyProxy(names_file=True), files, last_good={}, unavailable=UNAVAILABLE, known={}
    )
    assert staged.files == {snippets.OF_THE_FILE: b"", "sites/a.test.conf": b"good", "variables.conf": b""}


async def test_what_stands_in_has_the_variables_that_it_uses() -> None:
    known = {"one": b"map $two $one {}\n", "two": b"map $uri $two {}\n", "three": b"map $uri $three {}\n"}
    staged = await quarantine_staging.stage_with_quarantine(
        PickyProxy(names_file=True),
        {"sites/a.test.conf": b"BAD $three"},
        last_good={"sites/a.test.conf": b"old ${one}"},
        unavailable=UNAVAILABLE,
        known=known,
    )
    assert staged.files["variables.conf"] == known["one"] + b"\n" + known["two"]


async def test_what_cannot_be_replaced_is_refused_as_a_whole() -> None:
    with pytest.raises(ApplyError, match="nginx refuses it") as caught:
        await quarantine_staging.stage_with_quarantine(
            PickyProxy(names_file=False), {"nginx.conf": b"BAD"}, last_good={}, unavailable={}, known={}
        )
    assert caught.value.restored


# --- whichever site it is, whatever nginx says -----------------------------------------------------------------


@pytest.mark.parametrize("at_fault", [0, 4_321, MANY - 1])
@pytest.mark.parametrize("words", ["ended by signal 11", 'cannot load certificate "/BAD.pem"'])
async def test_one_of_ten_thousand_is_found_in_few_runs(at_fault: int, words: str) -> None:
    files = {path_of(number): b"good" for number in range(MANY)} | {path_of(at_fault): b"uses /BAD.pem"}
    proxy = PickyProxy(refuse=lambda tree: _refuse_where(tree, b"BAD", words))
    staged = await stage(proxy, files, unavailable={path_of(number): b"503" for number in range(MANY)})
    assert {path for path, content in staged.files.items() if content == b"503"} == {path_of(at_fault)}
    assert [(one.path, one.cause) for one in staged.refused] == [(path_of(at_fault), words)]
    assert proxy.stages < 22
    if "BAD" in words:
        assert proxy.stages < 7, "nginx quotes what is written in the site alone"


def _refuse_where(
    tree: collections.abc.Mapping[str, bytes], word: bytes, message: str = "no line"
) -> nginx_port.TestFailure | None:
    return nginx_port.TestFailure(message=message) if any(word in content for content in tree.values()) else None


async def test_several_are_found_and_everything_else_is_served() -> None:
    bad = {path_of(number) for number in (3, 4, 77, 150, 199)}
    files = {path_of(number): b"new" for number in range(200)} | dict.fromkeys(bad, b"BAD")
    good = {path_of(4): b"old", path_of(5): b"old"}
    staged = await stage(PickyProxy(), files, last_good=good, unavailable=dict.fromkeys(files, b"503"))
    expected = files | dict.fromkeys(bad, b"503") | {path_of(4): b"old", "variables.conf": b""}
    assert staged.files == expected
    stand_ins = {one.path: one.stand_in for one in staged.refused}
    assert stand_ins == dict.fromkeys(bad, quarantine.StandIn.UNAVAILABLE) | {path_of(4): quarantine.StandIn.LAST_GOOD}


@pytest.mark.parametrize("names_file", [True, False])
async def test_a_site_whose_503_page_is_refused_too_is_not_served(names_file: bool) -> None:
    """Its names alone are more than nginx takes."""
    files = {"sites/a.test.conf": b"BAD", "sites/b.test.conf": b"new"}
    staged = await stage(PickyProxy(names_file=names_file), files, unavailable={"sites/a.test.conf": b"BAD page"})
    assert staged.files == {"sites/a.test.conf": b"", "sites/b.test.conf": b"new", "variables.conf": b""}
    assert [one.stand_in for one in staged.refused] == [quarantine.StandIn.NOTHING]


async def test_the_site_that_changed_is_at_fault_where_nginx_names_another() -> None:
    """Two sites want the same: nginx reads a.test first, and complains of b.test, which is as it was."""

    def refuse(tree: collections.abc.Mapping[str, bytes]) -> nginx_port.TestFailure | None:
        wanting = [path for path, content in sorted(tree.items()) if b"default" in content]
        return nginx_port.TestFailure(message="a duplicate", file=wanting[1], line=2) if len(wanting) > 1 else None

    good = {"sites/a.test.conf": b"one", "sites/b.test.conf": b"default"}
    files = good | {"sites/a.test.conf": b"default, too"}
    staged = await stage(PickyProxy(refuse=refuse), files, last_good=good)
    assert staged.files == good | {"variables.conf": b""}
    assert [one.path for one in staged.refused] == ["sites/a.test.conf"]


@pytest.mark.parametrize("names_file", [True, False])
async def test_a_site_that_is_as_it_was_is_found_when_the_machine_changed(names_file: bool) -> None:
    """A file that it names was deleted, say."""
    good = {"sites/a.test.conf": b"BAD now", "sites/b.test.conf": b"old"}
    files = good | {"sites/b.test.conf": b"new", "sites/c.test.conf": b"new"}
    staged = await stage(PickyProxy(names_file=names_file), files, last_good=good)
    assert staged.files == files | {"sites/a.test.conf": b"503", "variables.conf": b""}
    assert [one.path for one in staged.refused] == ["sites/a.test.conf"]


async def test_tries_end_and_what_was_not_tried_keeps_its_last_good_version() -> None:
    files = {path_of(number): b"BAD" if number % 2 else b"new" for number in range(1000)}
    good = {path_of(number): b"old" for number in range(1000)}
    proxy = PickyProxy()
    staged = await stage(proxy, files, last_good=good)
    assert proxy.stages <= quarantine_staging.MOST_RUNS + 3
    assert set(staged.files.values()) == {b"new", b"old", b""}
    assert {one.path for one in staged.refused} == {path for path in files if staged.files[path] == b"old"}
    assert all(staged.files[path_of(number)] == b"old" for number in range(1, 1000, 2))


async def test_a_site_that_shares_its_blocks_is_found_and_gets_a_page_of_its_own() -> None:
    def lists(*hosts: str) -> dict[str, bytes]:
        return {
            shared_sites.MAIN: b"server {}\n",
            shared_sites.NAMES: b"# Names.\n" + b"".join(f"server_name {host} w.{host};\n".encode() for host in hosts),
            shared_sites.HOSTS: b"# Sites.\n"
            + b"".join(f"{host} {host};\nw.{host} {host};\n".encode() for host in hosts),
            shared_sites.ALIASES: b"# Aliases.\n" + b"".join(f"w.{host} w.{host};\n".encode() for host in hosts),
            shared_sites.SERVERS: b"# Servers.\n" + b"".join(f"{host} 10.0.0.1:80;  # x\n".encode() for host in hosts),
        }

    hosts = [f"s{number}.test" for number in range(300)]
    files = {"sites/a.test.conf": b"new", **lists(*hosts)}
    proxy = PickyProxy(refuse=lambda tree: _refuse_where(tree, b" w.s123.test"))
    staged = await stage(proxy, files, unavailable={path_of(123): b"503"})
    left = [host for host in hosts if host != "s123.test"]
    expected = {"sites/a.test.conf": b"new", path_of(123): b"503", **lists(*left), "variables.conf": b""}
    assert staged.files == expected
    assert [one.path for one in staged.refused] == [path_of(123)]
