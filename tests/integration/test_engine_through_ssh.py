"""An engine of another machine through the system's ssh: a real sshd on loopback, and a real Docker behind it."""

import asyncio
import collections.abc
import os
import pathlib
import tempfile

import psutil
import pytest

from daemun.core import model
from daemun.errors import ConfigError
from daemun.sources.docker import docker_source, engine_place, own_container, ssh_connector
from tests.support import clock, ssh_server
from tests.support import docker_engine as engines
from tests.support.docker_values import endpoints, messages
from tests.support.followed import LONGEST_S, SERVE, Followed, following, get

pytestmark = pytest.mark.docker

A = {"daemun.host": "a.test"}


@pytest.fixture(scope="module")
def sshd() -> collections.abc.Iterator[ssh_server.SshServer]:
    with tempfile.TemporaryDirectory(prefix="sshd-") as folder, ssh_server.serving(pathlib.Path(folder)) as server:
        yield server


@pytest.fixture
def ssh(sshd: ssh_server.SshServer, monkeypatch: pytest.MonkeyPatch) -> collections.abc.Iterator[ssh_server.SshServer]:
    monkeypatch.setenv("PATH", f"{sshd.path}:{os.environ['PATH']}")
    yield sshd
    sshd.trust()


def source_of(engine: engines.DockerEngine) -> docker_source.DockerSource:
    endpoint = engine_place.EngineEndpoint(url=f"ssh://{ssh_server.ALIAS}{engine.socket}", machine="127.0.0.1")
    return docker_source.DockerSource((endpoint,), clock.FakeClock(), traces=own_container.Traces())


def running_ssh(server: ssh_server.SshServer) -> list[psutil.Process]:
    """Those of this process."""
    configuration = str(server.path.parent / "ssh_config")
    own = psutil.Process().children()
    return [one for one in own if one.status() != psutil.STATUS_ZOMBIE and configuration in one.cmdline()]


async def test_containers_are_followed_and_reached_by_their_published_ports(
    ssh: ssh_server.SshServer, docker_engine: engines.DockerEngine
) -> None:
    followed = Followed(source_of(docker_engine))
    async with followed.running():
        await followed.until(lambda found: found.sites == () and found.problems == ())
        await asyncio.to_thread(docker_engine.run, "web-1", *SERVE, labels=A, options=["--publish=127.0.0.1::80"])
        at = docker_engine.cli("port", "web-1", "80/tcp")
        found = await followed.until_serving(at)
        assert await get(found) == "a page\n"
        assert 1 <= len(running_ssh(ssh)) <= 3  # one for the events, and a bounded number for queries
        await asyncio.to_thread(docker_engine.remove, "web-1")
        await followed.until_serving()
    assert running_ssh(ssh) == []


async def test_a_connection_that_breaks_is_made_again(
    ssh: ssh_server.SshServer, docker_engine: engines.DockerEngine
) -> None:
    docker_engine.run("web-1", *SERVE, labels=A, options=["--publish=127.0.0.1::80"])
    at = docker_engine.cli("port", "web-1", "80/tcp")
    async with following(source_of(docker_engine)) as followed:
        await followed.until_serving(at)
        ssh.trust(key="stranger")
        for one in running_ssh(ssh):
            one.kill()
        gone = await followed.until(lambda found: "Permission denied" in "".join(map(str, found.problems)))
        assert endpoints(gone, "a.test") == [at]
        ssh.trust()
        await followed.until(lambda found: found.problems == ())
    (told,) = messages(gone, model.Severity.WARNING)
    assert "`ssh-copy-id nas`" in told and "the containers that it listed last are taken as unchanged" in told


async def test_an_engine_that_hangs_there_is_reported_and_a_key_for_this_alone_is_enough(
    ssh: ssh_server.SshServer, docker_engine: engines.DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh.restrict(f"docker --host {docker_engine.url} system dial-stdio")
    source = source_of(docker_engine)
    docker_engine.freeze()
    monkeypatch.setattr(ssh_connector, "ANSWER_S", 2.0)
    with pytest.raises(ConfigError, match=r"cannot make the engine at ssh://nas/.* it did not answer in time"):
        await source.read()
    monkeypatch.setattr(ssh_connector, "ANSWER_S", LONGEST_S)
    docker_engine.thaw()
    assert (await source.read()).problems == ()


async def test_what_ssh_refuses_is_told_in_its_last_line(
    ssh: ssh_server.SshServer, docker_engine: engines.DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(docker_engine)
    ssh.trust(is_known=False)
    with pytest.raises(ConfigError, match=r'"Host key verification failed\."; compare and accept its key once with'):
        await source.read()
    ssh.trust(key="stranger")
    with pytest.raises(ConfigError, match=r"Permission denied \(publickey\).*`ssh-copy-id nas`"):
        await source.read()
    ssh.trust()
    (endpoint,) = (one.endpoint for one in source._watches)
    nowhere = engine_place.EngineEndpoint(url="ssh://nas/nowhere.sock", machine=endpoint.machine)
    missing = docker_source.DockerSource((nowhere,), clock.FakeClock(), traces=own_container.Traces())
    with pytest.raises(ConfigError, match=r"ssh reports .*`ssh nas docker version`"):
        await missing.read()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match=r"ssh is not installed on this machine.*`apt install openssh-client`"):
        await source.read()
    assert running_ssh(ssh) == []
