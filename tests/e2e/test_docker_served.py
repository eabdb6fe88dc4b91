"""daemun on the host, and containers that come, go, are replaced and scaled: what their visitors notice."""

import asyncio
import contextlib
import functools
import statistics
import time
import typing

import pytest

from tests.support import clients
from tests.support import daemon as daemons
from tests.support.docker_engine import IMAGE, IMAGE_WITHOUT_PORT, DockerEngine

pytestmark = [pytest.mark.nginx, pytest.mark.docker, pytest.mark.timeout(600)]

HTTPD = ("httpd", "-f", "-p", "80", "-h", "/www")
ROUNDS = 10


@pytest.fixture
def gate(daemon: daemons.Daemon, docker_engine: DockerEngine) -> daemons.Daemon:
    """A daemun that serves the containers of the engine, and one site of its file."""
    daemon.preamble = f"docker: {{endpoint: '{docker_engine.url}', reserve: [admin.test]}}\n"
    daemon.write("sites:\n" + daemons.signpost("file.test", "file"))
    daemon.start()
    daemon.wait_sign("file.test", "file")
    return daemon


def label(host: str) -> dict[str, str]:
    return {"daemun.host": host}


def until_served(gate: daemons.Daemon, host: str, text: str | None = None) -> None:
    gate.wait_answer(
        f"https://{host}/", lambda answer: answer.status_code == 200 and (text is None or answer.text == text)
    )


def container(status: daemons.Json, name: str) -> daemons.Json:
    (found,) = (one for one in status["containers"] if one["name"] == name)
    return typing.cast(daemons.Json, found)


# --- how soon --------------------------------------------------------------------------------------------------


def test_how_soon_a_label_is_a_site_with_https(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    new_s, replaced_s = [], []
    for number in range(ROUNDS):
        host, name = f"web-{number}.test", f"web-{number}"
        docker_engine.run(name, *HTTPD, labels=label(host))
        begin = time.monotonic()
        until_served(gate, host)
        new_s.append(time.monotonic() - begin)

        docker_engine.cli("rm", "--force", name)
        docker_engine.run(f"{name}-new", *HTTPD, labels=label(host))
        begin = time.monotonic()
        until_served(gate, host)
        replaced_s.append(time.monotonic() - begin)

    status = gate.wait_sites(*(f"web-{number}.test" for number in range(ROUNDS)))
    print(f"\nlabel to HTTPS: median {statistics.median(new_s):.2f} s, longest {max(new_s):.2f} s")
    print(f"replaced: median {statistics.median(replaced_s):.2f} s, longest {max(replaced_s):.2f} s")
    assert status["problems"] == []
    assert sorted(site["name"] for site in status["sites"] if site["source"] == "docker") == [
        f"web-{number}.test@docker" for number in range(ROUNDS)
    ]


# --- beneath a site of the file --------------------------------------------------------------------------------


def test_the_file_lies_over_the_labels(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    over = "  over.test: {from: docker, hsts: true, http: redirect, routes: {/closed/: {deny: true}}}\n"
    gate.write("sites:\n" + daemons.signpost("file.test", "file") + over)
    gate.wait_state("over.test", "waiting")
    assert gate.get("https://over.test/").status_code == 503
    assert gate.cli("status").returncode == 0

    labels = {**label("over.test"), "daemun.http": "serve", "daemun.hsts.max_age": "1h"}
    docker_engine.run("over-1", *HTTPD, labels=labels)
    until_served(gate, "over.test")
    docker_engine.run("over-2", *HTTPD, labels={**label("over.test"), "daemun.path": "/closed/open/"})
    gate.wait(
        lambda: any("is left out" in one["message"] for one in gate.status()["problems"]), "it has no route there"
    )
    assert gate.get("https://over.test/").headers["Strict-Transport-Security"] == "max-age=31536000"
    assert gate.get("http://over.test/").status_code == 301
    assert gate.get("https://over.test/closed/open/").status_code == 403
    site = gate.wait_state("over.test", "live")
    assert site["over"] == "container over-1"
    assert site["origin"].startswith("daemun.yaml:")

    # A mistake in what lies over it: what runs goes on, also with the next container.
    gate.write("sites:\n" + daemons.signpost("file.test", "file") + over.replace("hsts", "hst"))
    gate.wait_state("over.test", "quarantined")
    docker_engine.cli("rm", "--force", "over-1")
    docker_engine.run("over-3", *HTTPD, labels=labels)
    until_served(gate, "over.test")
    assert gate.get("https://over.test/closed/open/").status_code == 403


# --- nothing is lost -------------------------------------------------------------------------------------------


async def test_a_single_container_is_replaced_under_load(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    await asyncio.to_thread(docker_engine.run_server, "chat-0", labels=label("chat.test"))
    await asyncio.to_thread(until_served, gate, "chat.test", "chat-0 0")
    reloads = (await asyncio.to_thread(gate.status))["nginx"]["reloads"]

    async with contextlib.AsyncExitStack() as stack:
        loads = [
            clients.Load(gate.gate, "https://chat.test/", visitors=3, pause_s=0.02, patience_s=60),
            clients.Load(gate.gate, "https://chat.test/", visitors=3, pause_s=0.05, patience_s=60, body=b"x" * 50_000),
            clients.Load(gate.gate, "https://chat.test/", visitors=1, pause_s=0.1, patience_s=60, keep_alive=False),
        ]
        for load in loads:
            await stack.enter_async_context(load)
        for number in range(1, ROUNDS + 1):
            await asyncio.to_thread(docker_engine.cli, "stop", f"chat-{number - 1}")
            await asyncio.to_thread(docker_engine.cli, "rm", f"chat-{number - 1}")
            await asyncio.to_thread(docker_engine.run_server, f"chat-{number}", labels=label("chat.test"))
            await asyncio.to_thread(until_served, gate, "chat.test", f"chat-{number} 0")
        for load in loads:
            await load.answer(2)

        answered = sum(load.answered for load in loads)
        longest_s = max(load.longest_s for load in loads)
        print(f"\n{ROUNDS} replacements, {answered} requests answered, longest wait {longest_s:.2f} s")
        assert [dict(load.failures) for load in loads] == [{}, {}, {}]
    assert (await asyncio.to_thread(gate.status))["nginx"]["reloads"] == reloads


async def test_three_containers_are_replaced_one_after_another_under_load(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    for number in range(3):
        await asyncio.to_thread(docker_engine.run_server, f"chat-{number}", labels=label("chat.test"))
    for number in range(3):
        await asyncio.to_thread(until_served, gate, "chat.test", f"chat-{number} 0")
    before = await asyncio.to_thread(gate.status)

    async with contextlib.AsyncExitStack() as stack:
        loads = [
            clients.Load(gate.gate, "https://chat.test/", visitors=3, pause_s=0.02, patience_s=60),
            clients.Load(gate.gate, "https://chat.test/", visitors=3, pause_s=0.05, patience_s=60, body=b"x" * 50_000),
        ]
        for load in loads:
            await stack.enter_async_context(load)
        for number in range(3):
            await asyncio.to_thread(docker_engine.cli, "stop", f"chat-{number}")
            await asyncio.to_thread(docker_engine.cli, "rm", f"chat-{number}")
            await asyncio.to_thread(docker_engine.run_server, f"chat-new-{number}", labels=label("chat.test"))
            await asyncio.to_thread(until_served, gate, "chat.test", f"chat-new-{number} 0")
        for load in loads:
            await load.answer(2)
        assert [dict(load.failures) for load in loads] == [{}, {}]

    after = await asyncio.to_thread(gate.status)
    assert after["nginx"]["reloads"] == before["nginx"]["reloads"]
    assert after["requests"]["waited"] == before["requests"]["waited"]
    assert len(next(site for site in after["sites"] if site["host"] == "chat.test")["routes"][0]["to"]) == 3


async def test_sockets_of_one_service_stay_open_while_another_is_replaced(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    await asyncio.to_thread(docker_engine.run_server, "a-0", labels=label("a.test"))
    await asyncio.to_thread(docker_engine.run, "b-0", *HTTPD, labels=label("b.test"))
    await asyncio.to_thread(until_served, gate, "a.test")
    await asyncio.to_thread(until_served, gate, "b.test")
    await asyncio.to_thread(gate.wait_sign, "file.test", "file")  # the old workers have ended
    workers, reloads = gate.worker_pids(), (await asyncio.to_thread(gate.status))["nginx"]["reloads"]

    async with contextlib.AsyncExitStack() as stack:
        sockets = await asyncio.gather(
            *(stack.enter_async_context(clients.websocket(gate.gate, "a.test", "/")) for _ in range(100))
        )
        for number in range(1, 21):
            await asyncio.to_thread(docker_engine.cli, "rm", "--force", f"b-{number - 1}")
            await asyncio.to_thread(docker_engine.run, f"b-{number}", *HTTPD, labels=label("b.test"))
            await asyncio.to_thread(until_served, gate, "b.test")
        async with asyncio.TaskGroup() as group:
            for number, socket in enumerate(sockets):
                group.create_task(clients.echo(socket, f"still here {number}"))
        assert gate.worker_pids() == workers

    assert (await asyncio.to_thread(gate.status))["nginx"]["reloads"] == reloads


async def test_the_engine_is_restarted_under_load(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    always = ["--restart=always"]
    await asyncio.to_thread(docker_engine.run_server, "chat", labels=label("chat.test"), options=always)
    # In a network of its own: when containers of one network start again, one may get the address that another had, and
    # until the engine can be asked nobody knows.
    await asyncio.to_thread(docker_engine.cli, "network", "create", "apart")
    other = functools.partial(docker_engine.run, labels=label("other.test"), options=always, network="apart")
    await asyncio.to_thread(other, "other", *HTTPD)
    await asyncio.to_thread(until_served, gate, "chat.test")
    await asyncio.to_thread(until_served, gate, "other.test")
    before = await asyncio.to_thread(gate.status)

    async with contextlib.AsyncExitStack() as stack:
        loads = [
            clients.Load(gate.gate, "https://chat.test/", visitors=3, pause_s=0.05, patience_s=60),
            clients.Load(gate.gate, "https://chat.test/", visitors=2, pause_s=0.05, patience_s=60, body=b"x" * 50_000),
            clients.Load(gate.gate, "https://file.test/", visitors=1, pause_s=0.05, status=302),
        ]
        for load in loads:
            await stack.enter_async_context(load)
        await asyncio.to_thread(docker_engine.stop)
        await asyncio.to_thread(docker_engine.start)
        for load in loads:
            await load.answer(5)
        # The engine is away before it can tell that its containers end, so a body may be on its way over a connection
        # that its server closes at that moment, and nobody may send it again: at most one for each visitor.
        lost = dict(loads[1].failures)
        assert lost.pop("HTTP 502", 0) <= 2
        assert [dict(loads[0].failures), lost, dict(loads[2].failures)] == [{}, {}, {}]

    await asyncio.to_thread(until_served, gate, "other.test")
    after = await asyncio.to_thread(
        gate.wait, lambda: status if not (status := gate.status())["problems"] else None, "no problem"
    )
    assert [site["name"] for site in after["sites"]] == [site["name"] for site in before["sites"]]
    assert after["nginx"]["reloads"] == before["nginx"]["reloads"]
    assert all(one["served"] for one in after["containers"])


async def test_a_daemon_that_starts_while_the_engine_hangs_serves_on(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    await asyncio.to_thread(docker_engine.run_server, "chat", labels=label("chat.test"))
    await asyncio.to_thread(until_served, gate, "chat.test")
    kept = gate.state / "store" / "history" / "docker.json"
    await asyncio.to_thread(gate.wait, kept.exists, "the containers to be remembered")
    master = gate.nginx_pid()
    reloads = (await asyncio.to_thread(gate.status))["nginx"]["reloads"]

    async with clients.Load(gate.gate, "https://chat.test/", visitors=3, pause_s=0.02) as load:
        gate.kill()
        docker_engine.freeze()
        gate.start()
        status = await asyncio.to_thread(gate.wait_ready)
        while not status["sites"]:
            status = await asyncio.to_thread(gate.status)
        await load.answer(20)
        docker_engine.thaw()
        assert dict(load.failures) == {}

    assert {site["name"] for site in status["sites"]} == {"chat.test@docker", "file.test@file"}
    assert "taken as unchanged" in status["problems"][0]["message"]
    after = await asyncio.to_thread(
        gate.wait, lambda: status if not (status := gate.status())["problems"] else None, "no problem"
    )
    assert (gate.nginx_pid(), after["nginx"]["reloads"]) == (master, reloads)


# --- scaled ----------------------------------------------------------------------------------------------------


def test_scaled_from_one_to_three_and_back_without_a_reload(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    docker_engine.run_server("chat-1", labels=label("chat.test"))
    until_served(gate, "chat.test", "chat-1 0")
    reloads = gate.status()["nginx"]["reloads"]
    for name in ("chat-2", "chat-3"):
        docker_engine.run_server(name, labels=label("chat.test"))
        until_served(gate, "chat.test", f"{name} 0")

    def ask_thirty_times() -> set[int]:
        with clients.client(gate.gate) as visitor:
            texts = [visitor.get("https://chat.test/").text for _ in range(30)]
        return {texts.count(f"chat-{number} 0") for number in (1, 2, 3)}

    # Each worker takes turns on its own; a connection stays with one worker.
    gate.wait(lambda: ask_thirty_times() == {10}, "three equal shares")
    docker_engine.cli("rm", "--force", "chat-2", "chat-3")
    gate.wait(lambda: gate.get("https://chat.test/").text == "chat-1 0", "the one that is left")
    assert gate.status()["nginx"]["reloads"] == reloads


# --- who is served ---------------------------------------------------------------------------------------------

HOSTILE = [b"a.test;", b"a{b}", b"a\nb", b"$host", b'"', b"'", b"x" * 10_000, b"\xff\xfe.test", b"a b", b"`id`"]


def test_hostile_labels_are_refused_one_by_one_and_hurt_nobody(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    for number, value in enumerate(HOSTILE):
        text = value.decode(errors="surrogateescape")
        docker_engine.run(f"host-{number}", labels={"daemun.host": text})
        docker_engine.run(f"port-{number}", labels=label("bad.test") | {"daemun.port": text})
        # What may stand in a path or a header is served as it is; nothing of it reaches nginx as more than a text.
        docker_engine.run(f"path-{number}", labels=label(f"path-{number}.test") | {"daemun.path": f"/{text}"})
        headers = {"daemun.response_headers.X-A": text}
        docker_engine.run(f"header-{number}", *HTTPD, labels=label(f"header-{number}.test") | headers)
    docker_engine.run("good", *HTTPD, labels=label("good.test"))

    until_served(gate, "good.test")
    status = gate.wait(
        lambda: status if len((status := gate.status())["containers"]) == 4 * len(HOSTILE) + 1 else None, "all of them"
    )

    assert gate.sign("file.test") == "file"
    by_name = {one["name"]: one for one in status["containers"]}
    refused = [by_name[f"{kind}-{number}"] for number in range(len(HOSTILE)) for kind in ("host", "port")]
    assert not any(one["served"] for one in refused)
    assert all(one["why"] and one["cure"] for one in by_name.values() if not one["served"])
    assert by_name["good"]["served"]
    assert {site["state"] for site in status["sites"]} <= {"live", "unreachable"}, "most have no server in them"
    assert {problem["severity"] for problem in status["problems"]} == {"error"}
    assert gate.get("https://header-0.test/").headers["X-A"] == "a.test;"
    assert gate.get("https://header-3.test/").status_code == 200


def test_hosts_of_the_file_and_reserved_ones_are_not_for_containers(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    docker_engine.run("thief", *HTTPD, labels=label("file.test"))
    docker_engine.run("admin", *HTTPD, labels=label("admin.test"))
    docker_engine.run("web", *HTTPD, labels=label("web.test"))
    until_served(gate, "web.test")

    status = gate.wait_sites("web.test")

    assert gate.sign("file.test") == "file"
    thief, admin = container(status, "thief"), container(status, "admin")
    assert (thief["served"], admin["served"]) == (False, False)
    assert thief["why"].startswith('host "file.test" already belongs to "file.test@file" (daemun.yaml:')
    assert admin["why"] == "the host is reserved by `docker.reserve`"
    assert gate.cli("status").returncode == 3
    sites = gate.cli("sites").stdout
    assert "web.test@docker (container web)" in sites
    assert f"http://{docker_engine.address('web')}" in sites


def test_of_each_container_is_told_why_it_is_not_served_and_what_to_do(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    sick = ["--health-cmd=false", "--health-interval=200ms", "--health-retries=1"]
    crashing = ["--restart=always"]
    docker_engine.run("good", *HTTPD, labels=label("good.test"))
    docker_engine.run("no-port", *HTTPD, labels=label("no-port.test"), image=IMAGE_WITHOUT_PORT)
    docker_engine.run("two-ports", *HTTPD, labels=label("two-ports.test"), options=["--expose=81"])
    docker_engine.run("stopped", labels=label("stopped.test"))
    docker_engine.cli("kill", "stopped")
    docker_engine.cli("create", "--name=created", "--label=daemun.host=created.test", IMAGE)
    docker_engine.run("paused", *HTTPD, labels=label("paused.test"))
    docker_engine.cli("pause", "paused")
    docker_engine.run("crashes", "false", labels=label("crashes.test"), options=crashing)
    docker_engine.run("sick", *HTTPD, labels=label("sick.test"), options=sick)
    docker_engine.run("apart", *HTTPD, labels=label("apart.test"), network="none")
    docker_engine.run("thief", *HTTPD, labels=label("file.test"))
    docker_engine.run("admin", *HTTPD, labels=label("admin.test"))
    docker_engine.run("younger", *HTTPD, labels=label("good.test") | {"daemun.to": "/elsewhere"})
    docker_engine.run("wrong", *HTTPD, labels={"daemun.hosts": "wrong.test"})
    expected = {
        "good": (True, None, None),
        "no-port": (True, "exposes no port and names none, so 80 is used", 'set the label "daemun.port"'),
        "two-ports": (
            True,
            "exposes several ports (80 and 81) and names none, so 80 is used",
            'set the label "daemun.port"',
        ),
        "stopped": (False, 'is not running: its state is "exited"', "start it with `docker start stopped`"),
        "created": (False, 'is not running: its state is "created"', "start it with `docker start created`"),
        "paused": (False, 'is not running: its state is "paused"', "let it go on with `docker unpause paused`"),
        "crashes": (False, 'is not running: its state is "restarting"', "`docker logs crashes` shows why it ends"),
        "sick": (
            False,
            "is unhealthy by its own HEALTHCHECK, so it gets no requests",
            "`docker inspect sick` shows what the check said",
        ),
        "apart": (False, 'has no network ("none")', "attach it to one that daemun reaches"),
        "admin": (False, "the host is reserved by `docker.reserve`", "only daemun.yaml may serve it"),
        "younger": (False, 'the older container "good" serves it with other settings', "give both the same labels"),
    }

    def told() -> dict[str, tuple[bool, str | None, str | None]]:
        return {one["name"]: (one["served"], one["why"], one["cure"]) for one in gate.status()["containers"]}

    def look() -> dict[str, tuple[bool, str | None, str | None]] | None:
        seen = told()
        is_all = {"thief", "wrong"} <= seen.keys() and {name: seen.get(name) for name in expected} == expected
        return seen if is_all else None

    try:
        seen = gate.wait(look, "the right words for each container", every_s=0.5)
    except AssertionError:
        assert {name: told().get(name) for name in expected} == expected
        raise
    served, why, cure = seen["thief"]
    assert served is False
    assert cure is not None
    assert cure.startswith("write `from: docker` into the file's site")
    assert why is not None
    assert why.startswith('host "file.test" already belongs to "file.test@file" (daemun.yaml:')
    served, why, cure = seen["wrong"]
    assert (served, cure) == (False, "correct its labels, and make it anew with them")
    assert why is not None
    assert '"daemun.hosts" is unknown' in why
    assert 'did you mean "host"?' in why
    # People see the same words below the tables. The container that crashes runs for a moment now and then.
    words = {word for name, (_, why, cure) in seen.items() for word in (name, why, cure) if word}

    def missing() -> set[str]:
        text = gate.cli("status").stdout
        return {word for word in words if word not in text}

    try:
        gate.wait(lambda: not missing() or None, "the same words below the tables", every_s=0.5)
    except AssertionError:
        assert missing() == set()
        raise


def test_docker_is_switched_off_and_on_in_the_file(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    docker_engine.run("web", *HTTPD, labels=label("web.test"))
    until_served(gate, "web.test")
    preamble, gate.preamble = gate.preamble, "docker: off\n"
    gate.write("sites:\n" + daemons.signpost("file.test", "off"))
    gate.wait_sign("file.test", "off")
    off = gate.status()
    gate.preamble = preamble
    gate.write("sites:\n" + daemons.signpost("file.test", "on"))
    until_served(gate, "web.test")

    assert [site["host"] for site in off["sites"]] == ["file.test"]
    assert off["containers"] == []


# --- out of reach ----------------------------------------------------------------------------------------------


def answer_within(gate: daemons.Daemon, host: str) -> tuple[int, float]:
    begin = time.monotonic()
    return gate.get(f"https://{host}/").status_code, time.monotonic() - begin


def test_what_cannot_be_reached_as_it_is_is_not_waited_for(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    """M9: 503 at once, and not after the 30 s that `hold` lets requests wait. I2: a network that was started again."""
    docker_engine.cli("network", "create", "side")
    docker_engine.run("apart", *HTTPD, labels=label("apart.test"), network="none")
    docker_engine.run("leaving", *HTTPD, labels=label("leaving.test"), network="side")
    docker_engine.run("vpn", *HTTPD)
    docker_engine.run("behind", "sleep", "1000", labels=label("behind.test"), network="container:vpn")
    until_served(gate, "leaving.test")
    until_served(gate, "behind.test")
    gate.wait_state("apart.test", "unreachable")
    docker_engine.cli("network", "disconnect", "side", "leaving")
    docker_engine.cli("restart", "--time", "0", "vpn")
    for name, why in (("leaving", "no address on a network"), ("behind", "was started again since")):
        gate.wait(
            lambda name=name, why=why: why in str(container(gate.status(), name)["why"]),  # type: ignore[misc]
            f"{name} to be out of reach",
        )
    apart = gate.wait_state("apart.test", "unreachable")
    assert apart["reason"] == 'no container serves it now: "apart" has no network ("none")'
    assert apart["cure"] == "attach it to one that daemun reaches"
    for host in ("apart.test", "leaving.test", "behind.test"):
        # Another container may have the address that nginx knew, until it queries for it again.
        gate.wait(lambda host=host: answer_within(gate, host)[0] == 503, f"{host} to be known as out of reach")  # type: ignore[misc]
        status, took_s = answer_within(gate, host)
        assert (status, took_s < 20) == (503, True), (host, status, took_s)
    docker_engine.cli("network", "connect", "side", "leaving")
    docker_engine.cli("restart", "--time", "0", "behind")
    until_served(gate, "leaving.test")
    until_served(gate, "behind.test")


def test_a4_a_container_whose_application_listens_on_its_own_loopback(
    gate: daemons.Daemon, docker_engine: DockerEngine
) -> None:
    """A4: it runs, it has an address, and nothing of it can be reached from outside of it."""
    server = ("httpd", "-f", "-p", "127.0.0.1:80", "-h", "/www")
    docker_engine.run("inward", *server, labels=label("inward.test"))
    site = gate.wait_state("inward.test", "unreachable")
    assert "refuses connections" in site["reason"]
    assert "listen on 0.0.0.0 in its container" in site["cure"]
    assert gate.cli("doctor", "inward.test").returncode == 1


# --- several people on one machine -----------------------------------------------------------------------------


def test_n12_a_host_stays_its_owners_over_a_restart(gate: daemons.Daemon, docker_engine: DockerEngine) -> None:
    """N12: and the engine then lists another project's container first, because the owner's was made anew meanwhile."""

    def run(name: str, project: str) -> None:
        docker_engine.run_server(name, labels={**label("app.test"), "com.docker.compose.project": project})

    def is_refused() -> bool:
        found = [one for one in gate.status()["containers"] if one["name"] == "bob-0"]
        return bool(found) and not found[0]["served"] and "belongs to project" in (found[0]["why"] or "")

    gate.preamble = f"docker: {{endpoint: '{docker_engine.url}', tenants: true}}\n"
    gate.write("sites:\n" + daemons.signpost("file.test", "tenants"))
    gate.wait_sign("file.test", "tenants")
    run("ann-0", "ann")
    until_served(gate, "app.test", "ann-0 0")
    run("bob-0", "bob")
    gate.wait(is_refused, "bob to be refused")
    assert gate.terminate() == 0
    docker_engine.cli("rm", "--force", "ann-0")
    run("ann-1", "ann")  # younger than bob's now
    gate.start()
    until_served(gate, "app.test", "ann-1 0")
    gate.wait(is_refused, "bob to be refused still")

    # Also when the owner's was removed before, and is back only after the restart.
    docker_engine.cli("rm", "--force", "ann-1")
    gate.wait(lambda: "ann-1" not in {one["name"] for one in gate.status()["containers"]}, "ann's to be gone")
    assert gate.terminate() == 0
    gate.start()
    gate.wait_ready()
    gate.wait(is_refused, "bob to be refused without ann's")
    run("ann-2", "ann")
    until_served(gate, "app.test", "ann-2 0")
    assert is_refused()
