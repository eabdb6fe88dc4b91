"""HAProxy, Debian's newest package."""

import collections.abc
import contextlib
import string

from bench import contestants, processes
from bench.proxies import place as place_

NAME = "HAProxy"

_CONFIG = string.Template("""\
global
    nbthread $cores
    maxconn 8000
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1d
    timeout http-keep-alive 65s

frontend gate
    bind 127.0.0.1:$http
    bind 127.0.0.1:$https ssl crt $pem alpn h2,http/1.1
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    http-request set-header X-Forwarded-Proto http unless { ssl_fc }
    use_backend echo if { path_beg /echo }
    use_backend sink if { path_beg /sink }
    default_backend app

backend app
    server app 127.0.0.1:$app
backend echo
    server echo 127.0.0.1:$echo
backend sink
    server sink 127.0.0.1:$sink
""")


def version(_: place_.Place) -> str:
    return contestants.version(_program(), "-v").split()[2]


def _program() -> str:
    """Raises: contestants.MissingError."""
    return contestants.newest_of_debian("haproxy", "usr/sbin/haproxy")


@contextlib.contextmanager
def run(place: place_.Place) -> collections.abc.Iterator[place_.Proxy]:
    pem = place.folder / "pair.pem"
    pem.write_bytes(place.ecdsa.certificate.read_bytes() + place.ecdsa.key.read_bytes())
    path = place.folder / "haproxy.cfg"
    path.write_text(
        _CONFIG.substitute(
            cores=place.cores,
            http=place.http,
            https=place.https,
            pem=pem,
            app=place.app,
            echo=place.echo,
            sink=place.sink,
        )
    )
    command = [_program(), "-db", "-f", str(path)]
    with processes.running(command, place.folder / "said.log", lambda: processes.accepts(place.https)) as pid:
        yield place_.Proxy(name=NAME, http=place.http, https=place.https, roots=(pid,), host=place.host)
