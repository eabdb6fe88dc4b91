"""nginx by hand: as blog posts have it, and tuned by somebody who knows it."""

import collections.abc
import contextlib
import pathlib
import re
import string
import subprocess

from bench import processes
from bench.proxies import place as place_

BLOG = "nginx as in blogs"
TUNED = "nginx, hand-tuned"
TUNED_BUNDLED = "hand-tuned, bundled nginx"

_BLOG = string.Template("""\
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log;
events { worker_connections 20000; }
http {
    access_log $folder/access.log;
    client_max_body_size 1g;
    $temporary

    # What nginx before 1.29.7 does where nothing is said, as that of Debian 12 and 13 and of Ubuntu 24.04.
    upstream app { server 127.0.0.1:$app; $unkept }
    upstream echo { server 127.0.0.1:$echo; $unkept }
    upstream sink { server 127.0.0.1:$sink; $unkept }
    proxy_http_version 1.0;

    server {
        listen 127.0.0.1:$http;
        listen 127.0.0.1:$https ssl;
        http2 on;
        server_name $host;
        ssl_certificate $certificate;
        ssl_certificate_key $key;

        location / {
            proxy_pass http://app;
            proxy_redirect off;
            proxy_set_header Host $$host;
            proxy_set_header X-Real-IP $$remote_addr;
            proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
        }
        location /sink {
            proxy_pass http://sink;
            proxy_redirect off;
            proxy_set_header Host $$host;
            proxy_set_header X-Real-IP $$remote_addr;
            proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
        }
        location /echo {
            proxy_pass http://echo;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $$http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $$host;
            proxy_read_timeout 86400;
        }
    }
}
""")

_TUNED = string.Template("""\
worker_processes $cores;
worker_rlimit_nofile 65536;
pid $folder/nginx.pid;
error_log $folder/error.log warn;
events { worker_connections 20000; multi_accept on; }
http {
    access_log $folder/access.log combined buffer=64k flush=1s;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    client_max_body_size 1g;
    $temporary

    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:sessions:10m;
    ssl_session_timeout 1d;
    ssl_buffer_size 16k;
    http2 on;

    upstream app { zone app 64k; server 127.0.0.1:$app; keepalive 64; keepalive_requests 100000; }
    upstream echo { zone echo 64k; server 127.0.0.1:$echo; keepalive 64; }
    upstream sink { zone sink 64k; server 127.0.0.1:$sink; keepalive 64; }
    map $$http_upgrade $$kept_or_upgraded { default upgrade; "" ""; }

    proxy_http_version 1.1;
    proxy_buffer_size 8k;
    proxy_buffers 8 16k;
    proxy_set_header Host $$host;
    proxy_set_header X-Real-IP $$remote_addr;
    proxy_set_header X-Forwarded-For $$remote_addr;
    proxy_set_header X-Forwarded-Proto $$scheme;
    proxy_set_header Upgrade $$http_upgrade;
    proxy_set_header Connection $$kept_or_upgraded;

    server {
        listen 127.0.0.1:$http;
        listen 127.0.0.1:$https ssl;
        server_name $host;
        ssl_certificate $certificate;
        ssl_certificate_key $key;
        location / { proxy_pass http://app; }
        location /sink { proxy_pass http://sink; }
        location /echo { proxy_pass http://echo; proxy_read_timeout 1d; proxy_send_timeout 1d; }
    }
}
""")


def version(place: place_.Place) -> str:
    said = subprocess.run([place.nginx, "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\S+)", said)
    return found.group(1) if found else said.strip()


def run_blog(place: place_.Place) -> contextlib.AbstractContextManager[place_.Proxy]:
    return _run(BLOG, _BLOG, place, place.rsa)


def run_tuned(place: place_.Place) -> contextlib.AbstractContextManager[place_.Proxy]:
    return _run(TUNED, _TUNED, place, place.ecdsa)


def run_tuned_bundled(place: place_.Place) -> contextlib.AbstractContextManager[place_.Proxy]:
    return _run(TUNED_BUNDLED, _TUNED, place, place.ecdsa)


@contextlib.contextmanager
def _run(
    name: str, text: string.Template, place: place_.Place, pair: place_.Pair
) -> collections.abc.Iterator[place_.Proxy]:
    written = text.substitute(
        folder=place.folder,
        temporary=temporary_paths(place.folder),
        unkept="keepalive 0;" if _keeps_by_itself(place) else "",
        host=place.host,
        cores=place.cores,
        http=place.http,
        https=place.https,
        app=place.app,
        echo=place.echo,
        sink=place.sink,
        certificate=pair.certificate,
        key=pair.key,
    )
    path = place.folder / "nginx.conf"
    path.write_text(written)
    with started(place.nginx, path, place.https) as pid:
        yield place_.Proxy(name=name, http=place.http, https=place.https, roots=(pid,), host=place.host)


def _keeps_by_itself(place: place_.Place) -> bool:
    return tuple(int(part) for part in version(place).split(".")) >= (1, 29, 7)


def temporary_paths(folder: pathlib.Path) -> str:
    """Directives by which what nginx holds for a while lies in its own folder, not in that of the machine's nginx."""
    modules = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{module}_temp_path {folder}/{module};" for module in modules)


@contextlib.contextmanager
def started(nginx: str, config: pathlib.Path, port: int) -> collections.abc.Iterator[int]:
    """In the foreground, until it accepts connections at `port`."""
    command = [nginx, "-p", str(config.parent), "-c", str(config), "-g", "daemon off;"]
    with processes.running(command, config.with_name("said.log"), lambda: processes.accepts(port)) as pid:
        yield pid
