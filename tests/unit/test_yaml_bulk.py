"""Many sites of a long file are switched at once: what is read grows with them, and not with the file."""

import collections.abc
import contextlib
import pathlib
import sys
import types

import pytest

from daemun.sources import yaml_bulk, yaml_edit, yaml_holder, yaml_positions

DISABLE = yaml_bulk.SiteSwitch(
    what="disable",
    write=lambda places: places.with_enabled(enabled=False),
    read=lambda site: site.with_enabled(enabled=False) if site.is_enabled() else site.value,
    alone=lambda file, host: yaml_edit.set_enabled(file, host, enabled=False),
)
ODD = """\
  'quoted.test': http://127.0.0.1:1
  braces.test: {routes: {/: http://127.0.0.1:1}}
  words.test:
    routes:
      /: {respond: {status: 200, text: "a.test: http://x"}}
"""


def write(folder: pathlib.Path, count: int, more: str = ODD) -> yaml_holder.Holder:
    lines = "".join(f"  site-{number:05}.test: http://127.0.0.1:1\n" for number in range(count))
    path = folder / f"{count}.yaml"
    path.write_text(f"docker: off\nsites:\n{lines}{more}")
    return yaml_holder.of_path(path)


@contextlib.contextmanager
def counting() -> collections.abc.Iterator[list[int]]:
    """Yields: the length of each text that is read as YAML."""
    lengths: list[int] = []

    def note(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is yaml_positions.compose.__code__:
            lengths.append(len(frame.f_locals["text"]))

    sys.setprofile(note)
    try:
        yield lengths
    finally:
        sys.setprofile(None)


def test_what_is_read_grows_with_the_sites_that_change(tmp_path: pathlib.Path) -> None:
    yaml_bulk.change(write(tmp_path, 500), ["site-00001.test"], DISABLE)  # what is read once and kept
    read = []
    for count in (600, 1800):
        holder = write(tmp_path, count)
        with counting() as lengths:
            yaml_bulk.change(holder, [f"site-{number:05}.test" for number in range(20, 40)], DISABLE)
        assert holder.path.read_text().count("enabled: false") == 20
        read.append((len(lengths), sum(lengths)))
    assert read[0] == pytest.approx(read[1], rel=0.01)


def test_a_long_file_means_the_same_as_when_each_is_edited_alone(tmp_path: pathlib.Path) -> None:
    hosts = ["quoted.test", "braces.test", "words.test", "site-00000.test", "site-00700.test", "site-00899.test"]
    holder = write(tmp_path, 900)
    yaml_bulk.change(holder, hosts, DISABLE)
    together = yaml_positions.load(holder.path.read_text()).value
    holder = write(tmp_path, 900)
    for host in hosts:
        DISABLE.alone(holder, host)
    assert together == yaml_positions.load(holder.path.read_text()).value
