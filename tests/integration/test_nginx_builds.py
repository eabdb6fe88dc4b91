"""Debian's nginx beside the system: fetched and verified by the real apt, unpacked, checked, used. What fails on the
way leaves what was there."""

import collections.abc
import contextlib
import datetime
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from daemun import errors
from daemun.core import layout as layout_
from daemun.core import render_environment
from daemun.nginx import find_nginx
from daemun.nginx.builds import build_facts, build_list, check_build, debian_packages, install_build, installed_builds
from tests.support import binaries, debian_mirror
from tests.support.debian_mirror import Mirror, packages  # noqa: F401 fixture

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(900)]  # a busy machine takes minutes to read lists of packages

Packages = tuple[pathlib.Path, ...]


@pytest.fixture
def mirror() -> collections.abc.Iterator[Mirror]:
    binaries.program("apt-get", "apt")
    with debian_mirror.running() as running:
        yield running


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> layout_.Layout:
    return layout_.Layout(str(tmp_path / "state"))


@pytest.fixture
def before(layout: layout_.Layout, packages: Packages) -> pathlib.Path:  # noqa: F811
    """The folder of builds, with one that is used."""
    install_build.install(pathlib.Path(layout.builds), lambda _: packages)
    return pathlib.Path(layout.builds)


def from_mirror(mirror: Mirror, *, accept_expired: bool = True) -> install_build.Fetch:
    def fetch(folder: pathlib.Path) -> Packages:
        return debian_packages.fetch(folder, mirror=mirror.uri, suites=("sid",), accept_expired=accept_expired).files

    return fetch


def test_debians_newest_serves_beside_the_system(mirror: Mirror, layout: layout_.Layout) -> None:
    made = install_build.install(pathlib.Path(layout.builds), from_mirror(mirror))
    usable = find_nginx.examine(made.path)
    assert isinstance(usable, render_environment.Nginx)
    assert usable.version >= find_nginx.OLDEST
    assert usable.keeps_large_pieces, "it is glibc's"
    assert {"ngx_http_brotli_filter_module.so", "ngx_http_geoip2_module.so"} <= {
        pathlib.Path(module).name for module in usable.modules
    }
    assert render_environment.Feature.POST_QUANTUM in usable.features
    assert build_facts.read(made.path).patched is not None, "its package has a changelog"
    assert installed_builds.find_current(layout) == made.path
    # Its libraries are its own, whatever the system has.
    ldd = subprocess.run(
        [str(next(made.folder.glob("usr/lib/*/ld-linux*"))), "--list", made.path],
        capture_output=True,
        text=True,
        check=True,
    )
    outside = [line for line in ldd.stdout.splitlines() if "=>" in line and str(made.folder) not in line]
    assert outside == []
    assert list(pathlib.Path(layout.builds).glob(f"{installed_builds.STAGING}*")) == []


def test_what_is_there_is_not_made_again(before: pathlib.Path, packages: Packages) -> None:  # noqa: F811
    (first,) = installed_builds.list_installed(layout_.Layout(str(before.parent)))
    made = pathlib.Path(first.path).stat().st_ino
    again = install_build.install(before, lambda _: packages)
    assert (again, pathlib.Path(again.path).stat().st_ino) == (first, made)


def test_a_damaged_one_is_left_and_another_made_beside_it(
    before: pathlib.Path,
    packages: Packages,  # noqa: F811
) -> None:
    (first,) = installed_builds.list_installed(layout_.Layout(str(before.parent)))
    pathlib.Path(first.path).write_bytes(b"no program")
    again = install_build.install(before, lambda _: packages)
    assert again.name == f"{first.name}.2"
    assert installed_builds.find_current(layout_.Layout(str(before.parent))) == again.path
    with pytest.raises(errors.EnvironmentProblemError, match="remove it with `daemun nginx rm`"):
        installed_builds.use(layout_.Layout(str(before.parent)), first.name)


def flip(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("/InRelease", "signature|clearsigned|GPG"),
        ("/nginx_", "Hash Sum mismatch|hash"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(mirror: Mirror, before: pathlib.Path, part: str, words: str) -> None:
    mirror.spoil = lambda path, content: flip(content) if part in path else content
    assert_refused(mirror, before, words)


@pytest.mark.parametrize("part", ["/main/binary-", "/libpcre2"])
def test_a_network_that_goes_away_half_way_leaves_what_was_there(
    mirror: Mirror, before: pathlib.Path, part: str
) -> None:
    mirror.cut = lambda path: part in path
    assert_refused(mirror, before, "--from FILE.deb")


def assert_refused(mirror: Mirror, before: pathlib.Path, words: str) -> None:
    layout = layout_.Layout(str(before.parent))
    used = installed_builds.find_current(layout)
    assert used is not None
    with pytest.raises(errors.EnvironmentProblemError, match=f"(?is)cannot fetch nginx from .*({words})"):
        install_build.install(before, from_mirror(mirror))
    assert mirror.asked, "it came that far"
    assert installed_builds.find_current(layout) == used
    check_build.check(used)
    assert sorted(path.name for path in before.iterdir()) == sorted(
        [".lock", "current", pathlib.Path(used).parents[2].name]
    )


def test_a_list_whose_last_day_has_passed_is_refused_unless_it_is_accepted(
    mirror: Mirror, tmp_path: pathlib.Path
) -> None:
    """Which of the two this machine's mirror has, is its own."""
    refused = None
    try:
        from_mirror(mirror, accept_expired=False)(tmp_path / "strict")
    except errors.EnvironmentProblemError as error:
        refused = str(error)
    if refused is not None:
        assert "is expired" in refused
        assert "--accept-expired" in refused
    assert from_mirror(mirror)(tmp_path / "lenient")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_leaves_what_was_there(tmp_path: pathlib.Path, packages: Packages) -> None:  # noqa: F811
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(disk)], check=False).returncode != 0:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        layout = layout_.Layout(str(disk / "s"))
        builds = pathlib.Path(layout.builds)
        first = install_build.install(builds, lambda _: packages)
        with pytest.raises(errors.EnvironmentProblemError, match=r"cannot unpack .*; free some space there"):
            install_build.install(builds, lambda _: _renamed(tmp_path, packages))
        assert sorted(path.name for path in builds.iterdir()) == sorted([".lock", "current", first.name])
        assert installed_builds.find_current(layout) == first.path
        check_build.check(first.path)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _renamed(folder: pathlib.Path, packages: Packages) -> Packages:  # noqa: F811
    """The same as another version, which is to be installed beside the first."""
    (nginx,) = (path for path in packages if path.name.startswith("nginx_"))
    subprocess.run(["dpkg-deb", "--raw-extract", str(nginx), str(folder / "raw")], check=True)
    control = folder / "raw" / "DEBIAN" / "control"
    control.write_text(re.sub("(?m)^Version: .*$", "Version: 99.1-1", control.read_text()))
    subprocess.run(
        ["dpkg-deb", "--build", str(folder / "raw"), str(folder / "nginx.deb")], check=True, stdout=subprocess.DEVNULL
    )
    return (folder / "nginx.deb", *(path for path in packages if path != nginx))


def test_packages_without_nginx_are_refused(tmp_path: pathlib.Path, packages: Packages) -> None:  # noqa: F811
    libraries = tuple(path for path in packages if not path.name.startswith("nginx_"))
    with pytest.raises(errors.EnvironmentProblemError, match="0 of the packages are nginx itself"):
        install_build.install(tmp_path / "builds", lambda _: libraries)
    garbage = tmp_path / "nginx_9_amd64.deb"
    garbage.write_bytes(b"no package")
    with pytest.raises(errors.EnvironmentProblemError, match=r"cannot read .*nginx_9_amd64.deb: dpkg-deb: "):
        install_build.install(tmp_path / "builds", lambda _: (garbage,))
    assert [path.name for path in (tmp_path / "builds").iterdir()] == [".lock"]


def test_a_library_that_is_missing_is_told_and_nothing_used(
    tmp_path: pathlib.Path,
    packages: Packages,  # noqa: F811
) -> None:
    some = tuple(path for path in packages if not path.name.startswith("libssl3"))
    with contextlib.suppress(errors.EnvironmentProblemError):
        made = install_build.install(tmp_path / "builds", lambda _: some)
        check_build.check(made.path)  # the system's own did
        return
    assert [path.name for path in (tmp_path / "builds").iterdir()] == [".lock"]


def test_what_a_killed_one_left_is_removed(before: pathlib.Path, packages: Packages) -> None:  # noqa: F811
    left = before / f"{installed_builds.STAGING}abc"
    shutil.copytree(pathlib.Path(__file__).parent, left)
    install_build.install(before, lambda _: packages)
    assert not left.exists()


def test_one_at_a_time(before: pathlib.Path, packages: Packages) -> None:  # noqa: F811
    with (
        installed_builds.lock(before),
        pytest.raises(errors.EnvironmentProblemError, match="another `daemun nginx` is at work"),
    ):
        install_build.install(before, lambda _: packages)


def test_one_that_serves_is_not_removed(before: pathlib.Path) -> None:
    layout = layout_.Layout(str(before.parent))
    (one,) = installed_builds.list_installed(layout)
    with pytest.raises(errors.EnvironmentProblemError, match="it serves now"):
        installed_builds.remove(layout, one.name, running=one.path)
    with pytest.raises(errors.EnvironmentProblemError, match=f'"9.9".*there is {one.name}'):
        installed_builds.remove(layout, "9.9", running=None)
    installed_builds.remove(layout, one.name, running=str(binaries.nginx_path()))
    assert installed_builds.list_installed(layout) == ()
    assert installed_builds.find_current(layout) is None


def test_the_list_tells_of_each_and_what_it_would_bring(before: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = find_nginx.find_bundled() or pytest.skip("the extra daemun[nginx] is not installed")
    monkeypatch.setenv("PATH", "/nonexistent")
    layout = layout_.Layout(str(before.parent))
    listed = build_list.list_builds(layout, named=None, path="", today=datetime.date(2026, 11, 28))
    by_origin = {one.origin.value: one for one in listed}
    installed, old = by_origin["installed"], by_origin["bundled"]
    assert (installed.is_next, old.is_next, old.path) == (True, False, bundled)
    assert installed.http3
    assert installed.key_exchange == ("X25519MLKEM768",)
    installed_builds.drop_choice(before)
    listed = build_list.list_builds(layout, named=bundled, path="", today=datetime.date(2026, 11, 28))
    assert listed[0].is_next
    (installed,) = (one for one in listed if one.origin.value == "installed")
    gained = {render_environment.Feature.POST_QUANTUM.value, "HTTP/3, by nginx of your own"}
    assert gained | {"ngx_http_brotli_filter_module"} <= set(installed.gains)
