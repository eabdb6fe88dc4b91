"""Labels of containers for streams: what they request, who may have which port, and what stays while they change."""

import dataclasses
import typing

import pytest

from daemun.core import model
from daemun.core.options import catalogue, docker_option, stream_forms, streams_option
from daemun.core.rounds import merge
from daemun.sources.docker import container_sites, containers, recent_claims, tenants
from tests.support import docker_values as values

PORTS = (1883, "5000-5010", 8883, 53, 443)
PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"


def made(
    name: str = "mqtt-1",
    *,
    stream: str = "mqtt",
    project: str | None = None,
    age_s: float = 0,
    ports: tuple[int, ...] = (),
    ip: str = "10.0.0.2",
    state: str = "running",
    others: dict[str, str] | None = None,
    **labels: str,
) -> containers.EngineContainer:
    """labels: `timeout__idle` is `timeout.idle`."""
    given = {f"daemun.stream.{stream}.{key.replace('__', '.')}": value for key, value in labels.items()}
    if project is not None:
        given |= {PROJECT: project, SERVICE: "broker"}
    return values.container(name, given | (others or {}), age_s=age_s, ports=ports, ip=ip, state=state)


def run(*found: containers.EngineContainer, **terms: object) -> container_sites.Translated:
    return values.run(*found, **{"stream_ports": PORTS, **terms})  # type: ignore[arg-type]


def streams(found: container_sites.Translated) -> dict[str, stream_forms.Stream]:
    return {one.name: one.stream for one in streams_option.OPTION.of(found.snapshot)}


def ends(found: container_sites.Translated, name: str = "mqtt") -> list[str]:
    pool = streams(found)[name].to[0].url.pool
    return [f"{one.address}:{one.port}" for each in found.snapshot.pools if each.name == pool for one in each.endpoints]


def errors(found: container_sites.Translated) -> list[str]:
    return values.messages(found.snapshot)


# --- what labels request -----------------------------------------------------------------------------------------


def test_a_stream_of_a_container() -> None:
    found = run(made(listen="1883", port="1884", ports=(1883, 9001)))

    (one,) = streams_option.OPTION.of(found.snapshot)
    assert (one.name, [str(address) for address in one.stream.listen]) == ("mqtt", ["1883"])
    assert one.origin == model.Origin(source="docker", place="container mqtt-1")
    assert ends(found) == ["10.0.0.2:1884"]
    (container,) = found.snapshot.containers
    assert (container.hosts, container.streams, container.is_served) == ((), ("mqtt",), True)


@pytest.mark.parametrize(
    ("labels", "exposed", "port"),
    [
        ({"listen": "8883"}, (1883,), 1883),
        ({"listen": "5000, 5001"}, (), 5000),
        ({"listen": "1883"}, (1883, 9001), 1883),
        ({"listen": "53", "scheme": "udp"}, (80,), 53),
        ({"listen": "53", "scheme": "udp", "port": "5353"}, (80,), 5353),
    ],
)
def test_which_port_of_the_container_is_used(
    labels: dict[str, typing.Any], exposed: tuple[int, ...], port: int
) -> None:
    assert ends(run(made(ports=exposed, **labels))) == [f"10.0.0.2:{port}"]


def test_every_label() -> None:
    shown = made(
        listen="127.0.0.1:8883, [::1]:8883",
        tls="mqtt.example.com",
        scheme="tls",
        server_name="broker.internal",
        balance="least_conn",
        timeout__connect="2s",
        timeout__idle="1h",
        allow="private, 203.0.113.7",
        deny="10.0.0.9",
        connections="5",
        proxy_protocol="true",
        weight="3",
    )
    found = run(shown)

    assert errors(found) == []
    one = streams(found)["mqtt"]
    assert [str(address) for address in one.listen] == ["127.0.0.1:8883", "[::1]:8883"]
    assert (one.certificate_host, one.server_name, one.verify.is_on) == ("mqtt.example.com", "broker.internal", True)
    assert (one.balance, one.timeout.connect_s, one.idle_s) == (stream_forms.StreamBalance.LEAST_CONN, 2.0, 3600.0)
    assert (one.allow, one.deny, one.connections) == (("private", "203.0.113.7"), ("10.0.0.9",), 5)
    assert one.proxy_protocol
    (pool,) = found.snapshot.pools
    assert [end.weight for end in pool.endpoints] == [3]
    assert not streams(run(made(listen="8883", scheme="tls")))["mqtt"].verify.is_on
    assert streams(run(made(listen="53", scheme="udp", responses="1", timeout="5s")))["mqtt"].responses == 1
    passed = streams(run(made(listen="443", tls="passthrough", hosts="a.test, *.b.test")))["mqtt"]
    assert passed.is_passthrough
    assert passed.hosts == ("a.test", "*.b.test")


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        ({}, ["daemun.stream.mqtt.listen", "is missing"]),
        ({"listen": ""}, ["listen"]),
        ({"listen": "0"}, ["listen", "not between 1 and 65535"]),
        ({"listen": "1883; include /etc/passwd"}, ["listen", "expected a port"]),
        ({"listen": "unix:/run/x.sock"}, ["listen"]),
        ({"listen": "example.com:1883"}, ["listen", "not an IP address"]),
        ({"listen": ",".join(["1883"] * 21)}, ["listen", "21 entries"]),
        ({"listen": "1883", "to": "tcp://10.0.0.1:22"}, ['"daemun.stream.mqtt.to" is not for labels']),
        ({"listen": "1883", "enabled": "false"}, ["is not for labels"]),
        ({"listen": "1883", "verify": "/etc/shadow"}, ["verify", "expected true or false"]),
        ({"listen": "1883", "scheme": "tls", "verify": "true"}, ["verify", "server_name"]),
        ({"listen": "1883", "scheme": "unix"}, ["scheme", "tcp"]),
        ({"listen": "1883", "port": "70000"}, ["port", "from 1 to 65535"]),
        ({"listen": "1883", "weight": "-1"}, ["weight"]),
        ({"listen": "1883", "tls": "*.example.com"}, ["tls", "wildcard"]),
        ({"listen": "1883", "tls": "pasthrough"}, ["tls", "passthrough"]),
        ({"listen": "443", "tls": "passthrough"}, ["tls", "hosts"]),
        ({"listen": "443", "tls": "passthrough", "hosts": "10.0.0.1"}, ["hosts", "address"]),
        ({"listen": "1883", "hosts": "a.test"}, ["hosts", "passthrough"]),
        ({"listen": "1883", "allow": "db.internal"}, ["allow", "host name"]),
        ({"listen": "1883", "connections": "0"}, ["connections"]),
        ({"listen": "1883", "connections": "many"}, ["connections"]),
        ({"listen": "1883", "responses": "1"}, ["responses", "UDP"]),
        ({"listen": "1883", "balance": "fastest"}, ["balance", "least_conn"]),
        ({"listen": "1883", "timeout": "5m", "timeout__idle": "1h"}, ["timeout", "one of the two forms"]),
        ({"listen": "1883", "timeout__idle": "soon"}, ["timeout.idle"]),
        ({"listen": "1883", "proxy_protocol": "maybe"}, ["proxy_protocol"]),
        ({"listen": "1883", "lisen": "1"}, ["unknown", "listen"]),
        ({"listen": "1883", "balance": "x" * 5000}, ["too long"]),
    ],
)
def test_a_mistake_refuses_the_container(labels: dict[str, typing.Any], parts: list[str]) -> None:
    given: dict[str, typing.Any] = labels or {"port": "1883"}
    found = run(made(others={"daemun.host": "a.test"}, **given))

    (message,) = errors(found)
    for part in ['container "mqtt-1"', *parts]:
        assert part in message
    assert (streams(found), found.snapshot.sites) == ({}, ())
    assert not found.snapshot.containers[0].is_served


@pytest.mark.parametrize("name", ["a b", "..", "-x", "x" * 65, "é", "a/b", "a;b", ""])
def test_names_are_names(name: str) -> None:
    found = run(made(stream=name, listen="1883"))

    assert streams(found) == {}
    assert len(errors(found)) == 1


def test_a_container_requests_few_streams() -> None:
    many = {f"daemun.stream.s{number}.listen": str(5000 + number % 10) for number in range(21)}

    assert "21 streams" in errors(run(values.container("many", many)))[0]


# --- which ports -------------------------------------------------------------------------------------------------


def test_no_port_is_a_containers_unless_the_owner_writes_it() -> None:
    found = run(made(listen="1883"), stream_ports=())

    (message,) = errors(found)
    assert "stream_ports: [1883]" in message
    assert streams(found) == {}
    (container,) = found.snapshot.containers
    assert (container.is_served, container.streams) == (False, ("mqtt",))
    assert streams(run(made(listen="5004, 5011"))) == {}
    assert [*streams(run(made(listen="5004, 5010")))] == ["mqtt"]


def test_ports_of_projects() -> None:
    ports = {1883: "shop", "5000-5010": ["blog", "shop"], 8883: True}
    for port, project, may in (
        ("1883", "shop", True),
        ("1883", "blog", False),
        ("5003", "blog", True),
        ("8883", "any", True),
        ("1883", None, False),
    ):
        assert bool(streams(run(made(listen=port, project=project), stream_ports=ports))) is may


@pytest.mark.parametrize("wrong", [0, "1-x", "9-8", 65536, [True], {1883: False}, {1883: []}, {1883: [1]}, None])
def test_what_is_no_port(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        docker_option.parse_stream_ports(wrong)


def test_reserved_hosts_are_no_containers() -> None:
    both: tuple[dict[str, typing.Any], ...] = (
        {"listen": "8883", "tls": "a.corp.test"},
        {"listen": "443", "tls": "passthrough", "hosts": "*.test"},
    )
    for labels in both:
        found = run(made(**labels), reserved=("*.corp.test",))
        assert streams(found) == {}
        assert "docker.reserve" in errors(found)[0]


# --- several containers ------------------------------------------------------------------------------------------


def test_containers_with_the_same_labels_share_a_stream() -> None:
    found = run(made(listen="1883"), made("mqtt-2", listen="1883", ip="10.0.0.3"))

    assert sorted(ends(found)) == ["10.0.0.2:1883", "10.0.0.3:1883"]


def test_of_one_name_with_other_settings_the_older_decides() -> None:
    found = run(made("new", listen="8883"), made("old", listen="1883", age_s=60))

    assert [str(address) for address in streams(found)["mqtt"].listen] == ["1883"]
    (message,) = errors(found)
    assert 'container "new" as stream "mqtt"' in message
    assert 'older container "old"' in message


def test_a_stream_outlives_the_container_that_is_replaced() -> None:
    first = run(made(listen="1883", project="shop"))
    gone = run(known_streams=first.streams, now_s=1.0)
    again = run(made("mqtt-2", listen="1883", project="shop", ip="10.0.0.9"), known_streams=gone.streams, now_s=2.0)

    assert streams(gone) == streams(first) == streams(again)
    assert (ends(gone), ends(again)) == ([], ["10.0.0.9:1883"])
    (one,) = streams_option.OPTION.of(again.snapshot)
    assert one.origin.place == "container mqtt-1"  # it stands in nginx's file
    assert streams(run(known_streams=gone.streams, now_s=recent_claims.KEPT_S + 2)) == {}
    assert streams(run(known_streams=gone.streams, now_s=2.0, stream_ports=())) == {}  # the owner took the port back


def test_one_that_does_not_run_gets_nothing() -> None:
    found = run(made(listen="1883", state="exited"))

    assert ends(found) == []
    assert not found.snapshot.containers[0].is_served


# --- tenants -----------------------------------------------------------------------------------------------------

ON = tenants.TenantPolicy(is_on=True)


@pytest.mark.parametrize(
    ("labels", "belongs"),
    [
        ({"stream": "mqtt", "listen": "8883"}, "stream mqtt"),
        ({"stream": "other", "listen": "1883"}, "port 1883/tcp"),
        ({"stream": "other", "listen": "127.0.0.1:1883"}, "port 1883/tcp"),
        ({"stream": "other", "listen": "8883", "tls": "mqtt.test"}, '"mqtt.test"'),
        ({"stream": "other", "listen": "443", "tls": "passthrough", "hosts": "www.mqtt.test, a.shop.test"}, '"*.shop'),
    ],
)
def test_what_a_tenant_has_is_no_other_tenants(labels: dict[str, typing.Any], belongs: str) -> None:
    shop = made(
        "shop-1", project="shop", listen="1883", tls="mqtt.test", age_s=60, others={"daemun.host": "*.shop.test"}
    )
    stranger = made("blog-1", project="blog", **labels)
    found = run(shop, stranger, tenants_=ON)

    assert [*streams(found)] == ["mqtt"]
    (message,) = errors(found)
    assert f"{belongs}" in message
    assert "belongs to project shop" in message
    # It stays the first one's while that is away for a moment, also after a restart of daemun.
    later = run(stranger, tenants_=ON, owners=found.owners)
    assert streams(later) == {}
    # As the label of the owner has it.
    shared = dataclasses.replace(shop, labels=(*shop.labels, ("daemun.share", "blog")))
    assert not any("belongs to" in one for one in errors(run(shared, stranger, tenants_=ON)))


def test_udp_and_tcp_of_a_port_may_be_of_two_tenants() -> None:
    tcp = made("a-1", project="a", stream="a", listen="53")
    udp = made("b-1", project="b", stream="b", listen="53", scheme="udp")

    assert sorted(streams(run(tcp, udp, tenants_=ON))) == ["a", "b"]


# --- beside the file ---------------------------------------------------------------------------------------------


def merged(found: container_sites.Translated, **of_file: object) -> model.Desired:
    """of_file: `streams`, `sites` and fields of the gate."""
    streams_ = of_file.pop("streams", ())
    sites = of_file.pop("sites", ())
    settings = model.Globals(
        options=catalogue.values(streams_option.OPTION.set(streams_)),  # type: ignore[arg-type]
        **of_file,  # type: ignore[arg-type]
    )
    file = model.Snapshot(source="file", globals=settings, sites=sites)  # type: ignore[arg-type]
    return merge.merge_snapshots((file, found.snapshot))


def site(host: str, **more: object) -> model.Site:
    origin = model.Origin(source="file", place="daemun.yaml:3")
    route = model.Route(
        path="/", action=model.Proxy(targets=(model.Target(scheme=model.Scheme.HTTP, host="10.0.0.8", port=80),))
    )
    return model.Site(host=host, routes=(route,), origin=origin, **more)  # type: ignore[arg-type]


def of_file(name: str, listen: int, **more: object) -> streams_option.NamedStream:
    target = stream_forms.StreamTarget(protocol=stream_forms.StreamProtocol.TCP, host="10.0.0.8", port=1)
    stream = stream_forms.Stream(
        listen=(model.Address(port=listen),),
        to=(stream_forms.Server(url=target),),
        **more,  # type: ignore[arg-type]
    )
    return streams_option.NamedStream(name=name, stream=stream, origin=model.Origin(source="file", place="d.yaml:9"))


def test_streams_of_containers_are_served_beside_those_of_the_file() -> None:
    desired = merged(run(made(listen="1883")), streams=(of_file("ssh", 22),))

    assert [one.name for one in streams_option.find_enabled(desired.globals)] == ["ssh", "mqtt"]
    assert desired.containers[0].is_served
    assert not desired.problems


@pytest.mark.parametrize(
    ("labels", "file", "why"),
    [
        ({"listen": "443"}, {}, "443 is already listened on by listen.https"),
        ({"listen": "1883"}, {"streams": (of_file("broker", 1883),)}, 'listened on by stream "broker"'),
        ({"listen": "8883"}, {"streams": (of_file("mqtt", 1883),)}, "the name belongs to the stream of"),
        ({"listen": "8883"}, {"sites": (site("a.test", https_port=8883),)}, 'listened on by site "a.test"'),
        ({"listen": "8883", "tls": "a.test"}, {"sites": (site("a.test"),)}, '"a.test" belongs to site "a.test"'),
        (
            {"listen": "8883", "tls": "a.test"},
            {"streams": (of_file("a.test", 443, tls="passthrough"),)},
            'belongs to stream "a.test"',
        ),
        (
            {"listen": "443", "tls": "passthrough", "hosts": "a.test"},
            {"sites": (site("a.test"),)},
            'already belongs to site "a.test"',
        ),
        ({"listen": "1883", "tls": "passthrough", "hosts": "b.test"}, {}, "the port of listen.https"),
    ],
)
def test_what_others_have_is_refused_and_named(
    labels: dict[str, typing.Any], file: dict[str, object], why: str
) -> None:
    before = len(file.get("streams", ()))  # type: ignore[arg-type]
    desired = merged(run(made(**labels)), **file)

    assert len(streams_option.find_enabled(desired.globals)) == before
    (problem,) = [one for one in desired.problems if one.severity is model.Severity.ERROR]
    assert why in problem.message
    assert problem.origin.place == "container mqtt-1"
    (container,) = desired.containers
    assert not container.is_served
    assert why in (container.why or "")


def test_of_two_containers_at_one_port_the_older_is_served() -> None:
    found = run(made("new", stream="new", listen="1883"), made("old", stream="old", listen="1883", age_s=60))
    desired = merged(found)

    assert [one.name for one in streams_option.find_enabled(desired.globals)] == ["old"]
    (problem,) = desired.problems
    assert 'listened on by stream "old"' in problem.message
    assert [(one.name, one.is_served) for one in desired.containers] == [("new", False), ("old", True)]
