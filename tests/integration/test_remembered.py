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
            async with asyncio.timeout(20):
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
