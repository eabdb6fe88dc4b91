"""What the page of one site shows, made of the API's answers. Pure: the time is an argument."""

import collections.abc
import dataclasses
import datetime
import typing

from daemun.dashboard import figures, page_texts

Json = dict[str, typing.Any]

PARTS = ("overview", "traffic", "log", "certificate", "files", "why")
SPANS = ("hour", "day", "30d", "90d")
SLOTS = 48
"""Of a bar of a server's last day."""
_WIDE_SIGNS = 20
"""Of a language with wide signs, so many fit into a box of the picture of routes."""
_DAY_S = 24 * 3600


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """For `ui.graph`. unit: number, size or seconds."""

    id: str
    title: str
    unit: str
    series: tuple[Json, ...]


def find_times(traffic: Json) -> list[int]:
    """The begin of each step, since 1970."""
    begin = figures.moment(traffic["begin"])
    first = int(begin.timestamp()) if begin is not None else 0
    return [first + place * int(traffic["step_s"]) for place in range(int(traffic["count"]))]


def find_graphs(traffic: Json, texts: page_texts.Texts) -> list[Graph]:
    """What has nothing to show is left out, but for requests and times."""
    columns, step_s = traffic["columns"], traffic["step_s"]

    def line(name: str, colour: object, *, is_rate: bool = True) -> Json:
        values = [value / step_s if is_rate and value is not None else value for value in columns[name]]
        return {"label": texts(f"site.line_{name}"), "values": values, "colour": colour}

    found = [
        Graph(
            id="graph-requests",
            title=texts("site.graph_requests"),
            unit="number",
            series=(line("2xx", "good"), line("3xx", 1), line("4xx", "warning"), line("5xx", "bad")),
        ),
        Graph(
            id="graph-times",
            title=texts("site.graph_times"),
            unit="seconds",
            series=tuple(line(name, place, is_rate=False) for place, name in enumerate(("p50_s", "p95_s", "p99_s"), 1)),
        ),
        Graph(
            id="graph-bytes",
            title=texts("site.graph_bytes"),
            unit="size",
            series=(line("bytes_out", 1), line("bytes_in", 2)),
        ),
    ]
    if any(columns["refused"]):
        refused = (line("refused", "warning"),)
        found.append(Graph(id="graph-refused", title=texts("site.graph_refused"), unit="number", series=refused))
    if any(any(columns[name]) for name in ("cache_hit", "cache_miss", "cache_bypass")):
        cached = (line("cache_hit", "good"), line("cache_miss", 2), line("cache_bypass", 3))
        found.append(Graph(id="graph-cache", title=texts("site.graph_cache"), unit="number", series=cached))
    if any(any(columns[name]) for name in ("held", "retries")):
        waited = (line("held", 1), line("retries", "warning"))
        found.append(Graph(id="graph-held", title=texts("site.graph_held"), unit="number", series=waited))
    return found


def find_rows(traffic: Json) -> list[Json]:
    """Of the table beside the graphs, the newest first: sums, and not rates."""
    columns = traffic["columns"]
    rows = [
        {
            "at": datetime.datetime.fromtimestamp(at, datetime.UTC),
            "requests": columns["requests"][place],
            "errors": columns["5xx"][place],
            "p95_s": columns["p95_s"][place],
            "bytes_out": columns["bytes_out"][place],
            "bytes_in": columns["bytes_in"][place],
        }
        for place, at in enumerate(find_times(traffic))
    ]
    return rows[::-1]


def sum_up(traffic: Json) -> Json:
    columns = traffic["columns"]
    requests, errors = sum(columns["requests"]), sum(columns["5xx"])
    return {
        "requests": requests,
        "errors": errors,
        "error_share": errors / requests if requests else None,
        "bytes_out": sum(columns["bytes_out"]),
        "bytes_in": sum(columns["bytes_in"]),
    }


def find_refused(traffic: Json, texts: page_texts.Texts) -> list[tuple[str, int]]:
    """What refused, in the language of the page, and how many requests; the most first."""
    found = sorted(traffic["refused_by_rule"].items(), key=lambda one: (-one[1], one[0]))
    return [(texts(key) if texts.has(key := f"site.refused_{rule}") else rule, count) for rule, count in found]


def find_slots(server: Json, since: str, now: datetime.datetime, texts: page_texts.Texts) -> list[tuple[str, str]]:
    """The last day of a server as states with words, the oldest first. since: when watching began."""
    begun = figures.moment(since) or now
    changes = [
        (at, "good" if one["state"] == "answers" else "bad", one["cause"] or one["state"])
        for one in server["changes"]
        if (at := figures.moment(one["at"])) is not None
    ]
    length = datetime.timedelta(seconds=_DAY_S / SLOTS)
    first = now - SLOTS * length
    return [_slot(first + place * length, length, begun, changes, texts) for place in range(SLOTS)]


def _slot(
    begin: datetime.datetime,
    length: datetime.timedelta,
    begun: datetime.datetime,
    changes: collections.abc.Sequence[tuple[datetime.datetime, str, str]],
    texts: page_texts.Texts,
) -> tuple[str, str]:
    """The worst of its time."""
    end = begin + length
    clock = f"{begin.astimezone(datetime.UTC):%m-%d %H:%M}"
    if end <= begun:
        return "unknown", f"{clock}: {texts('site.not_looked_at')}"
    before = [one for one in changes if one[0] < begin]
    within = [one for one in changes if begin <= one[0] < end]
    bad = next((one for one in (*before[-1:], *within) if one[1] == "bad"), None)
    if bad is None:
        return "good", f"{clock}: {texts('site.answered')}"
    is_whole = bool(before) and before[-1][1] == "bad" and not any(one[1] == "good" for one in within)
    return "bad" if is_whole else "warning", f"{clock}: {bad[2]}"


def rule_text(rule: Json, texts: page_texts.Texts) -> str:
    """Who may come in, in the language of the page."""
    key = f"site.rule_{rule['kind']}"
    if not texts.has(key):
        return str(rule["text"])
    listed = [*rule["values"], *([texts("site.more", n=rule["more"])] if rule["more"] else [])]
    return texts(key, values=", ".join(listed)) if listed else texts(key)


def picture_in_words(routes: Json, texts: page_texts.Texts) -> Json:
    """The picture with who may come in, in the language of the page: a box for each route that has rules."""
    guarded = iter([row["rules"] for row in routes["rows"] if row["rules"]])
    boxes = []
    for box in routes["picture"]["boxes"]:
        rules: list[Json] = next(guarded, []) if box["kind"] == "rule" else []
        if rules and texts.language != "en":
            whole = ", ".join(rule_text(rule, texts) for rule in rules)
            short = whole if len(whole) <= _WIDE_SIGNS else f"{whole[: _WIDE_SIGNS - 1]}…"
            box = {**box, "whole": whole, "text": short}  # noqa: PLW2901
        boxes.append(box)
    return {**routes["picture"], "boxes": boxes}


def event_text(event: Json, texts: page_texts.Texts) -> str:
    """What happened to a certificate, in the language of the page; causes are as the daemon states them."""
    key = f"site.story_{event['kind']}"
    if not texts.has(key):
        return str(event["text"])
    return texts(key, detail=event["detail"] or "–", count=event["count"])


def find_state(site: Json) -> str:
    """The lamp of a whole site: the worst of the three that is known."""
    found = {one["lamp"] for one in site["lamps"].values()}
    return next((one for one in ("bad", "warning", "good") if one in found), "unknown")
