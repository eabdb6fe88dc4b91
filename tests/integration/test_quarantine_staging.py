"""One refused file never keeps the others from going live."""

import collections.abc

import pytest

from daemun.control import ports, quarantine_staging
from daemun.core import change_plan, directive, model
from daemun.core.render import snippets
from daemun.errors import ApplyError

SNIPPET = (directive.Directive("return", (directive.Expr("204"),)),)


def site(host: str) -> model.Site:
    return model.Site(host=host, snippet=SNIPPET)


class PickyProxy:
    """A proxy that refuses every file holding the word BAD, naming it or not, as nginx does."""

    def __init__(self, *, names_file: bool) -> None:
        self._names_file = names_file
        self.stages = 0

    async def read_actual(self) -> model.Actual:
        return model.Actual()

    async def stage(self, files: collections.abc.Mapping[str, bytes]) -> ports.TestFailure | None:
        self.stages += 1
        for path, content in sorted(files.items()):
            if b"BAD" in content:
                return ports.TestFailure(
                    message='unknown "foo" variable', file=path if self._names_file else None, line=3
                )
        return None

    async def activate(self) -> int:
        return 1

    async def stop(self, *, grace_s: float) -> None:
        return None


HOSTS = ("a.test", "b.test", "c.test")
DESIRED = model.Desired(globals=model.Globals(snippet=SNIPPET), sites=tuple(site(host) for host in HOSTS))
UNAVAILABLE = {change_plan.site_file(host): b"503" for host in HOSTS}


@pytest.mark.parametrize("names_file", [True, False])
async def test_the_bad_ones_alone_are_replaced(names_file: bool) -> None:
    files = {"nginx.conf": b"x", "sites/a.test.conf": b"BAD", "sites/b.test.conf": b"BAD", "sites/c.test.conf": b"new"}
    last_good = {"nginx.conf": b"x", "sites/a.test.conf": b"old a", "sites/c.test.conf": b"old c"}
    staged = await quarantine_staging.stage_with_quarantine(
        PickyProxy(names_file=names_file), DESIRED, files, last_good=last_good, unavailable=UNAVAILABLE, known={}
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
        DESIRED,
        files,
        last_good={"sites/a.test.conf": b"BAD old"},
        unavailable=UNAVAILABLE,
        known={},
    )
    assert staged.files == {"sites/a.test.conf": b"503", "variables.conf": b""}


async def test_the_snippet_of_the_whole_file_can_be_left_out() -> None:
    files = {snippets.OF_THE_FILE: b"BAD", "sites/a.test.conf": b"good"}
    staged = await quarantine_staging.stage_with_quarantine(
        PickyProxy(names_file=True), DESIRED, files, last_good={}, unavailable=UNAVAILABLE, known={}
    )
    assert staged.files == {snippets.OF_THE_FILE: b"", "sites/a.test.conf": b"good", "variables.conf": b""}


async def test_what_stands_in_has_the_variables_that_it_uses() -> None:
    known = {"one": b"map $two $one {}\n", "two": b"map $uri $two {}\n", "three": b"map $uri $three {}\n"}
    staged = await quarantine_staging.stage_with_quarantine(
        PickyProxy(names_file=True),
        DESIRED,
        {"sites/a.test.conf": b"BAD $three"},
        last_good={"sites/a.test.conf": b"old ${one}"},
        unavailable=UNAVAILABLE,
        known=known,
    )
    assert staged.files["variables.conf"] == known["one"] + b"\n" + known["two"]


async def test_what_cannot_be_replaced_is_refused_as_a_whole() -> None:
    with pytest.raises(ApplyError, match="nginx refuses it") as caught:
        await quarantine_staging.stage_with_quarantine(
            PickyProxy(names_file=False), DESIRED, {"nginx.conf": b"BAD"}, last_good={}, unavailable={}, known={}
        )
    assert caught.value.restored
