"""What the machine refuses nginx: space, rights, the binary itself.

Some need root and a system that lets it mount or change accounts; so the module as a whole does not carry the marker
`nginx`, whose tests may never be skipped in CI.
"""

import collections.abc
import dataclasses
import os
import pathlib
import subprocess

import pytest

from daemun import errors
from daemun.core import layout as layout_
from daemun.nginx import config_test, find_nginx, generation_folders, nginx_server, worker_account
from tests.support import binaries, nginx_state, ports


@pytest.fixture
def layout() -> collections.abc.Iterator[layout_.Layout]:
    with nginx_state.state_directory() as found:
        yield found


async def test_full_disk_is_told_and_leaves_what_runs(layout: layout_.Layout) -> None:
    if not nginx_state.is_root():
        pytest.skip("only root can mount a small file system")
    pathlib.Path(layout.nginx).mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", layout.nginx], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.strip()}")
    try:
        nginx = nginx_server.NginxServer(
            find_nginx.find(str(binaries.nginx_path())), layout, worker_account.choose(None)
        )
        site = f"listen 127.0.0.1:{ports.free_port()};"
        assert await nginx.stage(nginx_state.configuration(layout, site)) is None
        assert await nginx.activate() == 1
        big = nginx_state.configuration(layout, site, *["# " + "x" * 20_000] * 20)
        with pytest.raises(errors.EnvironmentProblemError, match="No space left on device; free some space"):
            await nginx.stage(big)
        actual = await nginx.read_actual()
        assert (actual.generation, actual.current_generation) == (1, 1)
        assert await nginx.stage(nginx_state.configuration(layout, site, "server_name other;")) is None
        assert await nginx.activate() == 2
        await nginx.stop(grace_s=1)
    finally:
        subprocess.run(["umount", layout.nginx], check=True)


async def test_low_port_without_the_right_tells_the_ways_out(layout: layout_.Layout) -> None:
    if not nginx_state.is_root():
        pytest.skip("needs root, to become another account")
    if int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("every account may use port 80 here")
    setpriv = binaries.program("setpriv", "util-linux")
    nobody = worker_account.choose("nobody")
    assert nobody is not None
    # The binary of an account without rights: the real nginx, after giving up root.
    wrapper = pathlib.Path(layout.state, "nginx-as-nobody")
    become = f"{setpriv} --reuid={nobody.uid} --regid={nobody.gid} --clear-groups --bounding-set=-all --inh-caps=-all"
    wrapper.write_text(f'#!/bin/sh\nexec {become} "{binaries.nginx_path()}" "$@"\n')
    wrapper.chmod(0o755)
    await nginx_server.NginxServer(find_nginx.find(str(binaries.nginx_path())), layout, nobody).stage(
        {"nginx.conf": b""}
    )
    number = generation_folders.Generations(layout).write(nginx_state.configuration(layout, "listen 127.0.0.1:80;"))
    for folder in (layout.run, layout.temp, layout.logs, layout.nginx, f"{layout.nginx}/gen"):
        os.chown(folder, nobody.uid, nobody.gid)
    for file in (layout.nginx_pid, f"{layout.logs}/error.log"):
        pathlib.Path(file).unlink(missing_ok=True)
    with pytest.raises(errors.EnvironmentProblemError) as raised:
        await config_test.test(str(wrapper), layout, number)
    text = str(raised.value)
    assert text.startswith("cannot listen on 127.0.0.1:80: this account has no right to use port 80")
    assert all(way in text for way in ("as root", "ip_unprivileged_port_start=80", "setcap", "`listen:`"))


@pytest.mark.nginx
async def test_nginx_that_cannot_be_run_is_named(layout: layout_.Layout) -> None:
    found = find_nginx.find(str(binaries.nginx_path()))
    gone = nginx_server.NginxServer(dataclasses.replace(found, path="/nonexistent/nginx"), layout)
    with pytest.raises(errors.EnvironmentProblemError, match="cannot run /nonexistent/nginx: No such file"):
        await gone.stage(nginx_state.configuration(layout))
