"""The numbers of a daemon as Prometheus reads them."""

import contextlib
import http.client

from prometheus_client import parser


def scrape(port: int, *, path: str = "/metrics", **headers: str) -> tuple[int, str, str]:
    """Status, Content-Type and body; status 0: nothing listens."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except (ConnectionError, http.client.BadStatusLine):
            return 0, "", ""


def count(port: int, name: str, **labels: str) -> float:
    _, _, text = scrape(port)
    families = parser.text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())
