"""What no earlier version of a site may show is no file that may come to be: nothing is tried again for it."""

import pathlib

import pytest

from daemun.control import reconciler
from daemun.core import model
from daemun.sources import set_aside, yaml_file

FILE = "sites:\n  a.test: http://127.0.0.1:1\n  b.test: {{/: {wrong}}}\n"


def _read(tmp_path: pathlib.Path, wrong: str) -> tuple[model.Site, tuple[model.Problem, ...]]:
    path = tmp_path / "daemun.yaml"
    path.write_text(FILE.format(wrong=wrong))
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    snapshot = set_aside.set_aside(caught.value, set_aside.LastGoodEntries(), is_start=True)
    (site,) = (one for one in snapshot.sites if one.host == "b.test")
    return site, snapshot.problems


def test_a_folder_with_a_secret_bars_earlier_versions_and_does_not_pass(tmp_path: pathlib.Path) -> None:
    site, problems = _read(tmp_path, f"{{files: {tmp_path}}}")
    assert site.fault is not None
    assert site.fault.bars == (str(tmp_path),)
    assert not reconciler.Outcome(desired=model.Desired(globals=model.Globals()), problems=problems).may_pass


def test_a_file_that_is_missing_bars_them_too_and_may_come_to_be(tmp_path: pathlib.Path) -> None:
    site, problems = _read(tmp_path, "{to: 'https://127.0.0.1:1', server_name: x, verify: missing.pem}")
    assert site.fault is not None
    assert site.fault.bars == (str(tmp_path / "missing.pem"),)
    assert reconciler.Outcome(desired=model.Desired(globals=model.Globals()), problems=problems).may_pass


def test_a_file_of_wrong_sites_alone_is_refused_at_a_start_only(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("sites:\n  a.test: ftp://x\n")
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    with pytest.raises(yaml_file.InvalidFileError):
        set_aside.set_aside(caught.value, set_aside.LastGoodEntries(), is_start=True)
    assert [
        site.host for site in set_aside.set_aside(caught.value, set_aside.LastGoodEntries(), is_start=False).sites
    ] == ["a.test"]


@pytest.mark.parametrize(
    "key", ["b.test:8443", "https://b.test", "https://b.test/", "http://b.test:8080/x", "b.test/", "b.test/api"]
)
def test_a_key_that_is_no_host_stands_for_the_site_that_it_was(tmp_path: pathlib.Path, key: str) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("sites:\n  a.test: http://127.0.0.1:1\n  b.test: http://127.0.0.1:2\n")
    known = {site.host: site for site in yaml_file.read_snapshot(path).sites}
    path.write_text(path.read_text().replace("b.test", key))
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    sites = {
        site.host: site
        for site in set_aside.set_aside(caught.value, set_aside.LastGoodEntries(sites=known), is_start=False).sites
    }
    assert sites.keys() == {"a.test", "b.test"}
    fault = sites["b.test"].fault
    assert fault is not None
    assert key in fault.reason
    assert sites["b.test"].routes == known["b.test"].routes


def test_a_key_that_is_no_host_takes_nothing_from_the_site_that_it_names(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text("sites:\n  b.test: http://127.0.0.1:2\n")
    known = {site.host: site for site in yaml_file.read_snapshot(path).sites}
    path.write_text("sites:\n  b.test: http://127.0.0.1:3\n  b.test:8443: http://127.0.0.1:4\n")
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    sites = {
        site.host: site
        for site in set_aside.set_aside(caught.value, set_aside.LastGoodEntries(sites=known), is_start=False).sites
    }
    assert sites["b.test"].fault is None
    assert sites["b.test"].routes != known["b.test"].routes
