"""nginx's files of two configurations, compared as values, and no secret in them."""

import datetime
import pathlib

import pytest

from daemun.cli import nginx_lines
from daemun.core.plan import nginx_diff
from daemun.sources import yaml_file
from daemun.sources.history import hidden_secrets, history_entry, secret_stand_ins
from daemun.wiring.offline import past_diff, past_rendering

HASH = "$2y$05$" + "a" * 53
SECRETS = ("token-of-ntfy", "https://hooks.example/abc", HASH, "of-the-header", "of-the-snippet", "in-a-comment")
TEXT = f"""\
# password: in-a-comment
alerts: {{ntfy: {{url: https://ntfy.example/topic, token: token-of-ntfy}}, webhook: "https://hooks.example/abc"}}
sites:
  a.test:
    routes: {{/: "http://127.0.0.1:1"}}
    access: {{basic_auth: {{users: {{alice: "{HASH}"}}}}}}
    request_headers: {{Authorization: Bearer of-the-header, X-Own: "${{OWN:-plain}}"}}
    nginx: |
      proxy_set_header X-Api-Key "of-the-snippet";
  b.test: {{routes: {{/: "http://127.0.0.1:2"}}, access: {{basic_auth: "bob:{HASH}"}}}}
  c.test:
    routes: {{/: "http://127.0.0.1:3"}}
    access:
      basic_auth:
        users: |
          eve:{HASH}
          eva:{HASH}
"""
BEFORE = {
    "nginx.conf": b"worker_processes 1;\n",
    "sites/a.test.conf": b"# daemun.yaml:3\nserver {\n    a on;\n    b on;\n}\n",
    "sites/gone.test.conf": b"gone;\n",
    "sites/same.test.conf": b"# daemun.yaml:9\nsame;\n",
}
AFTER = {
    "nginx.conf": b"worker_processes 2;\n",
    "sites/a.test.conf": b"# daemun.yaml:4\nserver {\n    a off;\n    b on;\n}\n",
    "sites/same.test.conf": b"# daemun.yaml:10\nsame;\n",
    "streams/dns.conf": b"new;\n",
}


def test_sites_come_first_and_comments_do_not_count() -> None:
    found = past_diff.NginxDiff(before="number 1", after="daemun.yaml", tree=nginx_diff.compare(BEFORE, AFTER))
    assert nginx_lines.lines_of(found) == [
        "nginx's files, from number 1 to daemun.yaml:",
        "~ sites/a.test.conf",
        "    @@ -1,4 +1,4 @@",
        "     server {",
        "    -    a on;",
        "    +    a off;",
        "         b on;",
        "     }",
        "- sites/gone.test.conf",
        "    @@ -1 +0,0 @@",
        "    -gone;",
        "+ streams/dns.conf",
        "    @@ -0,0 +1 @@",
        "    +new;",
        "~ nginx.conf",
        "    @@ -1 +1 @@",
        "    -worker_processes 1;",
        "    +worker_processes 2;",
    ]


def test_a_site_that_came_to_share_its_blocks_is_the_same() -> None:
    moved = frozenset({"sites/a.test.conf"})
    shown = [one.file for one in nginx_diff.compare(BEFORE, AFTER, moved=moved).files]
    assert shown == ["sites/gone.test.conf", "streams/dns.conf", "nginx.conf"]


def test_nothing_differs() -> None:
    found = past_diff.NginxDiff(before="number 1", after="number 2", tree=nginx_diff.compare(BEFORE, BEFORE))
    assert nginx_lines.lines_of(found) == ["no difference for nginx between number 1 and number 2"]


def test_a_diff_is_bounded() -> None:
    many = {f"sites/{number}.conf": b"one;\n" * 3000 for number in range(nginx_diff.MOST_FILES + 7)}
    found = nginx_diff.compare({}, many)
    assert (len(found.files), found.more) == (nginx_diff.MOST_FILES, 7)
    assert (len(found.files[0].lines), found.files[0].more) == (nginx_diff.MOST_LINES, 3001 - nginx_diff.MOST_LINES)
    shown = nginx_lines.lines_of(past_diff.NginxDiff(before="a", after="b", tree=found))
    assert (shown[-2], shown[-1]) == ("    ... 2001 more lines", "... 7 more files")


@pytest.mark.parametrize("is_known", [True, False])
def test_stand_ins_are_no_secrets_and_make_a_configuration_without_a_fault(
    *, is_known: bool, tmp_path: pathlib.Path
) -> None:
    masked = hidden_secrets.mask_all({"daemun.yaml": TEXT.encode()})
    one = masked["daemun.yaml"]
    assert one is not None
    names = {held.written: f"7.{number}" for number, held in enumerate(one.secrets, start=1)}
    kept = tuple(history_entry.HiddenSecret(name=names[held.written], path=held.path) for held in one.secrets)
    entry = history_entry.decode(
        history_entry.encode(
            history_entry.HistoryEntry(
                number=7,
                at=datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC),
                author=history_entry.Author(what="start"),
                state=history_entry.EntryState.LIVE,
                files=(history_entry.HistoryFile(name="daemun.yaml", text=one.text, secrets=kept),),
            )
        )
    )
    filled = [secret_stand_ins.fill_entry(entry, names if is_known else {})]
    filled.append(secret_stand_ins.fill_files(masked, names if is_known else {}))
    for files in filled:
        text = files["daemun.yaml"].decode()
        assert not [secret for secret in SECRETS if secret in text]
        assert "X-Own" in text
        snapshot = yaml_file.parse(files["daemun.yaml"], file_name="daemun.yaml", base_dir=tmp_path)
        assert [str(problem) for problem in snapshot.problems] == []
        assert [site.host for site in snapshot.sites] == ["a.test", "b.test", "c.test"]


def test_what_variables_hold_is_hidden() -> None:
    held = {"API": "long-and-secret", "A_TOKEN": "xyz", "PORT": "8080", "Q": 'quo"ted-value', "OTHER": "not-written"}
    hidden = past_rendering.find_hidden([b"a: ${API}\nb: ${A_TOKEN:-1} ${PORT} ${Q}"], held)
    made = past_rendering.hide(b'x "long-and-secret" xyz 8080 "quo\\"ted-value" not-written;', hidden)
    assert made == b'x "(API)" (A_TOKEN) 8080 "(Q)" not-written;'
