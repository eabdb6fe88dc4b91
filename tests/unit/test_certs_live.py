"""live/NAME: one whole generation at every moment, readable by the workers' group and nobody else."""

import contextlib
import datetime
import os
import pathlib
import threading

import pytest

from daemun.certs.served import bundle, live_folder, local_ca
from daemun.store import memory_store

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)


@pytest.fixture(name="ca")
def made_ca() -> local_ca.LocalCa:
    return local_ca.load_or_create(memory_store.MemoryStore(), NOW)


def generations(folder: pathlib.Path, name: str) -> set[str]:
    return {path.name for path in (folder / ".generations" / name).iterdir()}


def test_published_files_have_certbots_names_and_content(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    leaf = ca.issue(["a.localhost"], NOW)
    new = bundle.parse(leaf.fullchain_pem + ca.root_pem, leaf.key_pem)
    live_folder.publish(tmp_path, "a.localhost", new, worker_gid=None)
    folder = tmp_path / "a.localhost"
    assert not folder.readlink().is_absolute()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "fullchain.pem": leaf.fullchain_pem + ca.root_pem,
        "privkey.pem": leaf.key_pem,
        "cert.pem": leaf.fullchain_pem,
        "chain.pem": ca.root_pem,
    }
    assert live_folder.read(tmp_path, "a.localhost") == new


def test_the_same_again_writes_nothing(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    new = ca.issue(["a.localhost"], NOW)
    live_folder.publish(tmp_path, "a", new, worker_gid=None)
    live_folder.publish(tmp_path, "a", new, worker_gid=None)
    assert generations(tmp_path, "a") == {"1"}


def test_what_a_power_cut_may_lose_is_made_again(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    first, second = (ca.issue(["a.localhost"], NOW) for _ in range(2))
    live_folder.replace(tmp_path, "a", first, before=None, worker_gid=None, lasting=False)
    assert live_folder.read(tmp_path, "a") == first
    for file in (tmp_path / "a").iterdir():  # names are on the disk, and what they should hold is not
        file.write_bytes(b"")
    before = live_folder.read(tmp_path, "a")
    assert before is None
    live_folder.replace(tmp_path, "a", second, before=before, worker_gid=None, lasting=False)
    assert live_folder.read(tmp_path, "a") == second
    assert generations(tmp_path, "a") == {"1", "2"}


def test_the_leaf_alone_is_the_chain_and_takes_no_further_file(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    new = ca.issue(["a.localhost"], NOW)
    live_folder.publish(tmp_path, "a", new, worker_gid=None)
    assert (tmp_path / "a" / "cert.pem").samefile(tmp_path / "a" / "fullchain.pem")
    assert (tmp_path / "a" / "chain.pem").read_bytes() == b""


def test_the_last_two_generations_stay(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    for _ in range(4):
        live_folder.publish(tmp_path, "a", ca.issue(["a.localhost"], NOW), worker_gid=None)
    assert generations(tmp_path, "a") == {"3", "4"}
    assert (tmp_path / "a").readlink() == pathlib.Path(".generations/a/4")


def test_what_a_killed_write_left_is_passed_over(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    first, second = ca.issue(["a.localhost"], NOW), ca.issue(["a.localhost"], NOW)
    live_folder.publish(tmp_path, "a", first, worker_gid=None)
    half = tmp_path / ".generations" / "a" / "2"
    half.mkdir()
    (half / "fullchain.pem").write_bytes(b"half")
    (tmp_path / ".~a").symlink_to(".generations/a/2")
    assert live_folder.read(tmp_path, "a") == first
    live_folder.publish(tmp_path, "a", second, worker_gid=None)
    assert live_folder.read(tmp_path, "a") == second
    assert generations(tmp_path, "a") == {"1", "3"}


def test_a_damaged_generation_is_replaced(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    new = ca.issue(["a.localhost"], NOW)
    live_folder.publish(tmp_path, "a", new, worker_gid=None)
    (tmp_path / "a" / "privkey.pem").write_bytes(b"")
    assert live_folder.read(tmp_path, "a") is None
    live_folder.publish(tmp_path, "a", new, worker_gid=None)
    assert live_folder.read(tmp_path, "a") == new


def test_without_workers_of_their_own_only_the_owner_reads(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    folder = tmp_path / "live"
    live_folder.publish(folder, "a", ca.issue(["a.localhost"], NOW), worker_gid=None)
    assert (folder / "a" / "privkey.pem").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_workers_group_reads_and_a_new_group_gets_a_new_generation(
    tmp_path: pathlib.Path, ca: local_ca.LocalCa
) -> None:
    folder, gid = tmp_path / "live", os.getgid()
    new = ca.issue(["a.localhost"], NOW)
    live_folder.publish(folder, "a", new, worker_gid=None)
    live_folder.publish(folder, "a", new, worker_gid=gid)
    for path in (folder, folder / ".generations", folder / ".generations" / "a", folder / "a"):
        assert path.stat().st_mode & 0o777 == 0o750
        assert path.stat().st_gid == gid
    for file in (folder / "a").iterdir():
        assert file.stat().st_mode & 0o777 == 0o640
        assert file.stat().st_gid == gid
    assert generations(folder, "a") == {"1", "2"}


def test_a_reader_never_sees_a_key_without_its_chain(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    bundles = [ca.issue(["a.localhost"], NOW) for _ in range(2)]
    live_folder.publish(tmp_path, "a", bundles[0], worker_gid=None)
    done = threading.Event()

    def swap() -> None:
        for turn in range(1, 60):
            live_folder.publish(tmp_path, "a", bundles[turn % 2], worker_gid=None)
        done.set()

    writer = threading.Thread(target=swap)
    writer.start()
    mixed = 0
    while not done.is_set():
        # As nginx after its first read: the generation is known, the one before the newest at most.
        folder = (tmp_path / "a").resolve()
        with contextlib.suppress(FileNotFoundError):  # this thread slept while two more generations were made
            found = bundle.parse((folder / "fullchain.pem").read_bytes(), (folder / "privkey.pem").read_bytes())
            mixed += found not in bundles
    writer.join()
    assert mixed == 0


def test_names_that_are_not_kept_are_removed(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    live_folder.remove_except(tmp_path / "none yet", {"a"})
    for name in ("a", "b"):
        live_folder.publish(tmp_path, name, ca.issue([f"{name}.localhost"], NOW), worker_gid=None)
    live_folder.remove_except(tmp_path, {"a"})
    assert {path.name for path in tmp_path.iterdir()} == {"a", ".generations"}
    assert {path.name for path in (tmp_path / ".generations").iterdir()} == {"a"}
    assert live_folder.read(tmp_path, "a") is not None


def test_names_share_a_generation_until_each_has_its_own(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    names = ["a.test", "b.test", "c.test"]
    shared = ca.issue(names, NOW)
    live_folder.share(tmp_path, names, shared, worker_gid=None)
    assert all(live_folder.read(tmp_path, name) == shared and live_folder.is_shared(tmp_path, name) for name in names)
    assert (tmp_path / "a.test" / "privkey.pem").stat().st_mode & 0o777 == 0o600

    for number, name in enumerate(names):
        live_folder.publish(tmp_path, name, ca.issue([name], NOW), worker_gid=None)
        assert not live_folder.is_shared(tmp_path, name)
        live_folder.remove_except(tmp_path, names)
        left = [path for path in (tmp_path / ".generations").iterdir() if path.name.startswith(".shared-")]
        assert len(left) == (number < len(names) - 1), "it stays as long as a name needs it"
    assert [live_folder.read(tmp_path, name) for name in names] != [shared] * 3


def test_a_link_without_a_target_is_no_hindrance(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    (tmp_path / "a.test").symlink_to(".generations/a.test/7")
    shared = ca.issue(["a.test", "b.test"], NOW)
    live_folder.share(tmp_path, ["a.test", "b.test"], shared, worker_gid=None)
    assert (live_folder.read(tmp_path, "a.test"), live_folder.read(tmp_path, "b.test")) == (shared, shared)


def test_names_that_share_are_removed_with_what_they_shared(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    live_folder.share(tmp_path, ["a.test", "b.test"], ca.issue(["a.test", "b.test"], NOW), worker_gid=None)
    live_folder.remove(tmp_path, "a.test")
    assert (live_folder.read(tmp_path, "a.test"), live_folder.read(tmp_path, "b.test") is not None) == (None, True)
    live_folder.remove_except(tmp_path, ())
    assert not list((tmp_path / ".generations").iterdir())


def test_c1_a_name_that_shared_a_generation_gets_its_own_again(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    both, own = ca.issue(["a.test", "b.test"], NOW), [ca.issue(["b.test"], NOW) for _ in range(4)]
    for new in own[:2]:
        live_folder.publish(tmp_path, "b.test", new, worker_gid=None)
    for _ in range(4):
        live_folder.publish(tmp_path, "a.test", ca.issue(["a.test", "b.test"], NOW), worker_gid=None)
    live_folder.publish(tmp_path, "a.test", both, worker_gid=None)
    live_folder.join(tmp_path, "b.test", "a.test")
    assert live_folder.read(tmp_path, "b.test") == both
    live_folder.remove_except(tmp_path, {"b.test"})
    assert live_folder.read(tmp_path, "b.test") == both, "what it shares stays"
    for new in own[2:]:
        live_folder.publish(tmp_path, "b.test", new, worker_gid=None)
        assert live_folder.read(tmp_path, "b.test") == new


def test_c9_a_name_whose_generation_is_of_another_name_gets_its_own(
    tmp_path: pathlib.Path, ca: local_ca.LocalCa
) -> None:
    both = ca.issue(["a.test", "b.test"], NOW)
    live_folder.publish(tmp_path, "a.test", both, worker_gid=None)
    live_folder.join(tmp_path, "b.test", "a.test")
    live_folder.publish(tmp_path, "b.test", both, worker_gid=None)  # it is to have the same for itself
    for _ in range(3):
        live_folder.publish(tmp_path, "a.test", ca.issue(["a.test"], NOW), worker_gid=None)
    assert live_folder.read(tmp_path, "b.test") == both


def test_c9_a_second_one_and_its_room(tmp_path: pathlib.Path, ca: local_ca.LocalCa) -> None:
    first, second, third = (ca.issue(["a.test"], NOW) for _ in range(3))

    def put(new: bundle.Bundle, beside: bundle.Bundle | None) -> None:
        before = live_folder.read(tmp_path, "a.test")
        live_folder.replace(tmp_path, "a.test", new, before=before, worker_gid=None, lasting=True, second=beside)

    put(first, None)
    assert live_folder.read_second(tmp_path, "a.test") is None
    put(first, first)
    assert live_folder.read_second(tmp_path, "a.test") == first
    put(first, second)
    assert (live_folder.read(tmp_path, "a.test"), live_folder.read_second(tmp_path, "a.test")) == (first, second)
    assert live_folder.holds(tmp_path, "a.test", first, worker_gid=None, second=second)
    assert not live_folder.holds(tmp_path, "a.test", first, worker_gid=None, second=first)
    assert (tmp_path / "a.test" / "privkey-2.pem").stat().st_mode & 0o777 == 0o600
    mark = live_folder.mark(tmp_path, "a.test", has_second=True)
    put(first, second)
    assert live_folder.mark(tmp_path, "a.test", has_second=True) == mark, "nothing is written anew"
    put(third, None)
    assert live_folder.read_second(tmp_path, "a.test") == third, "nginx may still look for it"
