"""Every version of the file that could be read is kept, and none that could not."""

import asyncio
import contextlib
import pathlib

import pytest

from daemun.errors import ConfigError
from daemun.sources import last_good_file, yaml_file
from daemun.store import memory_store


async def test_what_could_be_read_is_recalled(tmp_path: pathlib.Path) -> None:
    path, store = tmp_path / "daemun.yaml", memory_store.MemoryStore()
    source = last_good_file.Remembering(yaml_file.YamlFile(path), store, path)
    assert last_good_file.recall(store, path) is None
    keeping = asyncio.create_task(source.run())
    try:
        for host in ("one.test", "two.test"):
            path.write_text(f"sites:\n  {host}: http://127.0.0.1:1\n")
            await source.read()
            async with asyncio.timeout(60):
                while (known := last_good_file.recall(store, path)) is None or known.sites[0].host != host:
                    await asyncio.sleep(0.005)
        path.write_text("sites: [broken")
        with pytest.raises(ConfigError):
            await source.read()
        await asyncio.sleep(0)
        known = last_good_file.recall(store, path)
        assert known is not None
        assert [site.host for site in known.sites] == ["two.test"]
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping


async def test_a_folder_that_is_gone_takes_no_site_away(tmp_path: pathlib.Path) -> None:
    """A share that is not mounted, or a checkout that is under way; the remembered files stay, so that they can be put
    back, also after a start."""
    path, store, folder, away = (
        tmp_path / "daemun.yaml",
        memory_store.MemoryStore(),
        tmp_path / "sites",
        tmp_path / "away",
    )
    folder.mkdir()
    path.write_text("include: sites/*.yaml\nsites: {a.test: http://a}\n")
    files = {"sites/b.yaml": b"sites: {b.test: http://b}\n", "sites/c.yaml": b"sites: {c.test: http://c}\n"}
    for name, text in files.items():
        (tmp_path / name).write_bytes(text)
    source = yaml_file.YamlFile(path)
    remembering = last_good_file.Remembering(source, store, path)
    await remembering.read()
    store.write(last_good_file.KEY, path.read_bytes())
    last_good_file.write_included(store, source.included)
    folder.rename(away)
    started = yaml_file.YamlFile(path)
    known = last_good_file.recall(store, path, started)
    for reading in (remembering, last_good_file.Remembering(started, store, path, known)):
        for _ in range(2):
            found = await reading.read()
            faults = {site.host: site.fault.reason if site.fault else None for site in found.sites}
            assert faults.pop("a.test") is None
            assert faults.keys() == {"b.test", "c.test"}
            for host, reason in faults.items():
                assert reason is not None
                assert f"sites/{host[0]}.yaml:1:1: cannot be read: its folder is not there; put it back" in reason
    assert last_good_file.read_included(store) == files
    folder.mkdir()  # what is gone on purpose
    (away / "c.yaml").rename(folder / "c.yaml")
    assert {site.host for site in (await remembering.read()).sites} == {"a.test", "c.test"}
