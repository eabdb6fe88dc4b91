"""The addresses that a new nginx gets beside the names."""

from daemun.core import model
from daemun.core.nginx_builds import initial_servers

KNOWN = {
    "one.daemun": (model.Endpoint(address="10.0.0.1", port=80), model.Endpoint(address="fd00::1", port=81, weight=3)),
    "pool.daemun": (
        model.Endpoint(address="10.0.0.2", port=80, backup=True),
        model.Endpoint(address="10.0.0.3", port=80),
    ),
    "spare.daemun": (model.Endpoint(address="10.0.0.4", port=80, backup=True),),
}


def add(text: str) -> str:
    return initial_servers.add({"a": text.encode()}, lambda service: KNOWN.get(service, ()))["a"].decode()


def test_addresses_stand_before_the_name() -> None:
    assert add("u {\n    server one.daemun service=http resolve max_fails=1;\n}\n") == (
        "u {\n    server 10.0.0.1:80 max_fails=1;\n    server [fd00::1]:81 weight=3 max_fails=1;\n"
        "    server one.daemun service=http resolve max_fails=1;\n}\n"
    )


def test_a_weight_of_the_file_wins() -> None:
    text = add("    server one.daemun service=http resolve weight=5 max_fails=1;  # daemun.yaml:3\n")
    assert "    server [fd00::1]:81 weight=5 max_fails=1;\n" in text
    assert text.endswith("resolve weight=5 max_fails=1;  # daemun.yaml:3\n")


def test_backups_of_a_pool_only_where_there_is_nothing_else() -> None:
    assert "10.0.0.2" not in add("server pool.daemun service=http resolve;\n")
    assert add("server spare.daemun service=http resolve;\n").startswith("server 10.0.0.4:80;\n")


def test_what_is_not_known_and_all_else_stays() -> None:
    text = "server none.daemun service=http resolve;\nserver 10.0.0.9:80;\n# server one.daemun service=http resolve;\n"
    assert add(text) == text
