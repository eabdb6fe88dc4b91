"""Which engines are queried, how each is called, and which of them are other machines."""

import pathlib

import pytest

from daemun.core import model
from daemun.core.options import docker_option
from daemun.core.texts import engine_urls
from daemun.sources import yaml_file
from daemun.sources.docker import containers, engine_place, ssh_connector

TLS = docker_option.DockerTls(ca="/c a.pem", certificate="/c.pem", key="/k.pem")


def find(*engines: docker_option.EngineChoice, **wanted: object) -> tuple[engine_place.EngineEndpoint, ...]:
    chosen = docker_option.Docker(engines=engines, **wanted)  # type: ignore[arg-type]
    return engine_place.find_endpoints(chosen, {}, like_nginx_proxy=False)


def choice(url: str, name: str = "x", **rest: object) -> docker_option.EngineChoice:
    return docker_option.EngineChoice(name=name, endpoint=url, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "machine"),
    [
        ("unix:///var/run/docker.sock", None),
        ("tcp://127.0.0.1:2375", None),
        ("tcp://localhost:2375", None),
        ("ssh://me@localhost", None),
        ("tcp://10.0.0.7:2376", "10.0.0.7"),
        ("tcp://[fd00::7]:2376", "fd00::7"),
        ("ssh://me@nas:2222/run/podman/podman.sock", "nas"),
    ],
)
def test_another_machine_is_one_that_the_url_leads_to(url: str, machine: str | None) -> None:
    one, _ = find(choice(url), choice("unix:///d.sock", "y"))
    assert (one.name, one.machine) == ("x", machine)


def test_a_single_engine_is_as_ever() -> None:
    (one,) = find(choice("unix:///d.sock"))
    assert one == engine_place.EngineEndpoint(url="unix:///d.sock")
    assert one.mark == containers.ONLY_ENGINE
    (proxy,) = find(endpoint="tcp://socket-proxy:2375")
    assert proxy.machine is None
    (far,) = find(endpoint="tcp://10.0.0.7:2375", address="10.0.0.7")
    assert far.machine == "10.0.0.7"
    (rootless,) = find(endpoint="unix:///run/user/1000/podman/podman.sock", address="127.0.0.1")
    assert rootless.machine == "127.0.0.1"
    (nas,) = find(endpoint="ssh://me@nas")
    assert (nas.machine, nas.mark.name, nas.mark.command) == ("nas", "", "ssh me@nas docker")
    assert find(is_on=False) == ()


@pytest.mark.parametrize(
    ("one", "command"),
    [
        (choice("unix:///var/run/docker.sock"), "docker"),
        (choice("unix:///run/podman/podman.sock"), "docker --host unix:///run/podman/podman.sock"),
        (choice("ssh://me@nas:2222/run/p.sock"), "ssh -p 2222 me@nas docker --host unix:///run/p.sock"),
        (choice("tcp://h:1"), "docker --host tcp://h:1"),
        (
            choice("tcp://h:1", tls=TLS),
            "docker --host tcp://h:1 --tlsverify --tlscacert '/c a.pem' --tlscert /c.pem --tlskey /k.pem",
        ),
    ],
)
def test_a_person_runs_docker_with_each(one: docker_option.EngineChoice, command: str) -> None:
    found, _ = find(one, choice("unix:///d.sock", "y"))
    assert found.mark.command == command


def test_names_and_places() -> None:
    found, other = find(choice("ssh://me@nas", "nas"), choice("unix:///d.sock", "local"))
    assert (found.shown, found.place) == ("the engine nas at ssh://nas", "engine nas (ssh://nas)")
    assert other.place == "engine local (unix:///d.sock)"


# --- ssh -------------------------------------------------------------------------------------------------------


def test_the_command_is_fixed_and_may_not_prompt() -> None:
    command = ssh_connector.make_command(engine_urls.parse_ssh("ssh://me@nas:2222/run/p.sock"))
    assert command[0] == "ssh"
    assert command[-11:] == (
        *("-l", "me", "-p", "2222", "--", "nas"),
        *("docker", "--host", "unix:///run/p.sock", "system", "dial-stdio"),
    )
    assert "BatchMode=yes" in command
    plain = ssh_connector.make_command(engine_urls.parse_ssh("ssh://nas"))
    assert plain[-5:] == ("--", "nas", "docker", "system", "dial-stdio")
    assert not any("StrictHostKeyChecking" in one for one in command)  # ssh's own rules


@pytest.mark.parametrize(
    ("output", "line", "cure"),
    [
        ("Host key verification failed.\r\n", "Host key verification failed.", "`ssh -p 2222 me@nas true`"),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "Host key verification failed.",
            "find out why, and only then",
        ),
        ("me@nas: Permission denied (publickey).", "Permission denied (publickey)", "`ssh-copy-id -p 2222 me@nas`"),
        ("sh: 1: docker: not found", "docker: not found", "podman-docker"),
        (
            "permission denied while trying to connect to the Docker daemon socket",
            "permission denied",
            "`usermod --append --groups docker me`",
        ),
        (
            "ssh: connect to host nas port 22: No route to host",
            "No route to host",
            "`ssh -p 2222 me@nas docker version`",
        ),
        ("a\x1b[2J\x07b", '"a\\u001b[2J\\u0007b"', "docker version"),
        ("x" * 10_000, "…", "docker version"),
    ],
)
def test_the_last_line_of_ssh_is_shown_with_what_to_do(output: str, line: str, cure: str) -> None:
    found = ssh_connector.describe_failure(output, engine_urls.parse_ssh("ssh://me@nas:2222"))
    assert found.startswith("ssh reports ") and line in found and cure in found
    assert len(found) < 1000 and found.isprintable()


def test_only_what_is_found_without_being_named_is_found_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(engine_place, "NGINX_PROXYS_SOCKET", str(tmp_path / "mounted.sock"))
    podman, mounted = f"unix://{engine_place.SOCKETS[2]}", f"unix://{tmp_path}/mounted.sock"
    far = ["ssh://nas", "tcp://10.0.0.7:2376", "unix:///home/ann/docker.sock"]
    assert engine_place.find_again([*far, mounted]) is None
    assert engine_place.find_again([*far, podman]) == engine_place.EngineEndpoint(url=podman, is_found=True)
    found = engine_place.find_again([*far, mounted], like_nginx_proxy=True)
    assert found == engine_place.EngineEndpoint(url=mounted, is_found=True)
    (tmp_path / "mounted.sock").touch()
    assert engine_place.find_again([mounted], like_nginx_proxy=True) is None


@pytest.mark.parametrize("url", ["tcp://me:s3cret@10.0.0.7:2375", "https://me:s3cret@nas", "ssh://me:s3cret@nas"])
def test_a_password_of_an_engine_is_in_no_message(url: str) -> None:
    endpoint = engine_place.EngineEndpoint(url=url, name="nas")
    assert "s3cret" not in f"{endpoint} {endpoint.shown}"


SPELLINGS = "[unix:///var/run/docker.sock, 'unix:////run//docker.sock', 'unix:///run/./docker.sock']"


def test_an_engine_in_several_spellings_is_one_with_a_warning() -> None:
    found = yaml_file.parse(f"docker: {SPELLINGS}\nsites: {{}}\n", file_name="daemun.yaml", base_dir="/")
    assert {one.severity for one in found.problems} == {model.Severity.WARNING}
    assert len(found.problems) == 2
    assert all("is the same engine as one above it, and counts once" in one.message for one in found.problems)
    assert found.globals is not None
    wanted = docker_option.OPTION.of(found.globals)
    (one,) = engine_place.find_endpoints(wanted, {}, like_nginx_proxy=False)
    assert (one.name, one.url) == ("", "unix:///var/run/docker.sock")


def test_engines_of_two_accounts_of_a_machine_are_two() -> None:
    found = yaml_file.parse(
        "docker: [ssh://nas, {endpoint: 'ssh://me@nas', name: mine}]\nsites: {}\n",
        file_name="daemun.yaml",
        base_dir="/",
    )
    assert found.problems == ()
