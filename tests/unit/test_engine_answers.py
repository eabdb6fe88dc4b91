"""An engine's answers become values also where any one part of them is of another type than expected."""

from daemun.sources.docker import containers, engine_events, listing_store, swarm_listing, swarm_tasks
from daemun.store import memory_store
from tests.support import odd_json
from tests.support.docker_values import identity, run

ID = identity("web-1")
NETWORK = {
    "Network": {"ID": "n", "Spec": {"Name": "n"}, "DriverState": {"Name": "overlay"}},
    "Addresses": ["10.0.1.2/24"],
}
SERVICE = {
    "ID": "s",
    "CreatedAt": "2026-03-01T12:00:00.1Z",
    "Spec": {
        "Name": "web",
        "Labels": {"daemun.host": "a.test"},
        "TaskTemplate": {"ContainerSpec": {"Image": "web:1", "Labels": {"a": "b"}, "Env": ["VIRTUAL_HOST=a.test"]}},
        "Mode": {"Replicated": {"Replicas": 3}},
        "EndpointSpec": {"Mode": "vip", "Ports": [{"Protocol": "tcp", "TargetPort": 80}]},
    },
    "Endpoint": {"VirtualIPs": [{"NetworkID": "n", "Addr": "10.0.1.2/24"}]},
    "UpdateStatus": {"State": "updating"},
}
TASK = {
    "ID": "t",
    "ServiceID": "s",
    "Slot": 1,
    "NodeID": "n1",
    "DesiredState": "running",
    "Spec": {"ContainerSpec": {"Image": "web:1", "Labels": {"a": "b"}, "Env": ["VIRTUAL_HOST=a.test"]}},
    "Status": {
        "State": "running",
        "Err": "no",
        "Timestamp": "2026-03-01T12:00:05Z",
        "ContainerStatus": {"ContainerID": ID},
    },
    "NetworksAttachments": [NETWORK],
}
NODE = {"ID": "n1", "Description": {"Hostname": "one"}, "Status": {"State": "ready", "Addr": "192.0.2.1"}}
EVENT = {
    "Type": "container",
    "Action": "kill",
    "Actor": {"ID": ID, "Attributes": {"signal": "15", "com.docker.swarm.task.id": "t"}},
}
ROW = {
    "Id": ID,
    "Names": ["/web-1"],
    "State": "running",
    "Status": "Up 2 seconds (healthy)",
    "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
    "NetworkSettings": {"Networks": {"gate": {"NetworkID": "g", "IPAddress": "10.0.0.2", "Gateway": "10.0.0.1"}}},
}
CONTAINER = {
    "Id": ID,
    "Name": "/web-1",
    "Created": "2026-03-01T12:00:00.1Z",
    "RestartCount": 3,
    "State": {"Status": "running", "StartedAt": "2026-03-01T12:00:00.1Z", "Health": {"Status": "starting"}},
    "Config": {
        "Image": "web:1",
        "Labels": {"daemun.host": "a.test"},
        "Env": ["VIRTUAL_HOST=a.test"],
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGQUIT",
    },
    "HostConfig": {"NetworkMode": "gate"},
    "NetworkSettings": {
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
        "Networks": {"gate": {"NetworkID": "g", "IPAddress": "10.0.0.2", "Gateway": "10.0.0.1"}},
    },
}


def test_services_tasks_and_nodes() -> None:
    service, task, node = (
        swarm_listing.parse_service(SERVICE),
        swarm_listing.parse_task(TASK),
        swarm_listing.parse_node(NODE),
    )
    services = [swarm_listing.parse_service(one) for one in odd_json.each_replaced(SERVICE)]
    tasks = [swarm_listing.parse_task(one) for one in odd_json.each_replaced(TASK)]
    nodes = [swarm_listing.parse_node(one) for one in odd_json.each_replaced(NODE)]
    listings = [
        *(swarm_listing.SwarmListing(services=(one,), tasks=(task,), nodes=(node,)) for one in services),
        *(swarm_listing.SwarmListing(services=(service,), tasks=(one,), nodes=(node,)) for one in tasks),
        *(swarm_listing.SwarmListing(services=(service,), tasks=(task,), nodes=(one,)) for one in nodes),
    ]
    for listing in listings:
        swarm_tasks.make_containers(listing, ())


def test_what_is_of_another_type_is_not_given() -> None:
    odd: list[object] = [[], {}, 1]
    for one in odd:
        ports = {"Ports": [{"Protocol": one, "TargetPort": 80}]}
        service = swarm_listing.parse_service({"UpdateStatus": {"State": one}, "Spec": {"EndpointSpec": ports}})
        assert (service.is_updating, service.ports) == (False, (80,))
        network = {"Network": {"Spec": {"Name": one}, "DriverState": {"Name": one}}}
        assert not swarm_listing.parse_task({"NetworksAttachments": [network]}).uses_host_network
        event = engine_events.parse_event({"Type": one, "Action": one, "status": "start", "Actor": {"ID": "x"}})
        assert event == engine_events.EngineEvent(action="start")


def test_events() -> None:
    for one in odd_json.each_replaced(EVENT):
        assert isinstance(engine_events.parse_event(one).is_relevant, bool)


def test_containers_and_networks() -> None:
    for one in odd_json.each_replaced(ROW):
        hash(containers.parse_row(one))
    for one in odd_json.each_replaced(CONTAINER):
        hash(containers.parse_container(one))
    for one in odd_json.each_replaced({"Id": "g", "Name": "gate", "Driver": "bridge"}):
        hash(containers.parse_network(one))


def test_any_of_them_can_be_translated_and_kept() -> None:
    """Also with half a character, which no file can hold."""
    task, node = swarm_listing.parse_task(TASK), swarm_listing.parse_node(NODE)
    halved = {"NetworkSettings": {"Networks": {"\ud800": {"NetworkID": "g", "IPAddress": "10.0.0.2"}}}}
    found = [containers.parse_container(one) for one in odd_json.each_replaced(CONTAINER)]
    found.append(containers.parse_container(CONTAINER | halved))
    for one in odd_json.each_replaced(TASK):
        swarm = swarm_listing.SwarmListing(
            services=(swarm_listing.parse_service(SERVICE),), tasks=(swarm_listing.parse_task(one),), nodes=(node,)
        )
        found += swarm_tasks.make_containers(swarm, ())
    for one in odd_json.each_replaced(SERVICE):
        services = (swarm_listing.parse_service(one),)
        found += swarm_tasks.make_containers(
            swarm_listing.SwarmListing(services=services, tasks=(task,), nodes=(node,)), ()
        )
    networks = [containers.parse_network(one) for one in odd_json.each_replaced({"Id": "g", "Name": "gate"})]
    for one in set(found):
        run(one, own=None)
        keep(containers.ContainerListing(containers=(one,)))
    keep(containers.ContainerListing(networks=tuple(networks)))


def keep(listing: containers.ContainerListing) -> None:
    store = memory_store.MemoryStore()
    kept = listing_store.StoredListing(url="unix:///test.sock", name="", listing=listing)
    listing_store.write_stored(store, listing_store.encode(kept))
    assert listing_store.read_stored(store) is not None


def test_an_id_that_is_none_is_not_given() -> None:
    for odd in ("\n; return 200", "\x1b[31m", "a b", "../x", "é", "x" * 200, "\ud800"):
        container = containers.parse_container(CONTAINER | {"Id": odd, "Name": odd})
        row = containers.parse_row(ROW | {"Id": odd, "Names": [odd]})
        node = swarm_listing.parse_node({"ID": odd, "Description": {"Hostname": odd}})
        service = swarm_listing.parse_service({"ID": odd, "Spec": {"Name": odd}})
        assert {(one.id, one.name) for one in (container, row, node, service)} == {("", "")}
        task = swarm_listing.parse_task({"ID": odd, "ServiceID": odd, "NodeID": odd})
        assert (task.id, task.service, task.node) == ("", "", "")
        event = engine_events.parse_event({"Type": "container", "Action": "start", "Actor": {"ID": odd}})
        assert event.container is None
