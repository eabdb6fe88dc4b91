"""Mistakes in hand-written nginx are told where they stand in daemun.yaml, and its files start there."""

import json
import os
import pathlib

import pytest

from tests.support.daemon import Daemon, signpost

pytestmark = pytest.mark.nginx

FILE = """\
sites:
  good.test: {routes: {/: {redirect: "https://sign.test/one", status: 302}}}
  bad.test:
    routes:
      /: {redirect: "https://sign.test/one", status: 302}
    nginx: |
      # a comment

      location /x/ {
        MISTAKE
      }
"""
LINE = 11  # the first line is `listen`


def _checked(daemon: Daemon, text: str) -> str:
    daemon.write(text)
    done = daemon.cli("check")
    assert done.returncode == 1, done
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mistake", "column", "words"),
    [
        ("client_max_body_size lots;", 9, "invalid value"),
        ("add_header a b; expires never ever x;", 25, "invalid number of arguments"),
        ("no_such_directive on;", 9, "--nginx"),
        ("brotli on;", 9, "lacks the module ngx_brotli"),
        ("modsecurity on;", 9, "ModSecurity-nginx"),
        ("image_filter resize 1 2;", 9, "--with-http_image_filter_module"),
        ("proxy_pas http://127.0.0.1;", 9, 'did you mean "proxy_pass"'),
        ('add_header X-A "$no_such_variable";', 9, "no_such_variable"),
        ("location /y/ { return 204; }", 9, "is outside location"),
        ("types { text/html html; }  root /a; root /b;", 45, "duplicate"),
    ],
)
def test_h5_line_and_column_of_the_directive(daemon: Daemon, mistake: str, column: int, words: str) -> None:
    said = _checked(daemon, FILE.replace("MISTAKE", mistake))
    assert f"daemun.yaml:{LINE}:{column}" in said
    assert words in said
    assert "sites/bad.test.conf" not in said
    if "lacks the module" in said:
        assert daemon.environment["DAEMUN_NGINX"] in said


def test_h5_in_a_route_in_the_whole_file_and_on_one_line(daemon: Daemon) -> None:
    route = "sites:\n  a.test:\n    /:\n      redirect: https://sign.test/\n      nginx: 'limit_rate often;'\n"
    assert "daemun.yaml:6:15" in _checked(daemon, route)
    whole = "nginx: |\n  gzip on;\n  keepalive_timeout\n    often;\nsites: {}\n"
    assert "daemun.yaml:4:3" in _checked(daemon, whole)


def test_h5_the_place_follows_when_lines_are_added(daemon: Daemon) -> None:
    """Sites that did not change are not read again, but moved."""
    text = FILE.replace("MISTAKE", "brotli on;")
    daemon.write(text)
    daemon.start()
    daemon.wait_sign("good.test", "one")
    assert f":{LINE}:9" in daemon.wait_state("bad.test", "quarantined")["reason"]
    assert f":{LINE}:9" in daemon.cli("status").stdout
    daemon.write("sites:\n" + signpost("another.test", "one") + text.removeprefix("sites:\n"))
    daemon.wait_sign("another.test", "one")
    daemon.wait(
        lambda: f":{LINE + 1}:9" in daemon.site("bad.test")["reason"], "the place to be right again", every_s=0.2
    )


# --- H6 ---

GUARDED = """\
sites:
  own.test:
    routes:
      /: {redirect: "https://sign.test/one", status: 302}
      /files/: {files: public}
    nginx: |
      location /secret/ {
        auth_basic "Who?";
        auth_basic_user_file htpasswd;
        include parts/*.conf;
      }
"""
PASSWORDS = "alice:{PLAIN}secret\n"


def _lay_out(root: pathlib.Path, mode: int = 0o644) -> None:
    (root / "public").mkdir()
    (root / "parts").mkdir()
    (root / "parts" / "one.conf").write_text('add_header X-Part one always; return 200 "in";')
    (root / "htpasswd").write_text(PASSWORDS)
    (root / "htpasswd").chmod(mode)


def test_h6_relative_paths_start_at_the_folder_of_the_file(daemon: Daemon) -> None:
    _lay_out(daemon.root)
    (daemon.root / "parts" / "one.conf").write_text("add_header X-Part one always; include inner/two.conf;")
    (daemon.root / "inner").mkdir()
    (daemon.root / "inner" / "two.conf").write_text("add_header X-Inner two always;")
    (daemon.root / "www" / "secret").mkdir(parents=True)
    (daemon.root / "www" / "secret" / "x").write_text("inside")
    daemon.write(GUARDED.replace('auth_basic "Who?";', 'auth_basic "Who?"; root www;'))
    assert daemon.cli_good("check")
    daemon.up("https://own.test/")
    assert daemon.get("https://own.test/secret/x").status_code == 401
    answer = daemon.get("https://own.test/secret/x", Authorization="Basic YWxpY2U6c2VjcmV0")
    assert (answer.status_code, answer.text, answer.headers["X-Part"]) == (200, "inside", "one")
    assert answer.headers["X-Inner"] == "two"
    daemon.wait_state("own.test", "live")


def test_a_mistake_in_an_included_file_is_told_where_it_stands(daemon: Daemon) -> None:
    _lay_out(daemon.root)
    (daemon.root / "parts" / "one.conf").write_text(
        "add_header X-Part one;\ninclude inner/two.conf;\nroot /a; root /b;\n"
    )
    (daemon.root / "inner").mkdir()
    (daemon.root / "inner" / "two.conf").write_text("add_header X-Inner two;\n")
    told = _checked(daemon, GUARDED)
    assert f"{daemon.root}/parts/one.conf:3:10" in told
    assert "duplicate" in told


def test_h6_a_missing_file_is_told(daemon: Daemon) -> None:
    _lay_out(daemon.root)
    (daemon.root / "htpasswd").unlink()
    daemon.write(GUARDED)
    said = daemon.cli("check")
    told = said.stdout + said.stderr
    assert "daemun.yaml:10:9" in told
    assert f"cannot read {daemon.root}/htpasswd: no such file or directory" in told


def test_h6_a_file_that_workers_may_not_read_is_told(daemon: Daemon) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: else workers are who daemun is")
    _lay_out(daemon.root, 0o600)
    daemon.write(GUARDED)
    daemon.start()
    daemon.wait_state("own.test", "live")
    problems = json.dumps(daemon.status()["problems"])
    assert "has no right to" in problems
    assert "chgrp" in problems


def test_h6_an_include_that_is_not_there_is_told_at_its_line(daemon: Daemon) -> None:
    said = _checked(daemon, GUARDED.replace("parts/*.conf", "parts/none.conf"))
    assert "daemun.yaml:11:9" in said
    assert f"{daemon.root}/parts/none.conf" in said


def test_h6_what_most_recipes_include_is_there(daemon: Daemon) -> None:
    php = "location ~ \\.php$ { include fastcgi_params; fastcgi_pass 127.0.0.1:9; }"
    _lay_out(daemon.root)
    daemon.write(GUARDED.replace("include parts/*.conf;", f"{php} include /etc/nginx/proxy_params;"))
    assert daemon.cli_good("check")
