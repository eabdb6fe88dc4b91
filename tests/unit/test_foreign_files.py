"""Another tool's configuration given as daemun.yaml is recognised, once, and what is printed is a good beginning."""

import re

import pytest

from daemun.core import model
from daemun.sources import yaml_file

CADDY = "# mine\n{\n\temail me@example.com\n}\n\nchat.example.com, www.chat.example.com {\n\tencode gzip\n"
CADDY_BODY = "\treverse_proxy /api/* localhost:3000\n}\n"
NGINX = """\
server {
    listen 80;
    server_name a.example.com www.a.example.com;
    location / {
        proxy_pass http://127.0.0.1:3000;
    }
}
"""
HAPROXY = """\
defaults
    mode http
frontend web
    bind :80
    default_backend b
backend b
    server s 127.0.0.1:3000
"""
COMPOSE = "services:\n  web:\n    image: nginx\n    ports: ['80:80']\nvolumes: {}\n"


def problems(content: str, name: str = "daemun.yaml") -> list[str]:
    found = yaml_file.parse(content, file_name=name, base_dir="/etc/daemun").problems
    return [problem.message for problem in found if problem.severity is model.Severity.ERROR]


@pytest.mark.parametrize(
    ("content", "what", "beginning"),
    [
        ("example.com {\n\treverse_proxy localhost:3000\n}\n", "a Caddyfile", "example.com: http://localhost:3000"),
        (CADDY + CADDY_BODY, "a Caddyfile", "chat.example.com: http://localhost:3000"),
        ("example.com\nreverse_proxy :3000\n", "a Caddyfile", "example.com: http://127.0.0.1:3000"),
        ("https://example.com:8443 {\n  reverse_proxy web:80\n}\n", "a Caddyfile", "example.com: http://web:80"),
        (NGINX, "a configuration of nginx", "a.example.com: http://127.0.0.1:3000"),
        (
            f"user www;\nevents {{}}\nhttp {{\n{NGINX}}}\n",
            "a configuration of nginx",
            "a.example.com: http://127.0.0.1",
        ),
        ("events {\n}\nhttp {\n  include x;\n}\n", "a configuration of nginx", None),
        (
            "<VirtualHost *:80>\n  ServerName a.example.com\n  ProxyPass / http://127.0.0.1:3000/\n</VirtualHost>\n",
            "a configuration of Apache",
            "a.example.com: http://127.0.0.1:3000/",
        ),
        (HAPROXY, "a configuration of HAProxy", None),
        ("entryPoints:\n  web:\n    address: ':80'\n", "a configuration of Traefik", None),
        ("http:\n  routers: {}\n  services: {}\n", "a configuration of Traefik", None),
        ("[entryPoints.web]\naddress = ':80'\n", "a configuration of Traefik", None),
        (COMPOSE, "a compose file", None),
        ("apiVersion: v1\nkind: Ingress\n", "a manifest of Kubernetes", None),
        ('{"apps": {"http": {"servers": {}}}}', "a configuration of Caddy", None),
        ("static_resources: {listeners: []}\n", "a configuration of Envoy", None),
    ],
)
def test_it_is_named_and_begun(content: str, what: str, beginning: str | None) -> None:
    (message,) = problems(content)
    assert message.startswith(f"this is {what}, which daemun does not read; begin a daemun.yaml: ")
    if beginning is not None:
        assert f"`{{sites: {{{beginning}" in message
    (file,) = re.findall(r"`({sites: .*?}})`", message) or re.findall(r'"(sites: {.*?})"', message)
    assert not problems(file)


def test_what_runs_in_containers_needs_labels_only() -> None:
    (message,) = problems(COMPOSE)
    assert "labels such as `daemun.host: chat.example.com` (docs/docker.md)" in message


def test_the_name_of_a_file_is_enough() -> None:
    (message,) = problems("example.com\n", "Caddyfile")
    assert message.startswith("this is a Caddyfile")
    (message,) = problems("x-common: {}\n", "docker-compose.yml")
    assert message.startswith("this is a compose file")


@pytest.mark.parametrize(
    "content",
    [
        f"sites:\n  a.test:\n    nginx: |\n      {NGINX.replace(chr(10), chr(10) + '      ')}\n  b.test: [\n",
        f"listen: {{http: 80\nnginx: |\n  {NGINX.replace(chr(10), chr(10) + '  ')}\n",
        "services: {}\nsites: {a.test: http://web}\n",
        "services: {web: http://web}\n",
        "http: 80\nsites: {}\n",
        "",
        "a.test: http://web\n",
    ],
)
def test_what_may_be_meant_as_a_daemun_yaml_keeps_its_own_messages(content: str) -> None:
    assert not [message for message in problems(content) if message.startswith("this is a")]


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf", "compose.yaml"])
def test_a_good_file_may_have_any_name(name: str) -> None:
    assert not problems("sites: {a.test: http://web}\n", name)
