"""`access: {allow: NAME}`: who has the address of a host name, looked up again and again."""

import pathlib

import pytest

from tests.support.daemon import Daemon

pytestmark = pytest.mark.nginx


def test_who_has_the_address_of_a_name_comes_in_once_it_has_it(daemon: Daemon, own_hosts: pathlib.Path) -> None:
    sites = "\n".join(
        f"  {key}.test: {{access: {{{key}: home.example.org}}, routes: {{/: {{redirect: 'https://else.test/'}}}}}}"
        for key in ("allow", "deny")
    )
    daemon.write(f"sites:\n{sites}\n")
    daemon.start()
    daemon.wait(lambda: daemon.status()["sites"], "the sites")
    assert [daemon.get(f"https://{key}.test/").status_code for key in ("allow", "deny")] == [403, 403]
    (problem,) = daemon.wait(lambda: daemon.status()["problems"], "what is wrong with the name")
    assert 'site "allow.test", access.allow: cannot resolve "home.example.org"' in problem["message"]
    assert "daemun.yaml:" in problem["origin"]

    with own_hosts.open("a") as hosts:
        hosts.write("127.0.0.1 home.example.org\n")
    daemon.wait_answer("https://allow.test/", lambda answer: answer.status_code == 301)
    assert daemon.get("https://deny.test/").status_code == 403
    daemon.wait(lambda: not daemon.status()["problems"], "no problem")
