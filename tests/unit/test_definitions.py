"""Which variables a tree of files defines (core.definitions)."""

from daemun.core.plan import variable_definitions

KNOWN = {
    "daemun_host": b"map $daemun_port $daemun_host {}\n",
    "daemun_port": b"map $http_host $daemun_port {}\n",
    "daemun_stream": b"map $http_upgrade $daemun_stream {}\n",
}


def test_a_tree_defines_what_it_uses_and_what_that_needs() -> None:
    files = {"nginx.conf": b"proxy_set_header Host $daemun_host;", "sites/a.conf": b"return 301 $request_uri;"}
    assert variable_definitions.complete(files, KNOWN) == {
        **files,
        "variables.conf": KNOWN["daemun_host"] + b"\n" + KNOWN["daemun_port"],
    }


def test_names_in_braces_are_names() -> None:
    complete = variable_definitions.complete({"a": b"${daemun_stream}retry"}, KNOWN)
    assert complete["variables.conf"] == KNOWN["daemun_stream"]


def test_what_was_defined_before_does_not_count() -> None:
    once = variable_definitions.complete({"a": b"$daemun_host"}, KNOWN)
    assert variable_definitions.complete({**once, "a": b""}, KNOWN) == {"a": b"", "variables.conf": b""}
    assert variable_definitions.complete(once, KNOWN) == once


def test_a_longer_name_is_another_one() -> None:
    assert variable_definitions.complete({"a": b"$daemun_hosts $daemun_host_name"}, KNOWN)["variables.conf"] == b""
