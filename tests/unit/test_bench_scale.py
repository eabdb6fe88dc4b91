"""What the benchmark's rows about scale say, and the engine that it replays, as daemun reads it."""

from bench import estate, figures, sites, visits
from bench.engine import shapes
from daemun.sources.docker import container_address, containers, engine_events, engine_state


def test_the_replayed_engine_is_one_that_daemun_reads() -> None:
    shape = shapes.Shape(number=251, port=8000)
    found = containers.parse_container(shapes.inspected(shape))
    network = containers.parse_network(shapes.RECORDED["network"])

    assert (found.id, found.name, found.state) == (shape.id, "web-251", "running")
    assert dict(found.labels) == {"daemun.host": "web-251.test", "daemun.port": "8000"}
    listing = containers.ContainerListing(containers=(found,), networks=(network,))
    assert (
        container_address.find_address(found, container_address.NginxLocation(gate=None, listing=listing))
        == "127.10.1.2"
    )


def test_a_list_of_the_replayed_engine_tells_what_its_answers_tell() -> None:
    shape = shapes.Shape(number=0, port=8000)
    known = engine_state.EngineState()
    known.take_rows([containers.parse_row(shapes.row(shape))])
    known.take(shape.id, containers.parse_container(shapes.inspected(shape)))

    known.take_rows([containers.parse_row(shapes.row(shape))])
    assert not known.doubted
    known.take_rows([containers.parse_row(shapes.row(shapes.Shape(number=0, port=8000, moves=1)))])
    assert known.doubted == (shape.id,)


def test_every_event_of_the_replayed_engine_is_of_its_container() -> None:
    shape = shapes.Shape(number=3, port=8000)
    happened = [engine_events.parse_event(shapes.event(kind, shape)) for kind in (*shapes.APPEARS, *shapes.MOVES)]

    assert {event.container for event in happened} == {shape.id}
    assert all(event.is_relevant for event in happened)


def test_addresses_are_the_containers_own_and_change_when_they_move() -> None:
    told = [shapes.Shape(number=number, port=1, moves=moves).address for number in range(1000) for moves in range(3)]

    assert len(set(told)) == len(told)
    assert all(one.startswith("127.") for one in told)


def test_a_daemun_yaml_has_a_line_for_each_site() -> None:
    plots = estate.Plots(targets={"a.test": 1, "b.test": 2}, docker="unix:///x.sock", own="own.test")

    plots.targets["a.test"] = 3
    assert plots.write(80, 443).splitlines() == [
        'listen: {http: "127.0.0.1:80", https: "127.0.0.1:443"}',
        "docker: 'unix:///x.sock'",
        "sites:",
        "  a.test: http://127.0.0.1:3",
        "  b.test: http://127.0.0.1:2",
        "  own.test: {tls: {certificate: own.pem, key: own.key}, routes: {/: 'http://127.0.0.1:1'}}",
    ]


def test_what_a_site_more_costs_is_compared_among_few_and_among_many() -> None:
    found = sites.Found()
    for extent, start_s in zip(sites.FULL, (1.0, 1.1, 2.0, 11.0), strict=True):
        found.add("start", extent.name, start_s)

    (row,) = (row for row in sites.find_rows(found, sites.FULL) if row.what == "a site more: start")
    (verdict,) = figures.judge(row)

    assert [round(values[0], 6) for values in row.series.values()] == [1.0, 1.0]
    assert verdict.outcome is figures.Outcome.REACHED


def test_a_size_that_was_given_up_is_told_and_not_judged() -> None:
    found = sites.Found()
    found.add("start", "10 sites", 1.0)
    with found.giving_up("start with 10,000 sites"):
        raise visits.NeverError("not within 30 s")

    first = next(iter(sites.find_rows(found, sites.FULL)))

    assert found.notes == ["start with 10,000 sites: given up, not within 30 s."]
    assert [verdict.outcome.value for verdict in figures.judge(first)] == ["reached", "not measured"]
    assert first.series["10,000 sites"] == ()
