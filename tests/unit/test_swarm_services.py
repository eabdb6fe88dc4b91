"""Services of Docker Swarm and their tasks become sites and servers. The answers are a manager's, of Docker 20.10."""

import typing

import hypothesis
import pytest
from hypothesis import strategies

from daemun.core import model
from daemun.sources.docker import containers, engine_events, own_container, swarm_listing, swarm_tasks
from tests.support.docker_values import GATE, container, endpoints, identity, messages, run

Json = dict[str, typing.Any]

WEB = containers.ContainerNetwork(id="web-id", name="shop_web", driver="overlay")
GATE_ON_WEB = container(
    "gate", attachments=(containers.Attachment(network="web-id", name="shop_web", ipv4="10.0.1.200"),)
)
NODES = [{"ID": "n1", "Description": {"Hostname": "one"}, "Status": {"State": "ready", "Addr": "192.0.2.1"}}]


def service(
    name: str = "shop_web",
    labels: dict[str, str] | None = None,
    *,
    replicas: int | None = 3,
    container_labels: dict[str, str] | None = None,
    ports: tuple[int, ...] = (),
    mode: str = "vip",
) -> Json:
    """replicas: None: it is global."""
    return {
        "ID": f"{name}-id",
        "CreatedAt": "2026-03-01T12:00:00.1Z",
        "Spec": {
            "Name": name,
            "Labels": {"daemun.host": "a.test"} if labels is None else labels,
            "TaskTemplate": {"ContainerSpec": {"Image": "web:1@sha256:ab", "Labels": container_labels or {}}},
            "Mode": {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}},
            "EndpointSpec": {
                "Mode": mode,
                "Ports": [{"Protocol": "tcp", "TargetPort": port, "PublishedPort": 30000} for port in ports],
            },
        },
        "Endpoint": {"VirtualIPs": [{"NetworkID": "web-id", "Addr": "10.0.1.2/24"}] if mode == "vip" else []},
    }


def task(
    number: int = 1,
    *,
    of: str = "shop_web",
    state: str = "running",
    desired: str = "running",
    node: str = "n1",
    error: str = "",
    labels: dict[str, str] | None = None,
    network: str = "overlay",
) -> Json:
    host = {"Network": {"ID": "h", "Spec": {"Name": "host"}, "DriverState": {"Name": "host"}}}
    overlay = {
        "Network": {"ID": "web-id", "Spec": {"Name": "shop_web"}, "DriverState": {"Name": "overlay"}},
        "Addresses": [f"10.0.1.{10 + number}/24"],
    }
    return {
        "ID": f"t{number}",
        "ServiceID": f"{of}-id",
        "Slot": number,
        "NodeID": node,
        "DesiredState": desired,
        "Spec": {"ContainerSpec": {"Image": "web:1", "Labels": labels or {}}},
        "Status": {
            "State": state,
            "Err": error,
            "Timestamp": "2026-03-01T12:00:05Z",
            "ContainerStatus": {"ContainerID": identity(f"task-{number}")},
        },
        "NetworksAttachments": {"overlay": [overlay], "host": [host], "none": []}[network],
    }


def listed(*services: Json, tasks: tuple[Json, ...] = (), nodes: list[Json] = NODES) -> swarm_listing.SwarmListing:
    return swarm_listing.SwarmListing(
        services=tuple(map(swarm_listing.parse_service, services)),
        tasks=tuple(map(swarm_listing.parse_task, tasks)),
        nodes=tuple(map(swarm_listing.parse_node, nodes)),
    )


def translated(
    found: swarm_listing.SwarmListing,
    *others: containers.EngineContainer,
    own: str | None = "gate",
    leaving: tuple[str, ...] = (),
) -> model.Snapshot:
    """As a daemun in a container of the network "shop_web" sees it. own: None: it is on the host."""
    made = swarm_tasks.make_containers(found, (GATE, WEB))
    gate = (GATE_ON_WEB,) if own is not None else ()
    return run(*gate, *others, *made, own=own, networks=(GATE, WEB), leaving=leaving).snapshot


def reason(found: model.Snapshot, name: str) -> tuple[str | None, str | None]:
    (one,) = (one for one in found.containers if one.name.startswith(name))
    return one.why, one.cure


# --- who serves ------------------------------------------------------------------------------------------------


def test_running_tasks_are_the_servers_of_the_service() -> None:
    found = translated(listed(service(ports=(8000,)), tasks=(task(1), task(2), task(3, node="n2"))))

    assert endpoints(found, "a.test") == ["10.0.1.11:8000", "10.0.1.12:8000", "10.0.1.13:8000"]
    assert found.problems == ()
    assert found.sites[0].origin == model.Origin(source="docker", place="service shop_web")
    assert [one.name for one in found.containers] == ["shop_web.1.t1", "shop_web.2.t2", "shop_web.3.t3"]


@pytest.mark.parametrize("state", ["pending", "preparing", "starting", "ready"])
def test_a_task_on_its_way_gets_no_requests_yet(state: str) -> None:
    found = translated(listed(service(ports=(80,)), tasks=(task(1), task(2, state=state))))

    assert endpoints(found, "a.test") == ["10.0.1.11:80"]
    assert reason(found, "shop_web.2") == (f'waits for its task 2 on node "one", which is "{state}"', None)


def test_a_task_that_swarm_stops_gets_no_requests_while_it_runs() -> None:
    found = translated(listed(service(ports=(80,)), tasks=(task(1), task(2, desired="shutdown"))))

    assert endpoints(found, "a.test") == ["10.0.1.11:80"]
    assert found.problems == ()


def test_a_task_whose_container_was_sent_its_stop_signal_gets_none_before_swarm_reports_it() -> None:
    made = listed(service(ports=(80,)), tasks=(task(1), task(2)))
    terms = swarm_tasks.make_containers(made, (WEB,))
    assert {one.id: one.task.container for one in terms if one.task} == {
        "t1": identity("task-1"),
        "t2": identity("task-2"),
    }


def test_a_rolling_update_changes_no_site() -> None:
    before = translated(listed(service(ports=(80,)), tasks=(task(1), task(2))))
    amid = translated(
        listed(service(ports=(80,)), tasks=(task(1), task(4), task(2, state="shutdown", desired="shutdown")))
    )
    after = translated(listed(service(ports=(80,)), tasks=(task(4), task(5))))

    assert before.sites == amid.sites == after.sites
    assert endpoints(amid, "a.test") == ["10.0.1.11:80", "10.0.1.14:80"]


def test_a_task_on_a_dead_node_gets_none() -> None:
    nodes = [*NODES, {"ID": "n2", "Description": {"Hostname": "two"}, "Status": {"State": "down"}}]
    found = translated(listed(service(ports=(80,)), tasks=(task(1), task(2, node="n2")), nodes=nodes))

    assert endpoints(found, "a.test") == ["10.0.1.11:80"]
    assert reason(found, "shop_web.2") == (
        'waits for another task in place of its task 2: node "two" is down',
        "`docker node inspect n2` shows the node",
    )


def test_a_global_service_has_a_server_on_each_node() -> None:
    first, second = task(1) | {"Slot": None}, task(2, node="n2") | {"Slot": None}
    found = translated(listed(service(replicas=None, ports=(80,)), tasks=(first, second)))

    assert endpoints(found, "a.test") == ["10.0.1.11:80", "10.0.1.12:80"]
    assert [one.name for one in found.containers] == ["shop_web.n1.t1", "shop_web.n2.t2"]


def test_jobs_serve_nothing() -> None:
    job = service()
    job["Spec"]["Mode"] = {"ReplicatedJob": {"MaxConcurrent": 1}}
    assert translated(listed(job, tasks=(task(1),))).sites == ()


def test_labels_of_the_service_go_before_those_of_its_containers() -> None:
    labels = {"daemun.host": "deploy.test"}
    of_container = {"daemun.host": "container.test", "daemun.port": "9000"}
    found = translated(listed(service(labels=labels), tasks=(task(1, labels=of_container),)))

    assert endpoints(found, "deploy.test") == ["10.0.1.11:9000"]


def test_labels_of_containers_alone_are_enough() -> None:
    of_container = {"daemun.host": "c.test", "daemun.port": "9000"}
    made = listed(service(labels={}, container_labels=of_container), tasks=(task(1, labels=of_container),))

    assert endpoints(translated(made), "c.test") == ["10.0.1.11:9000"]


def test_the_container_of_a_task_requests_nothing_besides() -> None:
    made = swarm_tasks.make_containers(listed(service(ports=(80,)), tasks=(task(1),)), (WEB,))
    local = container("task-1", {"com.docker.swarm.task.id": "t1", "daemun.host": "a.test", "daemun.to": "/other"})
    merged = swarm_tasks.merge(containers.ContainerListing(containers=(local, GATE_ON_WEB)), made)

    found = run(*merged.containers, own="gate", networks=(WEB,)).snapshot
    assert endpoints(found, "a.test") == ["10.0.1.11:80"]
    assert [one.name for one in found.containers] == ["shop_web.1.t1"]
    assert merged.containers != () and local.id in {one.id for one in merged.containers}


# --- the virtual address ---------------------------------------------------------------------------------------

VIP = {"daemun.host": "a.test", "daemun.swarm": "vip"}


def test_the_virtual_address_stands_for_all_tasks_where_a_label_wants_it() -> None:
    found = translated(listed(service(labels=VIP, ports=(80,)), tasks=(task(1), task(2))))

    assert endpoints(found, "a.test") == ["10.0.1.2:80"]
    assert [(one.name, one.is_served) for one in found.containers] == [("shop_web", True)]


def test_it_is_nowhere_while_no_task_runs() -> None:
    found = translated(listed(service(labels=VIP, ports=(80,)), tasks=(task(1, state="starting"),)))

    assert endpoints(found, "a.test") == []
    assert reason(found, "shop_web")[0] == 'waits for its task 1 on node "one", which is "starting"'


def test_a_service_without_one_is_told_how_to_get_one() -> None:
    found = translated(listed(service(labels=VIP, mode="dnsrr"), tasks=(task(1),)))

    why, cure = reason(found, "shop_web")
    assert why == 'has no virtual address, which its label "daemun.swarm" wants: it has `endpoint_mode: dnsrr`'
    assert cure == "remove the label, or give it one with `docker service update --endpoint-mode vip shop_web`"


def test_another_word_is_refused() -> None:
    found = translated(
        listed(service(labels={"daemun.host": "a.test", "daemun.swarm": "vpi"}), tasks=(task(1), task(2)))
    )

    (told,) = messages(found)  # once, not for each task
    assert told.startswith(
        'service shop_web: cannot serve service "shop_web": label "daemun.swarm": expected tasks or vip'
    )
    assert told.endswith("correct its labels, and deploy it again")


# --- why it is not served --------------------------------------------------------------------------------------


def test_a_daemun_on_the_host_reaches_no_task() -> None:
    found = translated(listed(service(), tasks=(task(1),)), own=None)

    assert endpoints(found, "a.test") == []
    assert found.pools[0].is_out_of_reach
    why, cure = reason(found, "shop_web")
    assert why is not None and why.endswith(
        'it is on "shop_web", daemun on the host, which has no part in networks of Swarm'
    )
    assert cure == "run daemun as a service on one of them, as examples/swarm shows"


def test_a_task_on_the_network_of_its_node_is_reached_there() -> None:
    made = listed(service(ports=(8000,)), tasks=(task(1, network="host"),))

    assert (
        endpoints(translated(made, own=None), "a.test") == endpoints(translated(made), "a.test") == ["192.0.2.1:8000"]
    )


def test_a_service_on_no_network_of_daemuns_is_told_the_command_that_attaches_it() -> None:
    other = service("other", {"daemun.host": "b.test"})
    lonely = task(2, of="other")
    lonely["NetworksAttachments"][0]["Network"] |= {"ID": "else", "Spec": {"Name": "else"}}
    found = translated(listed(service(ports=(80,)), other, tasks=(task(1), lonely)))

    assert reason(found, "other") == (
        'shares no network with daemun: it is on "else", daemun on "shop_web"',
        "attach it with `docker service update --network-add shop_web other`",
    )
    assert [pool.is_out_of_reach for pool in found.pools if not pool.endpoints] == [True]


@pytest.mark.parametrize(
    ("replicas", "tasks", "why", "cure"),
    [
        (0, (), "has no tasks: its replicas are 0", "`docker service scale shop_web=1` starts one"),
        (
            1,
            (task(1, state="failed", desired="shutdown", error="task: non-zero exit (1)"),),
            'has no running task: the last one is "failed" (task: non-zero exit (1))',
            "`docker service logs shop_web` shows what it wrote",
        ),
        (
            1,
            (task(1, state="pending", node="", error="no suitable node (scheduling constraints not satisfied)"),),
            'waits for its task 1, which is "pending" (no suitable node (scheduling constraints not satisfied))',
            "`docker service ps --no-trunc shop_web` shows its tasks",
        ),
        (
            None,
            (),
            "has no running task: no node takes one",
            "`docker service ps shop_web` and `docker node ls` show whether a node fits its constraints",
        ),
    ],
)
def test_a_service_without_a_running_task_keeps_its_site_and_the_reason(
    replicas: int | None, tasks: tuple[Json, ...], why: str, cure: str
) -> None:
    found = translated(listed(service(replicas=replicas), tasks=tasks))

    assert endpoints(found, "a.test") == []
    assert not found.pools[0].is_out_of_reach
    assert reason(found, "shop_web") == (why, cure)


def test_an_error_of_a_task_is_one_short_line() -> None:
    long = task(1, state="rejected", error='exec: "\x1b[31ma\nb": ' + "c" * 1000)
    found = swarm_listing.parse_task(long)

    assert found.error.startswith('exec: " [31ma b": ccc')
    assert len(found.error) <= 200


def test_services_and_containers_are_judged_together() -> None:
    found = translated(
        listed(service(labels={"daemun.host": "a.test", "daemun.timeout": "9s"}), tasks=(task(1),)),
        container("old", {"daemun.host": "a.test"}, age_s=-(10**8)),
    )
    (told,) = messages(found)
    assert (
        'cannot serve container "old" at "a.test/": the older service "shop_web" serves it with other settings' in told
    )


# --- what is read ----------------------------------------------------------------------------------------------

_JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=5),
    lambda inner: strategies.lists(inner, max_size=2) | strategies.dictionaries(strategies.text(max_size=5), inner),
    max_leaves=5,
)


@hypothesis.given(
    strategies.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("ID", "CreatedAt", "Endpoint", "UpdateStatus", "Slot", "NetworksAttachments"), _JSON),
            "Spec": strategies.fixed_dictionaries(
                {},
                optional=dict.fromkeys(
                    ("Name", "Labels", "TaskTemplate", "ContainerSpec", "Mode", "EndpointSpec"), _JSON
                ),
            ),
            "Status": strategies.fixed_dictionaries(
                {}, optional=dict.fromkeys(("State", "Err", "Addr", "Timestamp", "ContainerStatus"), _JSON)
            ),
        },
    )
    | _JSON
)
def test_any_answer_is_read(raw: object) -> None:
    listing = swarm_listing.SwarmListing(
        services=(swarm_listing.parse_service(raw),),
        tasks=(swarm_listing.parse_task(raw),),
        nodes=(swarm_listing.parse_node(raw),),
    )
    swarm_tasks.make_containers(listing, ())


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (503, 'This node is not a swarm manager. Use "docker swarm init" ...', swarm_listing.Absence.NO_SWARM),
        (503, "This node is not a swarm manager. Worker nodes can't be used ...", swarm_listing.Absence.WORKER),
        (403, "forbidden", swarm_listing.Absence.FORBIDDEN),
        (404, "Not Found", swarm_listing.Absence.FORBIDDEN),
        (500, "rpc error: code = Unknown desc = The swarm does not have a leader.", None),
        (503, "Swarm is encrypted and needs to be unlocked before it can be used.", None),
    ],
)
def test_an_engine_without_services_is_told_from_a_swarm_in_trouble(
    status: int, message: str, expected: swarm_listing.Absence | None
) -> None:
    assert swarm_listing.find_absence(status, message) is expected


def test_events_of_the_swarm_are_known() -> None:
    labels = {"com.docker.swarm.task.id": "t1", "name": "shop_web.1.t1"}
    of_task = {"Type": "container", "Action": "start", "Actor": {"ID": "c", "Attributes": labels}}
    assert engine_events.parse_event({"Type": "service", "Action": "update", "Actor": {"ID": "s"}}).of_swarm
    assert engine_events.parse_event(of_task).of_swarm
    assert not engine_events.parse_event({"Type": "container", "Action": "start", "Actor": {"ID": "c"}}).of_swarm


def test_daemun_finds_itself_as_a_task_of_another_node() -> None:
    made = swarm_tasks.make_containers(listed(service(), tasks=(task(1), task(2, node="n2"))), (WEB,))
    here = own_container.Traces(cgroup=f"0::/docker/{identity('task-2')}")

    assert own_container.find_own(here, made) == "t2"
    assert own_container.find_own(own_container.Traces(hostname=identity("gate")[:12]), [GATE_ON_WEB]) == GATE_ON_WEB.id
