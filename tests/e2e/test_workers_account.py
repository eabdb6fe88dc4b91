"""N3: nginx's workers, whose group can read the private keys, run under an account that nothing else runs under."""

import pathlib
import pwd
import re
import shutil
import stat
import subprocess

import psutil
import pytest

from tests.support import other_account
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

ONE_SITE = "sites:\n" + signpost("a.test", "one")
_IN_ETC = 'mount --bind "$0" /etc && exec "$@"'


@pytest.fixture
def etc(daemon: Daemon) -> pathlib.Path:
    """An /etc of the daemon's own in which there is no account that could be preferred."""
    other_account.need_root()
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("no mount namespace here")
    copy = daemon.root / "etc"
    shutil.copytree("/etc", copy, symlinks=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        file = copy / name
        if file.exists():
            lines = file.read_text().splitlines(keepends=True)
            file.write_text("".join(line for line in lines if not line.startswith(("daemun:", "nginx:"))))
    daemon.run_by = ("unshare", "--mount", "sh", "-c", _IN_ETC, str(copy))
    return copy


def _users(etc: pathlib.Path) -> dict[str, tuple[int, int, str]]:
    rows = (line.split(":") for line in (etc / "passwd").read_text().splitlines())
    return {row[0]: (int(row[2]), int(row[3]), row[6]) for row in rows}


def _key_groups(daemon: Daemon) -> set[int]:
    keys = [*daemon.state.glob("live/.generations/*/*/privkey.pem")]
    assert keys
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o640}
    return {key.stat().st_gid for key in keys}


def _worker_users(daemon: Daemon) -> set[int]:
    return {psutil.Process(pid).uids().effective for pid in daemon.worker_pids()}


def test_n3_an_account_of_its_own_is_made_at_the_first_start_and_told(daemon: Daemon, etc: pathlib.Path) -> None:
    daemon.write(ONE_SITE)
    assert daemon.cli("check").returncode == 0
    assert "daemun" not in _users(etc), "who only looks makes nothing"
    daemon.start()
    daemon.wait_sign("a.test", "one")
    uid, gid, shell = _users(etc)["daemun"]
    assert shell.endswith("nologin")
    daemon.wait_log("an account that was made for them")
    assert _worker_users(daemon) == {uid}
    assert _key_groups(daemon) == {gid}
    nobody = pwd.getpwnam("nobody")
    assert uid != nobody.pw_uid
    key = next(daemon.state.glob("live/.generations/*/*/privkey.pem"))
    assert "PermissionError" in other_account.run("open(sys.argv[1])", str(key)).stderr
    daemon.cli_good("stop")
    daemon.wait_exit()
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert daemon.log_text().count("an account that was made for them") == 1


def test_n3_where_none_can_be_made_the_start_is_refused_with_the_way_out(daemon: Daemon, etc: pathlib.Path) -> None:
    read_only = _IN_ETC.replace("&&", "&& mount -o remount,ro,bind /etc &&")
    daemon.run_by = (*daemon.run_by[:4], read_only, str(etc))
    daemon.write(ONE_SITE)
    daemon.start()
    assert daemon.wait_exit() == 1
    text = daemon.log_text()
    assert "none of daemun, nginx exists, and none could be made" in text
    assert "useradd --system daemun" in text
    assert daemon.nginx_processes() == []


def test_n3_who_wants_nobody_may_have_it(daemon: Daemon, etc: pathlib.Path) -> None:
    daemon.write("user: nobody\n" + ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert _worker_users(daemon) == {pwd.getpwnam("nobody").pw_uid}
    assert "daemun" not in _users(etc)


@pytest.mark.parametrize("name", ["root", "toor"])
def test_n3_root_is_no_account_for_workers(daemon: Daemon, etc: pathlib.Path, name: str) -> None:
    with (etc / "passwd").open("a") as file:
        file.write("toor:x:0:0::/root:/bin/sh\n")
    daemon.write(f"user: {name}\n" + ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert _worker_users(daemon) == {_users(etc)["daemun"][0]}
    daemon.wait(lambda: f'as user "{name}"' in daemon.cli("status").stdout, "it to be told")
    assert daemon.cli("status").returncode == 3


def test_n3_a_removed_user_is_obeyed_by_the_next_start(daemon: Daemon, etc: pathlib.Path) -> None:
    daemon.write("user: nobody\n" + ONE_SITE)
    assert "other programs run as" in daemon.cli_good("check")
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.wait((daemon.state / "store/history/daemun.yaml").exists, "the file to be remembered")
    assert daemon.terminate() == 0
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert _worker_users(daemon) == {_users(etc)["daemun"][0]}


def test_an_account_that_does_not_exist_keeps_no_site_from_being_served(daemon: Daemon, etc: pathlib.Path) -> None:
    """The keys go to daemun's own account then, not to "nginx", which other programs run as."""
    with (etc / "passwd").open("a") as file:
        file.write("nginx:x:64321:64321::/nonexistent:/usr/sbin/nologin\n")
    with (etc / "group").open("a") as file:
        file.write("nginx:x:64321:\n")
    daemon.write("user: missing\n" + ONE_SITE)
    checked = daemon.cli("check")
    assert checked.returncode == 1
    assert "daemun.yaml:2:7" in checked.stdout + checked.stderr
    assert "`useradd --system missing`" in checked.stdout + checked.stderr
    daemon.start()
    daemon.wait_sign("a.test", "one")
    uid, gid, _ = _users(etc)["daemun"]
    assert _worker_users(daemon) == {uid}
    assert _key_groups(daemon) == {gid}
    status = daemon.cli("status")
    assert status.returncode == 3
    assert "`useradd --system missing`" in status.stdout
    # What else changes goes live, and the account that comes to be is used from the next start on.
    daemon.write("user: missing\nsites:\n" + signpost("a.test", "two"))
    daemon.wait_sign("a.test", "two")
    with (etc / "passwd").open("a") as file:
        file.write("missing:x:64322:64321::/nonexistent:/usr/sbin/nologin\n")
    daemon.cli("apply")
    messages = [problem["message"] for problem in daemon.status()["problems"]]
    assert any("as missing after `daemun stop` and `daemun up`" in message for message in messages), messages
    daemon.cli_good("stop")
    daemon.wait_exit()
    daemon.start()
    daemon.wait_sign("a.test", "two")
    assert _worker_users(daemon) == {64322}


def test_a_running_daemun_keeps_its_account_when_the_file_names_one_that_does_not_exist(
    daemon: Daemon, etc: pathlib.Path
) -> None:
    daemon.write(ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.write("user: missing\nsites:\n" + signpost("a.test", "two"))
    daemon.wait_sign("a.test", "two")
    applied = daemon.cli("apply")
    assert applied.returncode == 1
    assert "`useradd --system missing`" in applied.stdout + applied.stderr
    uid = _users(etc)["daemun"][0]
    assert _worker_users(daemon) == {uid}
    daemon.kill()  # nginx goes on, and the next daemon with it
    daemon.start()
    daemon.wait_ready()
    daemon.write("user: missing\nsites:\n" + signpost("a.test", "three"))
    daemon.wait_sign("a.test", "three")
    assert _worker_users(daemon) == {uid}


def test_n3_workers_that_run_as_nobody_are_served_until_they_are_started_anew(
    daemon: Daemon, etc: pathlib.Path
) -> None:
    """After an upgrade from a daemun that chose nobody: no handshake fails, and what to do is told."""
    daemon.write("user: nobody\n" + ONE_SITE)
    daemon.start()
    daemon.wait_sign("a.test", "one")
    daemon.cli_good("stop", "--keep-traffic")
    daemon.wait_exit()
    # As the earlier daemun left it: nobody was not asked for.
    (daemon.state / "store/history/daemun.yaml").unlink(missing_ok=True)
    daemon.write(ONE_SITE)
    daemon.start()
    status = daemon.wait_ready()
    daemon.wait_sign("a.test", "one")
    assert _worker_users(daemon) == {pwd.getpwnam("nobody").pw_uid}
    messages = [problem["message"] for problem in status["problems"]]
    (told,) = [message for message in messages if "workers run as nobody" in message]
    assert re.search(r"as daemun after `daemun stop` and `daemun up`", told)
    daemon.cli_good("stop")
    daemon.wait_exit()
    daemon.start()
    daemon.wait_sign("a.test", "one")
    assert _worker_users(daemon) == {_users(etc)["daemun"][0]}
    assert _key_groups(daemon) == {_users(etc)["daemun"][1]}
