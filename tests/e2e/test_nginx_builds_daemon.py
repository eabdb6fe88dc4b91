"""`daemun nginx` as a person uses it: Debian's nginx is installed beside the bundled one that serves, taken at the next
start, and one can go back; the known weaknesses of the one that serves are told."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading

import pytest

from daemun.core.nginx_builds import nginx_weaknesses
from daemun.nginx import find_nginx
from tests.support import binaries, debian_mirror
from tests.support.daemon import Daemon, Json, signpost, without_rights
from tests.support.debian_mirror import packages  # noqa: F401 fixture

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(900)]  # a busy machine takes minutes to read lists of packages

Packages = tuple[pathlib.Path, ...]


@pytest.fixture
def own(daemon: Daemon) -> Daemon:
    """A daemun that chooses its nginx itself, and finds none of the system."""
    if find_nginx.find_bundled() is None:
        pytest.skip("the extra daemun[nginx] is not installed")
    del daemon.environment["DAEMUN_NGINX"]
    return daemon


def listed(daemon: Daemon) -> dict[str, Json]:
    """By where it is from; of several the last."""
    return {one["origin"]: one for one in json.loads(daemon.cli_good("nginx", "--json"))["nginx"]}


def install(daemon: Daemon, *words: str) -> str:
    """Returns: what it said. A busy machine takes minutes to read Debian's list of packages."""
    done = daemon.cli("nginx", "install", *words, within_s=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


def from_files(packages: Packages) -> list[str]:  # noqa: F811
    return ["--from", *map(str, packages)]


def test_installed_beside_the_one_that_serves_and_taken_at_the_next_start(
    own: Daemon,
    packages: Packages,  # noqa: F811
) -> None:
    own.write("sites:\n" + signpost("a.test", "one"))
    own.start()
    own.wait_sign("a.test", "one")
    bundled = own.status()["nginx"]["version"]
    said = install(own, *from_files(packages))
    assert "goes on serving; to let this one take over: daemun nginx upgrade" in said
    (name,) = [word for word in said.split() if word.startswith("1.") and "-" in word]

    # Whatever is changed meanwhile is for the one that serves.
    own.write("sites:\n" + signpost("a.test", "two"))
    own.wait_sign("a.test", "two")
    assert own.status()["nginx"]["version"] == bundled
    found = listed(own)
    assert (found["bundled"]["serves"], found["bundled"]["next"]) == (True, False)
    assert (found["installed"]["serves"], found["installed"]["next"]) == (False, True)
    assert found["installed"]["name"] == name
    assert any("X25519MLKEM768" in gain for gain in found["installed"]["gains"])

    # Also by a daemun that finds it running.
    own.cli_good("stop", "--keep-traffic")
    assert own.wait_exit() == 0
    own.start()
    own.wait_sign("a.test", "two")
    own.write("sites:\n" + signpost("a.test", "three"))
    own.wait_sign("a.test", "three")
    assert own.status()["nginx"]["version"] == bundled

    own.cli_good("stop")
    assert own.wait_exit() == 0
    own.write(
        "sites:\n  a.test:\n    routes: {/: {redirect: 'https://sign.test/four', status: 302}}\n    nginx: brotli on;\n"
    )
    own.start()
    own.wait_sign("a.test", "four")
    assert own.status()["nginx"]["version"] == name.partition("-")[0]
    assert listed(own)["installed"]["serves"]
    refused = own.cli("nginx", "rm", name)
    assert (refused.returncode, "it serves now" in refused.stderr) == (1, True)


def test_which_one_is_used_can_be_changed(own: Daemon, packages: Packages) -> None:  # noqa: F811
    install(own, *from_files(packages))
    (first,) = [one["name"] for one in listed(own).values() if one["origin"] == "installed"]
    done = own.cli("nginx", "use", "9.9-9")
    assert (done.returncode, f"there is {first}" in done.stderr) == (1, True)
    assert json.loads(own.cli_good("nginx", "use", first, "--json"))["nginx"]["name"] == first
    assert f"removed: nginx {first}" in own.cli_good("nginx", "rm", first)
    found = listed(own)
    assert "installed" not in found
    assert found["bundled"]["next"]


def test_an_ordinary_user_installs_from_the_mirror(own: Daemon) -> None:
    if os.geteuid() == 0:
        own.run_by = without_rights()
    with debian_mirror.running() as mirror:
        install(own, "--mirror", mirror.uri, "--suite", "sid", "--accept-expired")
    found = listed(own)["installed"]
    assert (found["next"], found["http3"], found["libc"]) == (True, True, "glibc")
    own.write("sites:\n" + signpost("a.test", "one"))
    own.start()
    own.wait_sign("a.test", "one")
    assert own.status()["nginx"]["version"] == found["version"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda one: one.name)
def test_one_that_is_killed_leaves_what_was_there(
    own: Daemon,
    packages: Packages,  # noqa: F811
    number: signal.Signals,
) -> None:
    install(own, *from_files(packages))
    before = listed(own)["installed"]
    waits = threading.Event()
    go_on = threading.Event()

    def hold(path: str, content: bytes) -> bytes:
        if "/libssl3" in path:
            waits.set()
            go_on.wait(400)
        return content

    with debian_mirror.running() as mirror:
        mirror.spoil = hold
        words = own.command("nginx", "install", "--mirror", mirror.uri, "--suite", "sid", "--accept-expired")
        command = subprocess.Popen(
            words, env=own.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            assert waits.wait(400), "it came to the packages"
            os.killpg(command.pid, number)
            assert command.wait(120) != 0
        finally:
            go_on.set()
    assert listed(own)["installed"] == before
    install(own, *from_files(packages))
    assert not list((own.state / "builds").glob(".new-*"))


def test_status_and_doctor_tell_the_weaknesses_that_the_configuration_lays_open(own: Daemon) -> None:
    old = find_nginx.find_bundled()
    assert old is not None
    usable = find_nginx.examine(old)
    assert not isinstance(usable, str)
    (http2,) = (one for one in nginx_weaknesses.read_advisories() if one.cve == "CVE-2026-123007")
    if not nginx_weaknesses.is_vulnerable(usable.version, http2):
        pytest.skip("the bundled nginx is free of the weakness that this looks for")
    own.write("sites:\n" + signpost("a.test", "one"))
    own.start()
    own.wait_sign("a.test", "one")
    assert "the worst CVE-2026-123007" in own.cli_good("status")
    assert applies(own)
    doctor = own.cli("doctor")
    assert (doctor.returncode, "`nginx: http2 off;` in daemun.yaml" in doctor.stdout) == (1, True)

    # What helps meanwhile does.
    own.write("nginx: http2 off;\nsites:\n" + signpost("a.test", "two"))
    own.wait_sign("a.test", "two")
    assert not applies(own)
    assert "CVE-2026-123007" not in own.cli("status").stdout + own.cli("doctor").stdout


def test_a_start_and_doctor_tell_of_an_allocator_that_may_be_slow(own: Daemon, packages: Packages) -> None:  # noqa: F811
    told = "does not have glibc's memory allocator but that of musl: "
    own.write("sites:\n" + signpost("a.test", "one"))
    own.start()
    own.wait(lambda: told in own.log_text(), "the line at the start")
    (line,) = [line for line in own.log_lines() if told in line["event"]]
    assert line["event"].endswith(
        f"; {own.named('nginx install')} gets Debian's, which has glibc's, and {own.named('nginx upgrade')} lets it "
        "take over"
    )
    assert line["level"] == "warning"
    assert told in own.cli("doctor").stdout

    install(own, *from_files(packages))
    doctor = own.cli("doctor").stdout
    assert (told in doctor, f"{own.named('nginx upgrade')} lets nginx 1." in doctor) == (True, True)
    own.cli_good("nginx", "upgrade")
    assert told not in own.cli("doctor").stdout


def test_the_best_is_one_of_the_system_that_is_new_enough(own: Daemon) -> None:
    program = own.root / "sbin" / "nginx"
    program.parent.mkdir()
    shutil.copy(binaries.nginx_path(), program)
    own.environment["PATH"] = f"{program.parent}:{own.environment['PATH']}"
    said = own.cli_good("nginx", "install", "--best")
    assert said.startswith("nginx 1.")
    assert said.endswith(f" of the system is used ({program}): it is new enough\n")
    assert not (own.state / "builds").exists()


def test_the_best_without_a_network_is_the_bundled_one(own: Daemon) -> None:
    own.run_by = ("unshare", "--user", "--map-root-user", "--net")
    if subprocess.run([*own.run_by, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no namespaces here")
    done = own.cli("nginx", "install", "--best", within_s=280)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done.stderr
    assert f"is used ({find_nginx.find_bundled()}), for no newer one can be had: " in done.stdout
    assert not list((own.state / "builds").glob("[!.]*"))


def test_a_file_that_was_replaced_under_the_nginx_that_serves_is_told(daemon: Daemon) -> None:
    """As an update by apt does."""
    program = daemon.root / "sbin" / "nginx"
    program.parent.mkdir()
    shutil.copy(binaries.nginx_path(), program)
    daemon.environment["DAEMUN_NGINX"] = str(program)
    daemon.write("sites:\n" + signpost("a.test", "one"))
    daemon.start()
    daemon.wait_sign("a.test", "one")
    told = "another file has taken its place"
    assert told not in daemon.cli("doctor").stdout
    known = json.loads(daemon.cli_good("status", "--json"))["nginx"]["weaknesses"]
    shutil.copy(binaries.nginx_path(), program.with_name("new"))
    program.with_name("new").replace(program)
    assert told in daemon.cli("doctor").stdout
    assert json.loads(daemon.cli_good("status", "--json"))["nginx"]["weaknesses"] == known
    daemon.write("sites:\n" + signpost("a.test", "two"))
    daemon.wait_sign("a.test", "two")


def applies(daemon: Daemon) -> bool:
    found = json.loads(daemon.cli_good("status", "--json"))["nginx"]["weaknesses"]
    (one,) = (weakness for weakness in found if weakness["name"] == "CVE-2026-123007")
    answer: bool = one["applies"]
    return answer
