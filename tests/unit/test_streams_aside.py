"""What is wrong with one stream is its own trouble: what of it goes on, what is served beside it, what is reported."""

import pathlib

import pytest

from daemun.core import model
from daemun.core.options import streams_option
from daemun.core.render import render_tree
from daemun.core.rounds import assembly, merge, outcome
from daemun.sources import set_aside, yaml_edit, yaml_file
from tests.unit import test_render_golden

ENVIRONMENT = test_render_golden.ENVIRONMENT
MQTT, DNS = "mqtt: {listen: 1883, to: tcp://10.0.0.5:1883}", "dns: {listen: 53, to: udp://10.0.0.2:53}"
PASSED = "mail.test: {listen: 443, to: tcp://10.0.0.9:443, tls: passthrough}"


def write(folder: pathlib.Path, *streams: str, sites: str = "sites: {}", more: str = "") -> pathlib.Path:
    path = folder / "daemun.yaml"
    path.write_text("\n".join([more, sites, "streams:", *(f"  {one}" for one in streams), ""]))
    return path


def know(folder: pathlib.Path, *streams: str) -> set_aside.LastGoodEntries:
    """What is known after a good version of the file."""
    snapshot = yaml_file.read_snapshot(write(folder, *streams))
    assert snapshot.globals is not None
    return set_aside.LastGoodEntries(streams={one.name: one for one in streams_option.OPTION.of(snapshot.globals)})


def read(path: pathlib.Path, known: set_aside.LastGoodEntries, *, is_start: bool = False) -> model.Snapshot:
    with pytest.raises(yaml_file.InvalidFileError) as caught:
        yaml_file.read_snapshot(path)
    return set_aside.set_aside(caught.value, known, is_start=is_start)


def found(snapshot: model.Snapshot) -> dict[str, streams_option.NamedStream]:
    assert snapshot.globals is not None
    return {one.name: one for one in streams_option.OPTION.of(snapshot.globals)}


WRONG = {
    "nothing": "",
    "a list": "[1, 2]",
    "no servers": "{listen: 1883}",
    "an unknown key": "{listen: 1883, to: tcp://10.0.0.5:1883, tsl: a.test}",
    "a wrong value": "{listen: 1883, to: tcp://10.0.0.5:1883, connections: many}",
    "a value out of range": "{listen: 1883, to: tcp://10.0.0.5:1883, connections: 0}",
    "a server without a scheme": "{listen: 1883, to: '10.0.0.5:1883'}",
    "the gate's port": "{listen: 80, to: tcp://10.0.0.5:1883}",
    "another stream's port": "{listen: 5432, to: tcp://10.0.0.5:1883}",
    "a CA that is missing": "{listen: 1883, to: tls://b.test:1, verify: missing.pem}",
    "a name of a site": "{listen: 443, to: tcp://10.0.0.5:1, tls: passthrough, hosts: a.test}",
}


@pytest.mark.parametrize("kind", WRONG)
def test_it_goes_on_as_it_was_and_all_others_are_as_the_file_says(tmp_path: pathlib.Path, kind: str) -> None:
    known = know(tmp_path, MQTT, DNS)
    good = "db: {listen: 5432, to: tcp://10.0.0.7:5432}"
    site = "sites: {a.test: http://10.0.0.1:80}"
    more = "access: {allow: [10.0.0.0/8]}"
    before = merge.merge_snapshots([yaml_file.read_snapshot(tmp_path / "daemun.yaml")])
    live = assembly.assemble_files(before, ENVIRONMENT, last_good={}).files
    path = write(tmp_path, DNS.replace("10.0.0.2", "10.0.0.3"), good, f"mqtt: {WRONG[kind]}", sites=site, more=more)
    snapshot = read(path, known)
    assert [one.host for one in snapshot.sites] == ["a.test"]
    streams = found(snapshot)
    assert streams.keys() == {"dns", "db", "mqtt"}
    assert streams["mqtt"].stream == known.streams["mqtt"].stream
    fault = streams["mqtt"].fault
    assert fault is not None
    assert "daemun.yaml:6:" in fault.reason, "the place"
    desired = merge.merge_snapshots([snapshot])
    assembled = assembly.assemble_files(desired, ENVIRONMENT, last_good=live)
    assert assembled.files["streams/mqtt.conf"] == live["streams/mqtt.conf"]
    assert b"10.0.0.3" in assembled.files["streams/dns.conf"]
    assert b"allow 10.0.0.0/8" in b"".join(assembled.files.values()), "what guards the sites holds"
    (status,) = (
        one
        for one in outcome.stream_statuses(
            desired, live=assembled.files, rendered=assembled.files, refused=assembled.refused
        )
        if one.state is not model.SiteState.LIVE
    )
    assert (status.name, status.state, status.is_served) == ("mqtt", model.SiteState.QUARANTINED, True)
    assert status.reason == fault.reason
    assert not outcome.refusal_problems(desired, assembled.refused), "the file's own problem has it"


def test_one_that_was_never_right_is_not_served(tmp_path: pathlib.Path) -> None:
    snapshot = read(write(tmp_path, "mqtt: {listen: 1883}", DNS), set_aside.LastGoodEntries(), is_start=True)
    desired = merge.merge_snapshots([snapshot])
    assembled = assembly.assemble_files(desired, ENVIRONMENT, last_good={"streams/mqtt.conf": b"# of an earlier file"})
    assert "streams/dns.conf" in assembled.files
    assert "streams/mqtt.conf" not in assembled.files
    states = {
        one.name: (one.state, one.is_served)
        for one in outcome.stream_statuses(
            desired, live=assembled.files, rendered=assembled.files, refused=assembled.refused
        )
    }
    assert states == {"dns": (model.SiteState.LIVE, True), "mqtt": (model.SiteState.QUARANTINED, False)}


def test_nothing_to_serve_is_refused_at_a_start(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "mqtt: {listen: 1883}")
    with pytest.raises(yaml_file.InvalidFileError):
        read(path, set_aside.LastGoodEntries(), is_start=True)
    known = know(tmp_path, MQTT)
    assert found(read(write(tmp_path, "mqtt: {listen: 1883}"), known, is_start=True))["mqtt"].is_known


@pytest.mark.parametrize(
    "right",
    [
        "db: {listen: 1883, to: tcp://10.0.0.7:5432}",
        "a: {listen: 443, to: tcp://10.0.0.7:443, tls: passthrough, hosts: mail.test}",
    ],
)
def test_what_it_had_belongs_to_whoever_is_right(tmp_path: pathlib.Path, right: str) -> None:
    known = know(tmp_path, MQTT, PASSED)
    snapshot = read(write(tmp_path, "mqtt: {listen: 1883}", "mail.test: {listen: 443}", right), known)
    streams = found(snapshot)
    name = right.partition(":")[0]
    assert streams[name].fault is None
    lost = {one.name for one in streams.values() if not one.is_known}
    assert lost == ({"mqtt"} if name == "db" else {"mail.test"})
    render_tree.render_files(merge.merge_snapshots([snapshot]), ENVIRONMENT)


def test_of_two_at_one_address_the_first_in_the_file_is_served(tmp_path: pathlib.Path) -> None:
    second = MQTT.replace("mqtt", "a.later")
    streams = found(read(write(tmp_path, MQTT, second), set_aside.LastGoodEntries()))
    assert streams["mqtt"].fault is None
    fault = streams["a.later"].fault
    assert fault is not None
    assert '1883 is already listened on by stream "mqtt"; choose another port' in fault.reason


def test_one_that_is_switched_off_costs_nothing(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, MQTT, "a: {enabled: false}", "b: {listen: 1883, to: tcp://10.0.0.1:1, enabled: false}")
    snapshot = yaml_file.read_snapshot(path)
    assert {one.severity for one in snapshot.problems} == {model.Severity.WARNING}
    assert {name for name, one in found(snapshot).items() if one.stream.enabled} == {"mqtt"}
    render_tree.render_files(merge.merge_snapshots([snapshot]), ENVIRONMENT)


@pytest.mark.parametrize("text", ["streams: 7", "streams: [a]", "acces: {}\nstreams:\n  mqtt: {listen: 1}"])
def test_what_is_wrong_with_more_than_one_stops_the_file(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "daemun.yaml"
    path.write_text(f"sites: {{}}\n{text}\n")
    with pytest.raises(yaml_file.InvalidFileError):
        read(path, set_aside.LastGoodEntries())


# --- files that are included -----------------------------------------------------------------------------------


def include(folder: pathlib.Path, main: str, **files: str) -> pathlib.Path:
    (folder / "sites").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "sites" / f"{name}.yaml").write_text(text)
    (folder / "daemun.yaml").write_text(f"include: sites/*.yaml\n{main}\n")
    return folder / "daemun.yaml"


def test_included_files_have_streams_with_their_places(tmp_path: pathlib.Path) -> None:
    path = include(tmp_path, f"streams:\n  {MQTT}", a=f"streams:\n  {DNS}\n", b="sites: {b.test: http://b}\n")
    snapshot = yaml_file.read_snapshot(path)
    assert {name: one.origin.place for name, one in found(snapshot).items()} == {
        "mqtt": "daemun.yaml:3:3",
        "dns": "sites/a.yaml:2:3",
    }


@pytest.mark.parametrize("kind", WRONG)
def test_a_mistake_there_is_told_with_its_place_and_costs_that_stream(tmp_path: pathlib.Path, kind: str) -> None:
    main = "sites: {a.test: http://10.0.0.1:80}\nstreams: {db: {listen: 5432, to: tcp://10.0.0.7:5432}}"
    path = include(tmp_path, main, a=f"streams:\n  {DNS}\n  mqtt: {WRONG[kind]}\n")
    streams = found(read(path, set_aside.LastGoodEntries()))
    assert {name for name, one in streams.items() if one.fault is not None} == {"mqtt"}
    fault = streams["mqtt"].fault
    assert fault is not None
    assert fault.reason.startswith("sites/a.yaml:3:")


def test_of_one_name_in_two_files_the_first_is_served(tmp_path: pathlib.Path) -> None:
    path = include(tmp_path, f"streams:\n  {MQTT}", a="streams:\n  mqtt: {listen: 1884, to: tcp://10.0.0.1:1}\n")
    snapshot = read(path, set_aside.LastGoodEntries())
    assert found(snapshot)["mqtt"].fault is None
    assert found(snapshot)["mqtt"].stream.listen == (model.Address(port=1883),)
    (problem,) = snapshot.problems
    assert str(problem).startswith('sites/a.yaml:2:3: stream "mqtt" is already given in daemun.yaml:3:3')


def test_of_a_file_that_is_wrong_as_a_whole_they_go_on(tmp_path: pathlib.Path) -> None:
    path = include(tmp_path, f"streams:\n  {MQTT}", a=f"streams:\n  {DNS}\n")
    known = set_aside.LastGoodEntries(streams=found(yaml_file.read_snapshot(path)))
    include(tmp_path, f"streams:\n  {MQTT}", a="streams: {\n")
    streams = found(read(path, known))
    assert streams["mqtt"].fault is None
    assert streams["dns"].stream == known.streams["dns"].stream
    assert streams["dns"].fault is not None


def test_one_that_is_wrong_keeps_no_command_from_editing_sites(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, "mqtt: {listen: 1883}", DNS, sites="sites:\n  a.test: http://127.0.0.1:1")
    changed = yaml_edit.add_route(path, "b.test", "http://127.0.0.1:2")
    assert changed is not None
    assert b"b.test: http://127.0.0.1:2" in path.read_bytes()
    assert yaml_edit.remove_site(path, "a.test") is not None
    assert b"a.test" not in path.read_bytes()
