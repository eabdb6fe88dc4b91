"""Which address and port nginx uses for a container, and why there is none."""

import pytest

from daemun.core import model
from daemun.sources.docker import containers, own_container
from tests.support.docker_values import GATE, attachment, container, endpoints, identity, messages, snapshot

A = {"daemun.host": "a.test"}
OTHER = containers.ContainerNetwork(id="other-id", name="other")


def networks(**drivers: str) -> tuple[containers.ContainerNetwork, ...]:
    return tuple(
        containers.ContainerNetwork(id=f"{name}-id", name=name, driver=driver) for name, driver in drivers.items()
    )


# --- ports -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exposed", "asked", "expected"),
    [((), None, 80), ((3000,), None, 3000), ((3000,), "8080", 8080), ((80, 443), None, 80), ((3000, 4000), None, 80)],
)
def test_the_port_is_the_one_named_else_the_only_one_exposed_else_80(
    exposed: tuple[int, ...], asked: str | None, expected: int
) -> None:
    found = snapshot(container(labels=A | ({"daemun.port": asked} if asked else {}), ports=exposed))

    assert endpoints(found, "a.test") == [f"10.0.0.2:{expected}"]
    told = messages(found, model.Severity.WARNING)
    assert len(told) == (asked is None and len(exposed) != 1)
    assert all('names none, so 80 is used; set the label "daemun.port"' in message for message in told)


# --- daemun on the host ----------------------------------------------------------------------------------------


def test_the_host_reaches_every_bridge_network_the_first_by_name() -> None:
    found = snapshot(
        container(labels=A, attachments=(attachment("mac", ipv4="10.1.0.2"), attachment("inner", ipv4="10.2.0.2"))),
        networks=networks(mac="macvlan", inner="bridge"),
    )

    assert endpoints(found, "a.test") == ["10.2.0.2:80"]


def test_a_network_is_known_by_its_name_where_the_engine_tells_no_id() -> None:
    """Podman does so, though it lists its networks with ids."""
    named = tuple(
        containers.Attachment(network=name, name=name, ipv4=ipv4)
        for name, ipv4 in (("mac", "10.1.0.2"), ("zoo", "10.2.0.2"))
    )
    found = snapshot(container(labels=A, attachments=named), networks=networks(mac="macvlan", zoo="bridge"))

    assert endpoints(found, "a.test") == ["10.2.0.2:80"]


@pytest.mark.parametrize(
    ("state", "cure"),
    [
        ("exited", "start it with `docker start web-1`"),
        ("created", "start it with `docker start web-1`"),
        ("stopped", "start it with `docker start web-1`"),
        ("paused", "let it go on with `docker unpause web-1`"),
        ("restarting", "`docker logs web-1` shows why it ends"),
        ("removing", None),
    ],
)
def test_what_brings_a_container_back_is_told(state: str, cure: str | None) -> None:
    found = snapshot(container(labels=A, state=state))

    (one,) = found.containers
    assert (one.is_served, one.why, one.cure) == (False, f'is not running: its state is "{state}"', cure)


def test_an_ipv6_network_is_used_where_there_is_no_other_address() -> None:
    only6 = (attachment(ipv4=None, ipv6="fd00::2"),)
    both = (attachment(ipv4="10.0.0.2", ipv6="fd00::2"),)

    assert endpoints(snapshot(container(labels=A, attachments=only6)), "a.test") == ["[fd00::2]:80"]
    assert endpoints(snapshot(container(labels=A, attachments=both)), "a.test") == ["10.0.0.2:80"]


def test_what_uses_the_hosts_network_is_on_loopback() -> None:
    found = snapshot(container(labels=A | {"daemun.port": "9000"}, network_mode="host", attachments=()))

    assert endpoints(found, "a.test") == ["127.0.0.1:9000"]


@pytest.mark.parametrize(
    ("mode", "attached", "said"),
    [
        ("none", (), 'has no network ("none")'),
        ("gate", (), "it is on none"),
        ("mac", (attachment("mac"),), 'it is on "mac"'),
        ("ingress", (attachment("ingress"),), "attach it to a bridge network"),
        ("container:gone", (), "which is not there"),
    ],
)
def test_a_container_that_cannot_be_reached_is_told_of(
    mode: str, attached: tuple[containers.Attachment, ...], said: str
) -> None:
    found = snapshot(
        container(labels=A, network_mode=mode, attachments=attached),
        networks=networks(mac="macvlan", ingress="overlay"),
    )

    assert endpoints(found, "a.test") == []
    (told,) = messages(found)
    assert said in told


def test_a_network_shared_with_another_container_is_that_ones() -> None:
    vpn = container("vpn", ip="10.0.0.9")
    app = container("app", A | {"daemun.port": "8080"}, network_mode=f"container:{identity('vpn')}", attachments=())

    assert endpoints(snapshot(vpn, app), "a.test") == ["10.0.0.9:8080"]


def test_containers_that_share_each_others_network_end_nowhere() -> None:
    one = container("one", A, network_mode=f"container:{identity('two')}", attachments=())
    two = container("two", network_mode=f"container:{identity('one')}", attachments=())

    assert endpoints(snapshot(one, two), "a.test") == []


# --- daemun in a container -------------------------------------------------------------------------------------


def test_in_a_container_only_shared_networks_are_reached() -> None:
    own = container("daemun", attachments=(attachment("gate", ipv4="10.0.0.7"), attachment("zoo", ipv4="10.3.0.7")))
    app = container("app", A, attachments=(attachment("other", ipv4="10.1.0.2"), attachment("zoo", ipv4="10.3.0.2")))
    apart = container("apart", {"daemun.host": "b.test"}, attachments=(attachment("other", ipv4="10.1.0.3"),))

    found = snapshot(own, app, apart, own="daemun", networks=(GATE, OTHER))

    assert endpoints(found, "a.test") == ["10.3.0.2:80"]
    assert endpoints(found, "b.test") == []
    assert messages(found) == [
        'container "apart" shares no network with daemun: it is on "other", daemun on "gate" and '
        '"zoo"; attach both to one network'
    ]


def test_in_a_container_the_host_is_behind_the_gateway() -> None:
    own = container("daemun")
    app = container("app", A | {"daemun.port": "9000"}, network_mode="host", attachments=())

    assert endpoints(snapshot(own, app, own="daemun"), "a.test") == ["10.0.0.1:9000"]


def test_a_daemun_with_the_hosts_network_is_on_the_host() -> None:
    own = container("daemun", network_mode="host", attachments=(attachment("host", ipv4=None, gateway=None),))
    app = container("app", A, attachments=(attachment("other", ipv4="10.1.0.2"),))
    beside = container("beside", {"daemun.host": "b.test"}, network_mode="host", attachments=())

    found = snapshot(own, app, beside, own="daemun", networks=(GATE, OTHER))

    assert endpoints(found, "a.test") == ["10.1.0.2:80"]
    assert endpoints(found, "b.test") == ["127.0.0.1:80"]


def test_what_shares_daemuns_own_network_is_on_loopback() -> None:
    own = container("daemun")
    app = container("app", A, network_mode=f"container:{identity('daemun')}", attachments=())

    assert endpoints(snapshot(own, app, own="daemun"), "a.test") == ["127.0.0.1:80"]


# --- which container daemun is in ------------------------------------------------------------------------------

OWN = identity("daemun")
MOUNT = f"612 590 254:1 /var/lib/docker/containers/{OWN}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw"
PODMAN = f"612 590 0:50 /containers/overlay-containers/{OWN}/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw"


@pytest.mark.parametrize(
    "traces",
    [
        own_container.Traces(mountinfo=f"22 27 0:21 / /proc rw - proc proc rw\n{MOUNT}"),
        own_container.Traces(mountinfo=PODMAN, hostname="web"),
        own_container.Traces(cgroup=f"9:name=systemd:/docker/{OWN}\n0::/"),
        own_container.Traces(cgroup=f"0::/system.slice/docker-{OWN}.scope"),
        own_container.Traces(cgroup="0::/", hostname=OWN[:12]),
    ],
)
def test_daemuns_own_container_is_found(traces: own_container.Traces) -> None:
    assert own_container.find_own_id(traces, [identity("other"), OWN]) == OWN
    assert own_container.find_own_id(traces, [identity("other")]) is None  # another engine's


@pytest.mark.parametrize(
    "traces",
    [
        own_container.Traces(),
        own_container.Traces(hostname="web", cgroup="0::/init.scope"),
        own_container.Traces(hostname=OWN[:8]),
        # The host sees mounts of containers, but not in the places where a container sees its own.
        own_container.Traces(mountinfo=f"80 27 0:60 / /var/lib/docker/containers/{OWN}/mounts/shm rw - tmpfs shm rw"),
    ],
)
def test_the_host_is_no_container(traces: own_container.Traces) -> None:
    assert own_container.find_own_id(traces, [OWN]) is None
