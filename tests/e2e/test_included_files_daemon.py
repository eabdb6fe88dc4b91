"""`include` in daemun.yaml with a gate that runs: files come, change and go, commands edit the one with the site."""

import json

import pytest

from tests.support import forked
from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx


def test_a_gate_of_several_files(daemon: Daemon) -> None:
    folder = daemon.root / "sites"
    folder.mkdir()
    first, second = folder / "one.yaml", folder / "two.yaml"
    first.write_text("# of one\nsites:\n" + signpost("b.test", "b"))
    daemon.write("include: sites/*.yaml\nsites:\n" + signpost("a.test", "a"))
    main = daemon.config.read_text()
    daemon.start()
    daemon.wait_sign("b.test", "b")
    assert daemon.sign("a.test") == "a"

    # A new file, and one that changes.
    second.write_text("sites:\n" + signpost("c.test", "c"))
    daemon.wait_sign("c.test", "c")
    second.write_text("sites:\n" + signpost("c.test", "other") + signpost("d.test", "d"))
    daemon.wait_sign("c.test", "other")
    sites = {one["host"]: one["origin"] for one in json.loads(daemon.cli("sites", "--json").stdout)["sites"]}
    assert sites == {
        "a.test": "daemun.yaml:4:3",
        "b.test": "sites/one.yaml:3:3",
        "c.test": "sites/two.yaml:2:3",
        "d.test": "sites/two.yaml:3:3",
    }

    # Commands edit the file that has the site, two at once one after the other.
    before = second.read_text()
    commands = [daemon.command("disable", host) for host in ("b.test", "d.test")]
    running = [forked.Popen(one, env=daemon.environment, cwd=daemon.root) for one in commands]
    assert [one.wait(120) for one in running] == [0, 0]
    daemon.wait_settled()
    assert (daemon.sign("b.test"), daemon.sign("d.test")) == (None, None)
    assert "enabled: false" in first.read_text()
    assert first.read_text().startswith("# of one\n")
    assert second.read_text().startswith(before.partition("  d.test")[0])
    daemon.cli_good("enable", "b.test")
    daemon.cli_good("rm", "d.test")
    daemon.cli_good("add", "e.test", "http://127.0.0.1:1", "--file", "sites/three.yaml")
    assert (folder / "three.yaml").read_text() == "sites:\n  e.test: http://127.0.0.1:1\n"
    assert daemon.config.read_text() == main
    # What cannot go live is undone in its file.
    refused = daemon.cli("add", "a.test", "http://127.0.0.1:1", "--file", "sites/three.yaml")
    assert (refused.returncode, "daemun.yaml has the site already" in refused.stderr) == (1, True)

    # A file that cannot be used costs its own sites: they stay, all others are as they are written.
    good = second.read_text()
    second.write_text("sites: [")
    first.write_text("sites:\n" + signpost("b.test", "new"))
    daemon.wait_sign("b.test", "new")
    assert daemon.sign("c.test") == "other"
    status = daemon.cli("status")
    assert status.returncode == 3
    assert "sites/two.yaml:1:9" in status.stdout
    for command in ("check", "doctor"):
        done = daemon.cli(command)
        assert "sites/two.yaml:1:9" in done.stdout + done.stderr, command
    assert "sites/two.yaml, which had it, cannot be read" in daemon.cli("rm", "c.test").stderr

    # So it is after a start, too.
    assert daemon.terminate() == 0
    daemon.start()
    daemon.wait_sign("c.test", "other")
    assert daemon.sign("b.test") == "new"
    second.unlink()
    daemon.wait(lambda: daemon.sign("c.test") is None, "the sites of a file that was removed to be gone")

    # All of them are lost, and put back.
    second.write_text(good)
    daemon.wait_sign("c.test", "other")
    kept = daemon.state / "store" / "history" / "included.json"
    daemon.wait(
        lambda: kept.exists() and "c.test" in json.loads(kept.read_text()).get("sites/two.yaml", ""),
        "the files to be kept",
    )
    for path in (first, second, daemon.config):
        path.unlink()
    daemon.cli_good("restore-file")
    assert (second.read_text(), daemon.config.read_text()) == (good, main)
    daemon.cli_good("check")
    daemon.cli_good("apply")
    assert [daemon.sign(host) for host in ("a.test", "b.test", "c.test")] == ["a", "new", "other"]
