"""Where files listen, and which of it nginx does not hold yet."""

import pytest

from daemun.core import directive, model, serialise
from daemun.core.plan import listeners

GATE = {"listen/http.conf": b"listen 80;\nlisten [::]:80;\n", "listen/https.conf": b"listen 443 ssl;\n"}


def running(files: dict[str, bytes], *, current: int = 1) -> model.Actual:
    return model.Actual(pid=7, generation=1, current_generation=current, files=files)


@pytest.mark.parametrize(
    ("written", "addresses"),
    [
        ("8080", {"0.0.0.0:8080"}),
        ("*:8080", {"0.0.0.0:8080"}),
        ("127.0.0.1:8080", {"127.0.0.1:8080"}),
        ("127.0.0.1", {"127.0.0.1:80"}),
        ("[::]:8080", {"[::]:8080"}),
        ("[0:0::1]:8080", {"[::1]:8080"}),
        ("[::1]", {"[::1]:80"}),
        ("127.0.0.1:8080-8082", {"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"}),
        ("127.0.0.1:65534-99999", {"127.0.0.1:65534", "127.0.0.1:65535"}),
        ("unix:/run/x.sock", {"unix:/run/x.sock"}),
        ("localhost:8080", {"localhost:8080"}),
        ("127.0.0.1:http", {"127.0.0.1:http"}),
    ],
)
def test_addresses_are_those_of_nginxs_messages(written: str, addresses: set[str]) -> None:
    assert listeners.addresses_of(written) == addresses


def test_only_listen_lines_are_read() -> None:
    def line(name: str, *words: str) -> directive.Directive:
        return directive.Directive(name, tuple(directive.Expr(word) for word in words))

    inside = (
        line("listen", "8080", "ssl", "proxy_protocol"),
        directive.Comment("listen 1;"),
        line("return", "200", "x\nlisten 2;\n    listen 3;\n"),
        line("add_header", "listen", "4"),
        line("include", "listen/http.conf"),
    )
    content = serialise.serialise((directive.Directive("server", (), inside),))

    assert listeners.read(content) == (listeners.Listener(written="8080", options=("ssl", "proxy_protocol")),)
    assert listeners.reach(content) == {"0.0.0.0:8080", "listen/http.conf"}


def test_what_nginx_holds_is_not_tried() -> None:
    old = {**GATE, "nginx.conf": b"listen 8080 default_server;\n", "sites/a.conf": b"listen 8080;\n"}
    new = {**old, "sites/b.conf": b"listen 8080;\nlisten 8081;\n", "snippets/http.conf": b"listen 8082;\n"}
    assert listeners.find_untried(new, running(old)) == {"0.0.0.0:8081", "0.0.0.0:8082"}
    assert listeners.find_untried(old, running(old)) == frozenset()


@pytest.mark.parametrize("actual", [model.Actual(), model.Actual(files={"sites/a.conf": b"listen 8080;\n"})])
def test_an_nginx_that_does_not_run_holds_nothing(actual: model.Actual) -> None:
    assert listeners.find_untried({**GATE, "sites/a.conf": b"listen 8080;\n"}, actual) == {"0.0.0.0:8080"}


def test_nor_is_it_known_what_it_holds_after_a_kill_between_switch_and_reload() -> None:
    files = {**GATE, "sites/a.conf": b"listen 8080;\n"}
    assert listeners.find_untried(files, running(files, current=2)) == {"0.0.0.0:8080"}


def test_what_the_gate_listens_on_is_its_own_matter() -> None:
    files = {**GATE, "sites/a.conf": b"listen 80;\nlisten [::]:443;\n", "nginx.conf": b"listen 9;\n"}
    assert listeners.find_untried(files, model.Actual()) == {"[::]:443"}
    assert not listeners.is_for_single_files("0.0.0.0:80", files, {})
    assert not listeners.is_for_single_files("0.0.0.0:9", files, {})
    assert listeners.is_for_single_files("[::]:443", files, {})
    assert listeners.is_for_single_files("0.0.0.0:7", files, {"sites/b.conf": b"listen 7;\n"})


def test_one_socket_is_for_all_addresses_of_a_port() -> None:
    files = {**GATE, "sites/a.conf": b"listen 127.0.0.1:80;\nlisten [::1]:80;\nlisten 127.0.0.1:81;\n"}
    assert listeners.find_untried(files, model.Actual()) == {"127.0.0.1:81"}


def test_sockets_of_another_kind_are_left_to_nginx() -> None:
    files = {**GATE, "sites/a.conf": b"listen 8443 quic;\nlisten 8080 reuseport;\n"}
    assert listeners.find_untried(files, model.Actual()) == frozenset()


def test_a_denial_tells_cause_and_ways() -> None:
    taken = listeners.Denied(address="0.0.0.0:80", cause="it is taken", ways=("stop it",), elsewhere="choose another")
    assert str(taken) == "cannot listen on 0.0.0.0:80: it is taken; stop it, or choose another"
    assert str(listeners.Denied(address="0.0.0.0:80", cause="odd")) == "cannot listen on 0.0.0.0:80: odd"


def test_the_place_of_a_hand_written_line_is_no_part_of_it() -> None:
    assert listeners.addresses(b"server {\n    listen 127.0.0.1:8080 ssl;  # daemun.yaml:4:3\n}\n") == {
        "127.0.0.1:8080"
    }


@pytest.mark.parametrize(
    ("elsewhere", "expected"),
    [
        ("give another port under `listen:`", "under `node: {listen: ...}`, which is this machine's own"),
        (
            "choose others, for example `listen: {http: 8080, https: 8443}`",
            "`node: {listen: {http: 8080, https: 8443}}`",
        ),
    ],
)
def test_a_machine_of_a_fleet_listens_elsewhere_by_what_is_its_own(elsewhere: str, expected: str) -> None:
    single = listeners.Denied(address="0.0.0.0:80", cause="it is taken", elsewhere=elsewhere)
    assert elsewhere in str(single)
    assert expected in str(single.for_node())
