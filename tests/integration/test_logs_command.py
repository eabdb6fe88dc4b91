"""`daemun logs` finds lines by site, time, status and length, in rotated files, too, without a daemon."""

import collections.abc
import datetime
import json
import pathlib
import sys

import pytest

from daemun.cli import app, clean_exit, json_answer

HOUR = datetime.timedelta(hours=1)
Run = collections.abc.Callable[..., tuple[object, str, str]]


@pytest.fixture
def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture
def lines(now: datetime.datetime) -> list[str]:
    def line(
        uri: str, *, ago: datetime.timedelta, host: str = "shop.test", status: int = 200, took: str = "0.010"
    ) -> str:
        return (
            f'192.0.2.1 - - [{now - ago:%d/%b/%Y:%H:%M:%S} +0000] "GET {uri} HTTP/1.1" {status} 5 "-" "-" '
            f'host="{host}" upstream="10.0.0.5:80" upstream_status="{status}" request_time={took} '
            f'upstream_response_time="{took}" tls="-" request_id=1-1'
        )

    return [
        line("/1", ago=5 * HOUR),
        line("/2", ago=4 * HOUR, status=502),
        line("/3", ago=3 * HOUR, host="www.shop.test", took="2.000"),
        line("/4", ago=2 * HOUR, host="other.test", status=404),
        line("/5", ago=HOUR, status=101, took="9000.000"),
        line("/api/6", ago=HOUR / 2, status=503, took="1.500"),
    ]


@pytest.fixture
def run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], lines: list[str]
) -> Run:
    logs = tmp_path / "state" / "logs"
    logs.mkdir(parents=True)
    for name, part in (("access.log.2", lines[:2]), ("access.log.1", lines[2:4]), ("access.log", lines[4:])):
        (logs / name).write_text("".join(f"{each}\n" for each in part))
    (tmp_path / "daemun.yaml").write_text(
        "sites:\n  shop.test: {aliases: [www.shop.test], routes: {/: http://127.0.0.1:1}}\n  a.test: http://127.0.0.1:1\n"
        "streams:\n  echo: {listen: 7000, to: tcp://127.0.0.1:1}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAEMUN_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    def run(*words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["daemun", "logs", *words])
        json_answer.begin()
        with pytest.raises(SystemExit) as end:
            clean_exit.end_well(lambda: app.app(["logs", *words], prog_name="daemun"))
        return end.value.code or 0, *capfd.readouterr()

    return run


def found_by(run: Run, *words: str) -> list[int]:
    """The numbers of the lines, whose paths end with them."""
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "")
    return [int(each["uri"].rpartition("/")[2]) for each in json.loads(out)["lines"]]


def test_what_is_found(run: Run, now: datetime.datetime) -> None:
    assert found_by(run) == [1, 2, 3, 4, 5, 6]
    assert found_by(run, "-n", "3") == [4, 5, 6]
    assert found_by(run, "-n", "0") == []
    assert found_by(run, "shop.test") == found_by(run, "WWW.shop.test") == [1, 2, 3, 5, 6]
    assert found_by(run, "shop.test", "-n", "1") == [6]
    assert found_by(run, "*.test") == [1, 2, 3, 4, 5, 6]
    assert found_by(run, "other.test") == [4]
    assert found_by(run, "https://shop.test/api/") == found_by(run, "https://shop.test:8443/api/") == [6]
    assert found_by(run, "--since", "150m") == [4, 5, 6]
    assert found_by(run, "--since", "150m", "--until", "45m") == [4, 5]
    assert found_by(run, "--since", "150m", "-n", "1") == [6]
    assert found_by(run, "--since", f"{now - 3.5 * HOUR:%Y-%m-%dT%H:%M:%SZ}", "--status", "4xx,502") == [4]
    assert found_by(run, "--status", "5xx") == [2, 6]
    assert found_by(run, "--slow", "1s") == [3, 6]
    assert found_by(run, "--grep", "/api") == [6]
    assert found_by(run, "shop.test", "--status", "5xx", "--slow", "1s", "--since", "1d") == [6]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nobody.invalid"], 'no site has the name "nobody.invalid"; `daemun sites` lists all'),
        (["shp.test"], 'no site has the name "shp.test"; did you mean "shop.test"?'),
        (["a.test"], "no line fits\n"),
        (["shop.test/nowhere"], "no line fits\n"),
        (["--status", "418"], "no line fits\n"),
        (["--grep", "no such text"], "no line fits\n"),
        (["echo"], '"echo" is a stream, whose connections are not in this log'),
        (["stream echo"], '"stream echo" is a stream'),
        (["-n", "0"], ""),
    ],
)
def test_why_nothing_is_found(run: Run, words: list[str], says: str) -> None:
    code, out, err = run(*words, "--raw")
    assert (code, out) == (0, "")
    assert says in err
    assert bool(err) is bool(says)


def test_how_lines_are_shown(run: Run, tmp_path: pathlib.Path, lines: list[str]) -> None:
    """Raw for programs, byte for byte; short when that is requested, with the day first."""
    strange = b"no line of ours \xff\x1b[2J\n"
    with (tmp_path / "state" / "logs" / "access.log").open("ab") as file:
        file.write(strange)
    assert run("-n", "2")[1].startswith(f"{lines[-1]}\nno line of ours ")
    short = run("-n", "2", "--short")[1].splitlines()
    assert short[1].endswith("503  1.50s GET  shop.test/api/6 > 10.0.0.5:80")
    assert json.loads(run("-n", "1", "--json")[1])["lines"] == [{"line": "no line of ours �\x1b[2J"}]
    code, out, err = run("shop.test", "-n", "1")
    assert (code, out) == (0, f"{lines[-1]}\n")
    assert err == ""  # it does not hold the name
    assert "left out 1 line of no form that is known" in run("--since", "1h")[2]


def test_a_form_of_the_owner_has_not_everything(run: Run, tmp_path: pathlib.Path, now: datetime.datetime) -> None:
    current = tmp_path / "state" / "nginx" / "current"
    current.mkdir(parents=True)
    (current / "nginx.conf").write_text('    log_format daemun "$status|$request_uri|$time_iso8601";\n')
    log = tmp_path / "state" / "logs" / "access.log"
    log.write_text(f"502|/shop.test|{now - HOUR / 4:%Y-%m-%dT%H:%M:%S+00:00}\n")
    code, out, err = run("shop.test", "--since", "1h")
    assert (code, out) == (0, "")
    assert "left out 1 line without host" in err
    assert found_by_uri(run("--status", "5xx", "-n", "1", "--json")[1]) == ["/shop.test"]


def found_by_uri(out: str) -> list[str]:
    return [each["uri"] for each in json.loads(out)["lines"]]


def test_errors_of_a_site(run: Run, tmp_path: pathlib.Path) -> None:
    def error(host: str) -> str:
        at = datetime.datetime.now() - datetime.timedelta(minutes=5)  # nginx writes local time
        return (
            f"{at:%Y/%m/%d %H:%M:%S} [error] 7#7: *5 upstream timed out, client: 192.0.2.1, server: {host}, "
            f'request: "GET / HTTP/1.1", upstream: "http://10.0.0.5:80/", host: "{host}"\n'
        )

    log = tmp_path / "state" / "logs" / "error.log"
    of_shop = error("shop.test")
    log.write_text(of_shop + "2026/01/01 00:00:00 [notice] 7#7: signal process started\n" + error("other.test"))
    assert run("shop.test", "--errors")[1] == of_shop
    answer = json.loads(run("--errors", "--since", "1h", "--json")[1])
    assert [each["host"] for each in answer["lines"]] == ["shop.test", "other.test"]
    code, _, err = run("--errors", "--status", "502")
    assert (code, "nginx's error log has neither" in err) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--since soon", "cannot use --since: expected how long ago"),
        ("--until 2026-13-01", "cannot use --until: expected how long ago"),
        ("--status teapot", "cannot use --status: expected a status such as"),
        ("--slow slowly", "cannot use --slow: expected a duration"),
    ],
)
def test_what_cannot_be_read(run: Run, words: str, says: str) -> None:
    code, out, err = run(*words.split())
    assert (code, out) == (1, "")
    assert says in err
