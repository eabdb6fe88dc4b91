"""Containers of another machine: by the ports that they publish there, or on a network of both machines."""

import collections.abc
import dataclasses

import pytest

from daemun.core import model
from daemun.core.options import docker_option
from daemun.sources.docker import container_sites, containers, engine_reach
from tests.support.docker_values import attachment, container, endpoints, identity, messages

A = {"daemun.host": "a.test"}
NAS = containers.EngineMark(name="nas", command="ssh nas docker")
HERE = containers.EngineMark(name="local")
REACH = engine_reach.EngineReach(machine="10.9.0.7", addresses=("10.9.0.7",))


def published(port: int, host_port: int, address: str = "0.0.0.0", *, is_udp: bool = False) -> containers.PublishedPort:
    return containers.PublishedPort(port=port, host_port=host_port, address=address, is_udp=is_udp)


def on(
    engine: containers.EngineMark, one: containers.EngineContainer, *ports: containers.PublishedPort
) -> containers.EngineContainer:
    return dataclasses.replace(one, engine=engine, published=ports)


def look(
    *found: containers.EngineContainer,
    reach: engine_reach.EngineReach = REACH,
    networks: tuple[containers.ContainerNetwork, ...] = (),
    own: str | None = None,
    stream_ports: collections.abc.Sequence[int] = (),
) -> model.Snapshot:
    terms = container_sites.TranslationTerms(
        own_id=identity(own) if own is not None else None,
        reaches={"nas": reach},
        stream_ports=docker_option.parse_stream_ports(list(stream_ports)),
    )
    listing = containers.ContainerListing(containers=found, networks=networks)
    return container_sites.translate(listing, terms, {}, now_s=0.0).snapshot


# --- published ports -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("addresses", "at", "expected"),
    [
        (("10.9.0.7",), ("0.0.0.0", "::"), "10.9.0.7:8080"),
        (("fd00::7",), ("0.0.0.0", "::"), "[fd00::7]:8080"),
        (("10.9.0.7", "fd00::7"), ("::",), "[fd00::7]:8080"),
        (("10.9.0.7",), ("10.9.0.7",), "10.9.0.7:8080"),
        (("127.0.0.1",), ("127.0.0.1",), "127.0.0.1:8080"),
    ],
)
def test_a_published_port_is_reached_at_the_machines_address(
    addresses: tuple[str, ...], at: tuple[str, ...], expected: str
) -> None:
    found = look(
        on(NAS, container(labels=A), *(published(80, 8080, one) for one in at)),
        reach=engine_reach.EngineReach(machine="nas", addresses=addresses),
    )
    assert endpoints(found, "a.test") == [expected]
    assert found.problems == ()
    assert found.containers[0].is_served and found.containers[0].engine == "nas"


@pytest.mark.parametrize(
    ("ports", "why", "cure"),
    [
        ((), "publishes no port for its port 80", '`ports: ["80"]`'),
        ((published(90, 9090),), "publishes no port for its port 80", '`ports: ["80"]`'),
        ((published(80, 8080, is_udp=True),), "publishes no port for its port 80", '`ports: ["80"]`'),
        (
            (published(80, 8080, "127.0.0.1"), published(80, 8080, "::1")),
            "on 127.0.0.1 and ::1 alone, which no other machine reaches",
            '`ports: ["10.9.0.7:8080:80"]`',
        ),
        # An address that a container names may be one of this machine, too: its servers are nobody's there to reach.
        (
            (published(80, 8080, "172.17.0.1"),),
            "on 172.17.0.1 alone, and the machine is reached at 10.9.0.7",
            '`ports: ["10.9.0.7:8080:80"]`',
        ),
        ((published(80, 8080, "::"),), "on :: alone, and the machine is reached at 10.9.0.7", "10.9.0.7:8080:80"),
    ],
)
def test_what_is_not_published_there_is_reported_with_the_cure(
    ports: tuple[containers.PublishedPort, ...], why: str, cure: str
) -> None:
    found = look(on(NAS, container(labels=A), *ports))

    assert endpoints(found, "a.test") == []
    assert found.pools[0].is_out_of_reach
    (told,) = messages(found)
    assert told.startswith('container "web-1@nas" publishes ') and why in told and cure in told
    assert found.containers[0].why is not None and not found.containers[0].is_served


@pytest.mark.parametrize(
    ("exposed", "ports", "asked", "expected"),
    [
        ((80, 443), (published(443, 8443),), None, "10.9.0.7:8443"),
        ((), (published(3000, 8300),), None, "10.9.0.7:8300"),
        ((80, 443), (published(80, 8080), published(443, 8443)), "443", "10.9.0.7:8443"),
        ((80, 443), (published(80, 8080), published(443, 8443)), None, "10.9.0.7:8080"),
    ],
)
def test_the_only_port_that_is_published_is_meant(
    exposed: tuple[int, ...], ports: tuple[containers.PublishedPort, ...], asked: str | None, expected: str
) -> None:
    labels = A if asked is None else {**A, "daemun.port": asked}
    assert endpoints(look(on(NAS, container(labels=labels, ports=exposed), *ports)), "a.test") == [expected]


def test_the_network_of_the_machine_and_that_of_another_container() -> None:
    host = on(NAS, container("host-1", {"daemun.host": "h.test"}, ports=(3000,), network_mode="host"))
    holder = on(NAS, container("vpn-1"), published(80, 8080))
    beside = container("in-1", {"daemun.host": "i.test"}, network_mode=f"container:{identity('vpn-1')}", attachments=())
    found = look(host, holder, on(NAS, beside))

    assert endpoints(found, "h.test") == ["10.9.0.7:3000"]
    assert endpoints(found, "i.test") == ["10.9.0.7:8080"]


def test_a_machine_whose_address_is_not_known_is_waited_for() -> None:
    reach = engine_reach.EngineReach(machine="nas.lan", failure="name or service not known")
    found = look(on(NAS, container(labels=A), published(80, 8080)), reach=reach)

    assert not found.pools[0].is_out_of_reach
    (told,) = messages(found)
    assert (
        'is on "nas.lan", of which no address is known: name or service not known; set `address` of the engine nas'
        in told
    )


def test_udp_is_published_apart() -> None:
    labels = {"daemun.stream.dns.listen": "53", "daemun.stream.dns.scheme": "udp"}
    one = container("dns-1", labels, ports=())
    found = look(on(NAS, one, published(53, 5300), published(53, 5353, is_udp=True)), stream_ports=[53])
    assert [(pool.endpoints[0].address, pool.endpoints[0].port) for pool in found.pools] == [("10.9.0.7", 5353)]


# --- networks of both machines ---------------------------------------------------------------------------------


def test_a_network_that_the_file_names_is_reached() -> None:
    one = container(labels=A, attachments=(attachment("apart", ipv4="10.5.0.2"), attachment("lan", ipv4="192.168.1.9")))
    reach = dataclasses.replace(REACH, networks=("lan",))
    assert endpoints(look(on(NAS, one), reach=reach), "a.test") == ["192.168.1.9:80"]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "169.254.169.254", "::1", "224.0.0.1"])
def test_no_address_of_this_machine_is_believed_there(address: str) -> None:
    one = container(labels=A, attachments=(attachment("lan", ipv4=address),))
    assert endpoints(look(on(NAS, one), reach=dataclasses.replace(REACH, networks=("lan",))), "a.test") == []


@pytest.mark.parametrize(("driver", "reached"), [("overlay", True), ("bridge", False)])
def test_an_overlay_network_that_daemun_is_on_reaches_over_machines(driver: str, reached: bool) -> None:
    """A bridge of the same name on both is two networks."""
    networks = tuple(
        containers.ContainerNetwork(id="gate-id", name="gate", driver=driver, engine=one) for one in ("local", "nas")
    )
    own = on(HERE, container("daemun", ip="10.0.0.9"))
    far, near = container("far-1", A, ip="10.0.0.2"), container("near-1", {"daemun.host": "n.test"}, ip="10.0.0.3")
    found = look(own, on(NAS, far), on(HERE, near), networks=networks, own="daemun")

    assert endpoints(found, "a.test") == (["10.0.0.2:80"] if reached else [])
    assert endpoints(found, "n.test") == ["10.0.0.3:80"]


def test_the_engine_that_daemuns_own_container_is_of_is_no_other_machine() -> None:
    """Though it is reached as one is, through a proxy of its socket."""
    own = on(NAS, container("daemun", ip="10.0.0.9"))
    assert endpoints(look(own, on(NAS, container(labels=A))), "a.test") == []  # its mark has a reach, it has no own
    assert endpoints(look(own, on(NAS, container(labels=A)), own="daemun"), "a.test") == ["10.0.0.2:80"]


# --- two engines -----------------------------------------------------------------------------------------------


def test_one_host_on_two_engines_is_one_site_with_both_servers() -> None:
    here, there = container(labels=A, age_s=9), container("web-2", A, age_s=1)
    found = look(on(HERE, here), on(NAS, there, published(80, 8080)))

    assert [site.host for site in found.sites] == ["a.test"]
    assert endpoints(found, "a.test") == ["10.0.0.2:80", "10.9.0.7:8080"]
    assert str(found.sites[0].routes[0].origin) == "container web-1@local"
    assert [(one.name, one.engine) for one in found.containers] == [("web-1", "local"), ("web-2", "nas")]
    assert found.containers[1].full_name == "web-2@nas"


def test_containers_of_one_name_are_told_apart() -> None:
    here = container(labels=A, age_s=9)
    there = dataclasses.replace(container(labels={**A, "daemun.timeout": "5s"}), id=identity("another"))
    found = look(on(HERE, here), on(NAS, there, published(80, 8080)))

    (told,) = messages(found)
    assert told.startswith('cannot serve container "web-1@nas" at "a.test/": the older container "web-1@local" serves')
    assert endpoints(found, "a.test") == ["10.0.0.2:80"]


def test_what_to_do_names_the_engine() -> None:
    stopped, sick = (
        container(labels=A, state="exited"),
        container("sick", A, health=containers.ContainerHealth.UNHEALTHY),
    )
    found = look(on(NAS, stopped), on(NAS, sick))
    told = messages(found, model.Severity.WARNING)
    assert any("`ssh nas docker start web-1`" in one for one in told)
    assert any("`ssh nas docker inspect sick`" in one for one in told)
