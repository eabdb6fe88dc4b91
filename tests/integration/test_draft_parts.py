"""What the review of a draft looks at with the rest of daemun: all of it as `daemun check` and `daemun plan` see it."""

import asyncio
import errno
import os
import pathlib

import pytest

from daemun import settings
from daemun.core import model
from daemun.sources import environment_source, last_good_file, shielded_work, yaml_file
from daemun.sources.docker import nginx_proxy_mode
from daemun.store import file_store
from daemun.wiring import draft_parts
from tests.support import binaries

MAIN = """\
listen: {http: 127.0.0.1:8080}
sites:
  a.test: {tls: off, http: serve, routes: {/: http://127.0.0.1:1}}
"""


def make(folder: pathlib.Path) -> draft_parts.DraftParts:
    main = folder / "daemun.yaml"
    main.write_text(MAIN)
    store = file_store.FileStore(folder / "state" / "store")
    known = last_good_file.Remembering(yaml_file.YamlFile(main), store, main)
    file = environment_source.FileOrEnvironment(known, main, os.environ, is_known=True)
    return draft_parts.DraftParts(
        settings=settings.Settings(config=main, state=folder / "state", nginx=binaries.nginx_path()),
        store=store,
        known=known,
        compatible=nginx_proxy_mode.Compatible(file, environ={}),
    )


def with_site(lines: str) -> bytes:
    return f"{MAIN}  b.test: {lines}\n".encode()


async def test_it_sees_what_nginx_alone_finds(tmp_path: pathlib.Path) -> None:
    parts, main = make(tmp_path), tmp_path / "daemun.yaml"
    read = parts.read({main: with_site('{tls: off, nginx: "add_header X-A;", routes: {/: http://127.0.0.1:2}}')})
    assert read.problems == ()
    bad = read.snapshot
    assert bad is not None
    (problem,) = await shielded_work.run(lambda thread: parts.test(bad, thread))
    assert (problem.host, problem.severity) == ("b.test", model.Severity.ERROR)
    assert "invalid number of arguments" in problem.message
    good = parts.read({main: with_site("{tls: off, routes: {/: http://127.0.0.1:2}}")}).snapshot
    assert good is not None
    assert await shielded_work.run(lambda thread: parts.test(good, thread)) == ()
    assert main.read_text() == MAIN


async def test_nginx_that_waits_for_a_file_ends_with_the_work(tmp_path: pathlib.Path) -> None:
    parts, main = make(tmp_path), tmp_path / "daemun.yaml"
    pipe, included = tmp_path / "pipe", tmp_path / "included.conf"
    os.mkfifo(pipe)
    included.write_text(f"include {pipe};\n")
    snapshot = parts.read(
        {main: with_site(f'{{tls: off, nginx: "include {included};", routes: {{/: http://127.0.0.1:2}}}}')}
    ).snapshot
    assert snapshot is not None
    task = asyncio.ensure_future(shielded_work.run(lambda thread: parts.test(snapshot, thread)))
    async with asyncio.timeout(60):
        while (writer := open_for_reader(pipe)) is None:
            await asyncio.sleep(0.02)
    with os.fdopen(writer, "wb"):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert open_for_reader(pipe) is None


def open_for_reader(pipe: pathlib.Path) -> int | None:
    """None: nobody reads it."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        assert error.errno == errno.ENXIO
        return None


def test_a_site_with_a_mistake_is_read_without_it(tmp_path: pathlib.Path) -> None:
    parts, main = make(tmp_path), tmp_path / "daemun.yaml"
    read = parts.read({main: with_site("htp://x")})
    assert [one.host for one in read.problems] == ["b.test"]
    assert read.snapshot is not None
    assert [(site.host, site.fault is None) for site in read.snapshot.sites] == [("a.test", True), ("b.test", False)]
    broken = parts.read({main: b"sites: {"})
    assert broken.snapshot is None
    assert str(broken.problems[0].origin).startswith("daemun.yaml:")


def test_nginxs_files_are_compared_without_secrets(tmp_path: pathlib.Path) -> None:
    parts = make(tmp_path)
    after = with_site(
        "{tls: off, request_headers: {Authorization: Bearer s3cret-s3cret}, routes: {/: http://127.0.0.1:2}}"
    )
    found = parts.compare_nginx({"daemun.yaml": MAIN.encode()}, {"daemun.yaml": after})
    assert next((one["file"], one["kind"]) for one in found["nginx_files"]) == ("sites/b.test.conf", "added")
    assert "proxy_set_header Authorization" in str(found)
    assert "s3cret" not in str(found)
