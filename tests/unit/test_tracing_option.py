"""`tracing` of daemun.yaml: what is refused, and with which words."""

import pytest

from daemun.core.options import tracing_option
from daemun.sources import yaml_file


def problems(tracing: str) -> list[str]:
    text = f"tracing: {tracing}\nsites: {{a.test: http://127.0.0.1:1}}\n"
    return [one.message for one in yaml_file.parse(text, file_name="daemun.yaml", base_dir="/etc").problems]


@pytest.mark.parametrize(
    ("tracing", "words"),
    [
        ("{endpoint: 127.0.0.1}", "is not an http or https URL"),
        ("{endpoint: 'http://user:hunter2@a.test'}", "is not an http or https URL"),
        ("{endpoint: 'http://127.0.0.1:4317'}", "usually port 4318"),
        ("{endpoint: 'http://a.test', sample: 5}", "; write 5%"),
        ("{endpoint: 'http://a.test', sample: 0.05}", "; write 5%"),
        ("{endpoint: 'http://a.test', sample: 0%}", "is not between 0.01% and 100%"),
        ("{endpoint: 'http://a.test', sample: 101%}", "is not between 0.01% and 100%"),
        ("{endpoint: 'http://a.test', service: ''}", "1 to 128 printable characters"),
        ("{endpoint: 'http://a.test', headers: {'a b': x}}", "is not a header name"),
        ("{endpoint: 'http://a.test', headers: {Authorization: /etc/daemun/key}}", "looks like a path"),
        ("{sample: 1%}", "endpoint"),
        ("true", "expected"),
    ],
)
def test_what_is_refused(tracing: str, words: str) -> None:
    found = problems(tracing)
    assert len(found) == 1
    assert words in found[0]
    assert "hunter2" not in found[0]


def test_what_is_taken() -> None:
    assert problems("{endpoint: 'http://127.0.0.1:4318'}") == []
    whole = "{endpoint: 'https://a.test/x', sample: 0.01%, headers: {A: 'file:/k'}, service: a b, query: true}"
    assert problems(whole) == []


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://a.test/", "https://a.test/v1/traces"),
        ("https://a.test/otlp/v1/traces", "https://a.test/otlp/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_where_spans_are_sent(endpoint: str, url: str) -> None:
    assert tracing_option.Tracing(endpoint=endpoint).url == url
