"""A gate with a site of which much is to be seen: several routes, a dead server, a failing certificate, hours of
traffic, and a log with hostile lines. No daemon, no nginx."""

import datetime
import pathlib
import time

from daemun import settings
from daemun.control import fleet_port
from daemun.core import model
from daemun.core.traffic import traffic_sums, traffic_usage
from daemun.sources import yaml_file
from daemun.traffic import traffic_store
from daemun.web import (
    endpoint,
    fleet_endpoints,
    site_endpoints,
    site_file_endpoints,
    site_log_endpoints,
    why_endpoints,
)
from daemun.wiring import site_files, site_log, site_stories
from tests.support import site_api

HOST = "chat.example.com"
HOSTILE = "<img src=x onerror=alert(1)>"
SECRET = "verysecretvalue"
FILE = f"""\
listen: {{http: "127.0.0.1:1", https: "127.0.0.1:2"}}
login: {{host: auth.example.com}}
sites:
  # the chat of everybody
  {HOST}:
    aliases: [www.{HOST}]
    access: {{login: {{groups: [family]}}, rate_limit: 10/s}}
    request_headers: {{X-Api-Key: "{SECRET}"}}
    routes:
      /: {{to: ["http://10.0.0.1:80", "http://10.0.0.2:80", "http://a-server-with-a-rather-long-name.internal:8080"]}}
      /websocket/: {{to: "http://10.0.0.7:7777", access: public}}
      "= /old": {{redirect: "https://example.com/"}}
"""
_NGINX = f'# from daemun.yaml\nserver {{\n    server_name {HOST};\n    proxy_set_header X-Api-Key "{SECRET}";\n}}\n'
_LINE = (
    '192.0.2.9 - - [{at}] "GET {uri} HTTP/1.1" {status} 12 "-" "curl" host="chat.example.com" upstream="10.0.0.1:80" '
    'upstream_status="{status}" request_time=0.123 upstream_response_time="0.120" tls="TLSv1.3" request_id={number}-1\n'
)
_URIS = ("/", "/a/very/long/path/that/goes/on" + "/and/on" * 30 + "/", f"/{HOSTILE}", "/?token=" + SECRET)


class SiteScene:
    def __init__(self, folder: pathlib.Path) -> None:
        self.now = datetime.datetime.now(datetime.UTC)
        (folder / "daemun.yaml").write_text(FILE)
        chosen = settings.Settings(config=folder / "daemun.yaml", state=folder / "state")
        self.logs = folder / "state" / "logs"
        self.logs.mkdir(parents=True)
        (folder / "state" / "store").mkdir()
        (folder / "state" / "nginx" / "current" / "sites").mkdir(parents=True)
        (folder / "state" / "nginx" / "current" / "sites" / f"{HOST}.conf").write_text(_NGINX)
        snapshot = yaml_file.parse(FILE, file_name="daemun.yaml", base_dir=folder)
        self.gate = site_api.gate_of(folder)
        self.records = site_api.Records(folder / "state")
        self.records.settings = snapshot.globals or model.Globals()
        self._tell(next(one for one in snapshot.sites if one.host == HOST))
        self._count()
        self.write_lines(200)
        self.endpoints: tuple[endpoint.ApiEndpoint, ...] = (
            *site_endpoints.endpoints(self.gate, self.records),
            *site_log_endpoints.endpoints(self.gate, site_log.SiteLogReader(chosen.layout), poll_s=0.05),
            *site_file_endpoints.endpoints(self.gate, site_files.SiteFileReader(chosen)),
            *why_endpoints.endpoints(self.gate, site_stories.SiteStories(chosen)),
            *fleet_endpoints.endpoints(lambda: None, self._read_machines),
        )

    def _read_machines(self, site: str | None) -> fleet_port.NodesTraffic:
        sums = traffic_sums.Sums(requests=1_200, bytes_out=3_000_000, bytes_in=20_000, counts={"200": 1_190, "502": 10})
        one = traffic_usage.total([(traffic_sums.Series(site or HOST, "", "10.0.0.1:80"), sums)])
        by_node = {"frankfurt": one, f"b{HOSTILE}": one}
        return fleet_port.NodesTraffic(node="frankfurt", since=self.now, by_node=by_node, total=one)

    def write_lines(self, count: int, uri: str = "") -> None:
        at = f"{self.now:%d/%b/%Y:%H:%M:%S} +0000"
        statuses = (200, 404, 502)
        lines = [
            _LINE.format(at=at, uri=uri or _URIS[n % len(_URIS)], status=statuses[n % 3], number=n)
            for n in range(count)
        ]
        with (self.logs / "access.log").open("a") as out:
            out.writelines(lines)

    def _tell(self, site: model.Site) -> None:
        hour = datetime.timedelta(hours=1)
        cause = f"10.0.0.7:7777 refuses connections {HOSTILE}"
        status = model.SiteStatus(
            site=site,
            state=model.SiteState.DEGRADED,
            reason=f"route /websocket/: {cause}",
            cure="start the server, or change the target",
            since=self.now - hour,
        )
        certificate = model.CertificateStatus(
            name=HOST,
            host=HOST,
            names=site.names,
            state=model.CertificateState.FAILING,
            kind=model.CertificateKind.PUBLIC,
            issuer=f"Let's Encrypt {HOSTILE}",
            not_before=self.now - 60 * 24 * hour,
            not_after=self.now + 30 * 24 * hour,
            renew_at=self.now - hour,
            failures=3,
            failing_since=self.now - 20 * hour,
            last_error="the CA could not reach it: DNS points to 203.0.113.9, and this machine is 198.51.100.4",
            next_attempt=self.now + hour,
            authority="https://acme-v02.api.letsencrypt.org/directory",
            fingerprint="ab" * 32,
        )
        problem = model.Problem(
            origin=model.Origin(source="file", place="daemun.yaml:8:5"),
            message=f"a header is sent over plain HTTP {HOSTILE}",
            host=HOST,
            severity=model.Severity.WARNING,
        )
        history = (
            model.ServerChange(self.now - 9 * hour, model.Trouble.REFUSED, HOSTILE),
            model.ServerChange(self.now - 7 * hour, None),
        )
        dead = model.ServerLook(
            server="10.0.0.7:7777",
            at=self.now,
            trouble=model.Trouble.REFUSED,
            cause=cause,
            cure="start it",
            since=self.now - hour,
            history=(model.ServerChange(self.now - hour, model.Trouble.REFUSED, cause),),
        )
        well = (
            model.ServerLook(server="10.0.0.1:80", at=self.now),
            model.ServerLook(server="10.0.0.2:80", at=self.now, history=history),
            model.ServerLook(server="a-server-with-a-rather-long-name.internal:8080", at=self.now),
        )
        self.gate.tell(
            sites=(status,), certificates=(certificate,), problems=(problem,), started_at=self.now - 20 * hour
        )
        self.gate.looks[HOST] = model.SiteLook(
            routes=(
                model.RouteLook(path="/", servers=well),
                model.RouteLook(path="/websocket/", servers=(dead,)),
                model.RouteLook(path="= /old"),
            )
        )

    def _count(self) -> None:
        """Of the last hours, by minute."""
        store, _ = traffic_store.open_store(pathlib.Path(self.records.paths.traffic_store))
        sums: dict[traffic_sums.Key, traffic_sums.Sums] = {}
        now_s = int(time.time())
        for minute in range(300):
            start = now_s - now_s % 60 - 60 * minute
            counts = {"200": 90, "304": 20, "404": 3, "502": minute % 2, "t12": 100, "t40": 14, "cache HIT": 40}
            counts |= {"refused login": 1, "refused rate_limit": minute % 3}
            passed = traffic_sums.Sums(requests=114, bytes_out=10**6, bytes_in=10**4, counts=counts)
            opened = traffic_sums.Sums(requests=2, bytes_out=900, bytes_in=400, counts={"101": 2, "retries": 1})
            sums[start, traffic_sums.Series(HOST, "/", "10.0.0.1:80")] = passed
            sums[start, traffic_sums.Series(HOST, "/websocket/", "10.0.0.7:7777")] = opened
        store.add(sums, (), float(now_s))
        store.close()
