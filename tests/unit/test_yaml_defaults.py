"""`defaults` in daemun.yaml: for every site of the file that does not set them itself."""

import pytest

from daemun.core import model
from daemun.core.options import hsts_option, max_body_option, spa_option, timeout_option
from daemun.sources import yaml_file, yaml_reader

SITES = """\
sites:
  a.test: http://a
  b.test:
    tls: off
    hsts: false
    routes:
      /: {to: http://b, timeout: 5s}
      /files/: {files: public}
  c.test: http://c
  d.test: http://d
"""
DEFAULTS = "defaults: {hsts: true, tls: local, http: serve, timeout: 9s, max_body: 1m, spa: true}\n"


def parse(text: str) -> model.Snapshot:
    return yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc/daemun")


def test_what_a_site_does_not_set() -> None:
    snapshot = parse(DEFAULTS + SITES)
    assert not snapshot.problems
    a, b, *_ = snapshot.sites
    assert (a.tls.mode, a.http, hsts_option.OPTION.of(a)) == (
        model.TlsMode.LOCAL,
        model.HttpMode.SERVE,
        hsts_option.Hsts(),
    )
    assert (b.tls.mode, b.http, hsts_option.OPTION.of(b)) == (model.TlsMode.OFF, model.HttpMode.SERVE, None)
    assert timeout_option.OPTION.of(a.routes[0].action).read_s == 9
    to_server, files = b.routes
    assert timeout_option.OPTION.of(to_server.action).read_s == 5
    assert spa_option.OPTION.of(files.action)
    assert {max_body_option.OPTION.of(route) for site in snapshot.sites for route in site.routes} == {1 << 20}


@pytest.mark.parametrize(
    ("defaults", "words"),
    [
        ("{hsst: true}", 'did you mean "hsts"?'),
        ("{timeout: soon}", "defaults.timeout: expected a duration"),
        ("{aliases: [a.test]}", 'unknown key "aliases"'),
        ("{enabled: false}", 'unknown key "enabled"'),
        ("{to: http://a}", 'unknown key "to"'),
        ("{cors: true}", 'unknown key "cors"'),
        ("[hsts]", "defaults: expected a map"),
    ],
)
def test_what_is_refused(defaults: str, words: str) -> None:
    problems = parse(f"defaults: {defaults}\n{SITES}").problems
    (found,) = [one for one in problems if words in one.message]
    assert (found.host, found.origin.place.startswith("daemun.yaml:1:")) == (None, True)


@pytest.mark.parametrize("is_of_one_line", [False, True])
def test_all_sites_are_read_again_when_they_change(*, is_of_one_line: bool) -> None:
    sites = "sites:\n" + "".join(f"  s{number}.test: http://127.0.0.1:{number + 1}\n" for number in range(300))
    sites = sites if is_of_one_line else sites.replace("\n  s7.test: http", "\n  s7.test:\n    /: http")
    reader = yaml_reader.Reader("daemun.yaml", "/etc/daemun")
    for text in (
        sites,
        f"defaults: {{max_body: 1m}}\n{sites}",
        f"defaults: {{max_body: 2m}}\n{sites}",
        f"defaults: {{max_body: 2m}}\n{sites}  more.test: http://more\n",
        f"# none\n{sites}",
    ):
        anew = yaml_reader.Reader("daemun.yaml", "/etc/daemun").read_whole(text).snapshot
        assert reader.parse(text) == anew
        assert yaml_reader.Reader("daemun.yaml", "/etc/daemun").parse(text) == anew
