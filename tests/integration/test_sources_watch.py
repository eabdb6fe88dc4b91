"""Every way in which a file changes is noticed, and nothing else is. Waits have an end; none is a measurement."""

import asyncio
import collections.abc
import contextlib
import pathlib
import threading

import pytest

from daemun.errors import ConfigError
from daemun.sources import edited_file, yaml_file, yaml_include

LIMIT_S = 60


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "daemun.yaml"
    path.write_text("sites: {}\n")
    return path


@contextlib.asynccontextmanager
async def watching(
    file: pathlib.Path,
) -> collections.abc.AsyncIterator[collections.abc.Callable[[], asyncio.Future[str]]]:
    """A function that gives the next change. The watch runs when the block begins: one change was already told."""
    source = yaml_file.YamlFile(file)
    file.write_text("sites: {a.test: http://one}\n")
    async with contextlib.aclosing(source.changes()) as changes:  # type: ignore[type-var]

        def following() -> asyncio.Future[str]:
            return asyncio.ensure_future(anext(changes))

        async with asyncio.timeout(LIMIT_S):
            await following()
        yield following


async def told(change: asyncio.Future[str]) -> None:
    async with asyncio.timeout(LIMIT_S):
        await change


async def test_written_in_place(file: pathlib.Path) -> None:
    async with watching(file) as following:
        change = following()
        file.write_text("sites: {a.test: http://two}\n")
        await told(change)


async def test_replaced_as_editors_do(file: pathlib.Path) -> None:
    async with watching(file) as following:
        for number in range(3):
            change = following()
            other = file.with_suffix(".tmp")
            other.write_text(f"sites: {{a.test: http://n{number}}}\n")
            other.replace(file)
            await told(change)


async def test_gone_and_back(file: pathlib.Path) -> None:
    async with watching(file) as following:
        change = following()
        file.unlink()
        await told(change)
        change = following()
        file.write_text("sites: {}\n")
        await told(change)


async def test_the_event_loop_does_not_wait_for_included_files(
    file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of them take a tenth of a second, and may be on a share."""
    list_files, threads = yaml_include.list_files, set[int]()

    def listing(patterns: collections.abc.Iterable[yaml_include.Pattern], main: pathlib.Path) -> yaml_include.Listing:
        threads.add(threading.get_ident())
        return list_files(patterns, main)

    async with watching(file) as following:
        monkeypatch.setattr(yaml_include, "list_files", listing)
        change = following()
        file.write_text("sites: {a.test: http://two}\n")
        await told(change)
    assert threads
    assert threading.get_ident() not in threads


async def test_the_folder_of_a_pattern_that_comes_and_goes(file: pathlib.Path) -> None:
    """Also an empty one: it takes the sites away that the missing one keeps."""
    source, folder = yaml_file.YamlFile(file), file.parent / "sites"
    file.write_text("include: sites/*.yaml\nsites: {a.test: http://a}\n")
    await source.read()
    async with contextlib.aclosing(source.changes()) as changes, asyncio.timeout(LIMIT_S):  # type: ignore[type-var]
        await anext(changes)
        for change in (folder.mkdir, folder.rmdir):
            following = asyncio.ensure_future(anext(changes))
            change()
            assert await following == ""


async def test_links_switched_as_kubernetes_does(tmp_path: pathlib.Path) -> None:
    """daemun.yaml -> ..data/daemun.yaml, ..data -> ..1; the switch renames a new ..data over the old one."""
    for name in ("..1", "..2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "daemun.yaml").write_text(f"sites: {{}} # {name}\n")
    (tmp_path / "..data").symlink_to("..1")
    file = tmp_path / "daemun.yaml"
    file.symlink_to("..data/daemun.yaml")
    async with watching(file) as following:
        change = following()
        (tmp_path / "..tmp").symlink_to("..2")
        (tmp_path / "..tmp").replace(tmp_path / "..data")
        await told(change)
        change = following()
        (tmp_path / "..2" / "daemun.yaml").write_text("sites: {} # in the new folder\n")
        await told(change)


async def test_a_link_to_another_folder(tmp_path: pathlib.Path, file: pathlib.Path) -> None:
    link = tmp_path / "daemun.yaml"
    link.symlink_to(file)
    async with watching(link) as following:
        change = following()
        _written(file.with_name("new"), "sites: {} # another\n").replace(file)
        await told(change)


async def test_neighbours_are_not_told(file: pathlib.Path) -> None:
    async with watching(file) as following:
        change = following()
        _written(file.with_name("other.yaml"), "sites: {}\n")
        await asyncio.sleep(0)
        assert not change.done()
        file.write_text("sites: {a.test: http://two}\n")
        await told(change)


async def test_a_folder_that_comes_later(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "later" / "daemun.yaml"
    source = yaml_file.YamlFile(file)
    file.parent.mkdir()
    file.write_text("sites: {}\n")
    async with contextlib.aclosing(source.changes()) as changes:  # type: ignore[type-var]
        await told(asyncio.ensure_future(anext(changes)))


def _written(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_text(text)
    return path


async def test_the_version_is_that_of_what_is_read_then(file: pathlib.Path) -> None:
    source = yaml_file.YamlFile(file)
    file.write_text("sites: {a.test: http://two}\n")
    async with contextlib.aclosing(source.changes()) as changes:  # type: ignore[type-var]
        async with asyncio.timeout(LIMIT_S):
            first = await anext(changes)
            assert first == edited_file.find_version(file) != ""
            file.touch()
            assert await anext(changes) == edited_file.find_version(file) != first


async def test_a_change_of_the_passwords_has_no_version(file: pathlib.Path) -> None:
    """A round that read the file before does not count for them."""
    passwords = file.with_name("htpasswd")
    passwords.write_text("")
    file.write_text("sites: {a.test: {routes: {/: {to: 'http://one', access: {basic_auth: {file: ./htpasswd}}}}}}\n")
    source = yaml_file.YamlFile(file)
    with contextlib.suppress(ConfigError):
        source.read_now()
    async with contextlib.aclosing(source.changes()) as changes:  # type: ignore[type-var]
        async with asyncio.timeout(LIMIT_S):
            passwords.write_text("# changed\n")
            assert await anext(changes) == ""
            passwords.write_text("# changed again\n")
            assert await anext(changes) == ""


GUARDED = "routes: {/: {to: 'http://one', access: {basic_auth: {file: secrets/htpasswd}}}}"
FAULTS = {
    "a wrong key of the site": f"sites: {{a.test: {{acces: true, {GUARDED}}}, b.test: http://b}}\n",
    "a wrong value of the site": "sites: {a.test: {routes: {/: {to: 'ftp://one'}}}, b.test: http://b}\n",
    "a wrong key for all": f"hsst: true\nsites: {{a.test: {{{GUARDED}}}}}\n",
    "no list of sites": "sites: 3\n",
    "no YAML": "sites: {",
}


@pytest.mark.parametrize("is_start", [False, True], ids=["while running", "at a start"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_passwords_of_a_site_with_an_error_that_goes_on_as_it_was(
    file: pathlib.Path, fault: str, *, is_start: bool
) -> None:
    """Whoever is taken out of the file is out, also after many looks and a second change."""
    good = f"sites: {{a.test: {{{GUARDED}}}, b.test: http://b}}\n"
    file.write_text(good)
    passwords = file.parent / "secrets" / "htpasswd"
    passwords.parent.mkdir()
    passwords.write_text("")
    source = yaml_file.YamlFile(file)
    if not is_start:
        with contextlib.suppress(ConfigError):
            source.read_now()
    file.write_text(FAULTS[fault])
    if is_start:
        source.parse_stored(good.encode(), {})
    async with contextlib.aclosing(source.changes()) as changes:  # type: ignore[type-var]
        async with asyncio.timeout(LIMIT_S):
            await anext(changes)
            for number in range(2):
                with contextlib.suppress(ConfigError):
                    source.read_now()
                following = asyncio.ensure_future(anext(changes))
                # Something else that happens in the folder: everything is looked at.
                file.with_name("other").write_text(str(number))
                await asyncio.wait([following], timeout=0.2)
                if following.done():  # the file with passwords came into sight
                    following = asyncio.ensure_future(anext(changes))
                passwords.write_text(f"# {number}\n")
                assert await following == ""


async def test_files_that_are_included(file: pathlib.Path) -> None:
    """They come, change, are exchanged and go; and so does their folder."""
    file.write_text("include: sites/*.yaml\n")
    source = yaml_file.YamlFile(file)
    await source.read()
    folder = file.parent / "sites"
    async with contextlib.aclosing(source.changes()) as changes:  # type: ignore[type-var]

        async def follows(change: collections.abc.Callable[[], object]) -> None:
            following = asyncio.ensure_future(anext(changes))
            change()
            await told(following)
            with contextlib.suppress(ConfigError):
                await source.read()

        def come() -> None:
            folder.mkdir()
            (folder / "a.yaml").write_text("sites: {a.test: http://one}\n")

        await follows(come)
        await follows(lambda: (folder / "a.yaml").write_text("sites: {a.test: http://two}\n"))
        await follows(lambda: (folder / "b.yaml").write_text("sites: {b.test: http://b}\n"))
        await follows(lambda: (folder / "b.yaml").replace(folder / "a.yaml"))
        await follows((folder / "a.yaml").unlink)
        await follows(lambda: file.write_text("sites: {}\n"))


async def test_a_preset_of_an_application(file: pathlib.Path) -> None:
    source = yaml_file.YamlFile(file)
    folder = file.with_name("apps")
    async with contextlib.aclosing(source.changes()) as changes:  # type: ignore[type-var]
        async with asyncio.timeout(LIMIT_S):
            folder.mkdir()
            (folder / "mine.yaml").write_text("title: Mine\n")
            assert await anext(changes) == ""
            (folder / "mine.yaml").write_text("title: Mine\nport: 80\n")
            assert await anext(changes) == ""
