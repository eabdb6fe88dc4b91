"""Values for the templates of a site's page, out of the API's answers. Pure."""

import collections.abc
import functools
import re
import typing
import urllib.parse

from daemun.dashboard import figures, list_view, page_commands, page_texts, site_view

Json = dict[str, typing.Any]

STATUSES = ("5xx", "4xx", "4xx,5xx", "3xx", "2xx", "101")
TIMES = ("100ms", "500ms", "1s", "5s")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
QUERY = ("status", "slow", "method", "text")
WEIGHTS = {"good": "good", "warns": "warning", "blocks": "bad"}
_ID = re.compile(r"[0-9a-f]{32}|[0-9]{1,20}-[0-9]{1,20}")


def of_frame(site: Json, part: str, texts: page_texts.Texts) -> Json:
    """What every part needs."""
    address = f"/sites/{urllib.parse.quote(site['host'], safe='')}"
    tabs = [
        (name, texts(f"site.part_{name}"), address if name == "overview" else f"{address}/{name}")
        for name in site_view.PARTS
    ]
    return {
        "site": site,
        "part": part,
        "tabs": tabs,
        "state": site_view.find_state(site),
        "rule_text": lambda rule: site_view.rule_text(rule, texts),
        "event_text": lambda event: site_view.event_text(event, texts),
    }


def of_overview(found: collections.abc.Mapping[str, Json], now: typing.Any, texts: page_texts.Texts) -> Json:
    """found: by the last part of the API's path, and "" for the site itself."""
    site, certificates = found[""], found["certificate"]["certificates"]
    slots = functools.partial(site_view.find_slots, since=found["servers"]["since"], now=now, texts=texts)
    key = f"site.state_{site['state'].replace(' ', '_')}"
    word = texts("site.state_maintenance") if site["maintenance"] and not site["reason"] else None
    state_text = word or (texts(key) if texts.has(key) else site["state"])
    return {
        "routes": {**found["routes"], "picture": site_view.picture_in_words(found["routes"], texts)},
        "route_columns": _columns(texts("site.route"), texts("site.access"), texts("site.leads_to")),
        "servers": found["servers"],
        "slots": slots,
        "access": found["access"],
        "certificate": next(iter(certificates), None),
        "day": found["traffic"],
        "sums": site_view.sum_up(found["traffic"]),
        "state_text": state_text,
        "facts": _facts(
            (texts("site.fact_state"), state_text),
            (texts("site.fact_names"), ", ".join([site["host"], *site["aliases"]])),
            (texts("site.fact_origin"), site["origin"]),
            (texts("site.fact_over"), site["over"]),
            (texts("site.fact_tls"), site["tls"]),
            (texts("site.fact_http"), site["http"]),
            (texts("site.fact_app"), site["app"]),
        ),
    }


def of_traffic(fine: Json, coarse: Json, fleet: Json, texts: page_texts.Texts) -> Json:
    """fleet: what all machines counted in the last day."""
    counts = ("requests", "5xx", "bytes_out", "bytes_in")
    over_time = ("requests", "5xx", "p95_s", "bytes_out", "bytes_in")
    return {
        "traffic": fine,
        "sums": site_view.sum_up(fine),
        "spans": site_view.SPANS,
        "times": site_view.find_times(fine),
        "graphs": site_view.find_graphs(fine, texts),
        "rows": site_view.find_rows(coarse),
        "refused": site_view.find_refused(fine, texts),
        "refused_columns": _columns(texts("site.rule"), *_numbers(("requests",), texts)),
        "route_columns": _columns(texts("site.route"), *_numbers(counts, texts)),
        "time_columns": _columns(texts("base.graph_time"), *_numbers(over_time, texts)),
        "machine_columns": _columns(texts("site.machine"), *_numbers(over_time, texts)),
        "machines_since": figures.moment(fleet["traffic"]["since"]) if fleet["traffic"] else None,
        "machine_rows": _machine_rows(fleet["traffic"], texts),
        "machines_error": fleet["error"],
    }


def of_log(
    found: Json | None, query: collections.abc.Mapping[str, str], error: str | None, texts: page_texts.Texts
) -> Json:
    """found: None: the query could not be used, for `error`."""
    chosen = {name: query.get(name, "") for name in QUERY}
    every = ("", texts("site.log_all"))
    rows = found["rows"] if found is not None else []
    return {
        "query": chosen,
        "query_text": urllib.parse.urlencode({name: value for name, value in chosen.items() if value}),
        "statuses": _choices(every, STATUSES, chosen["status"]),
        "times": _choices(every, TIMES, chosen["slow"]),
        "methods": _choices(every, METHODS, chosen["method"]),
        "rows": [_log_row(one) for one in reversed(rows)],
        "whole": found is None or found["whole"],
        "error": error,
    }


def of_certificate(found: Json, texts: page_texts.Texts) -> Json:
    def facts(one: Json) -> list[tuple[str, str]]:
        kind = f"site.kind_{one['kind']}"
        return _facts(
            (texts("site.fact_issuer"), one["issuer"]),
            (texts("site.fact_kind"), texts(kind) if texts.has(kind) else one["kind"]),
            (texts("site.fact_valid"), f"{(one['not_before'] or '–')[:10]} – {(one['not_after'] or '–')[:10]}"),
            (texts("site.fact_authority"), one["authority"]),
            (texts("site.fact_failures"), str(one["failures"]) if one["failures"] else None),
            (texts("site.fact_file"), found["file"]),
            (texts("site.fact_fingerprint"), one["fingerprint"]),
        )

    return {"found": found, "certificate_facts": facts}


def command_of(part: str, host: str, query: collections.abc.Mapping[str, str], subject: str = "") -> str:
    """The command line that shows the same. subject: of `daemun why`."""
    match part:
        case "traffic":
            return page_commands.of_traffic(host, query)
        case "log":
            return page_commands.of_log(host, {name: query.get(name, "") for name in QUERY})
        case "certificate":
            return page_commands.write("certs", "show", host)
        case "files":
            return page_commands.write("render")
        case "why":
            return page_commands.write("why", subject or f"https://{host}/")
    return page_commands.write("status", host)


def _machine_rows(found: Json | None, texts: page_texts.Texts) -> list[tuple[str, Json]]:
    """The last one is the sum."""
    if found is None:
        return []
    this = texts("overview.fleet_self")
    rows = [(f"{one['name']} ({this})" if one["self"] else one["name"], one) for one in found["nodes"]]
    return [*rows, (texts("overview.fleet_total"), found["total"])]


def _choices(every: tuple[str, str], known: tuple[str, ...], chosen: str) -> list[tuple[str, str]]:
    """With what the address has beside the usual ones."""
    others = () if not chosen or chosen in known else (chosen,)
    return [every, *((one, one) for one in (*known, *others))]


def _log_row(row: Json) -> Json:
    is_report = row["kind"] == "error"
    status = row.get("status") or 0
    request = f"{row['method'] or ''} {row['uri'] or ''}".strip()
    return {
        "class": "report" if is_report else "failed" if status >= 500 else "refused" if status >= 400 else "",
        "time": row["time"] or "",
        "clock": (row["time"] or "")[11:19],
        "mark": row["level"] if is_report else str(row["status"] or "–"),
        "request": f"{row['message']} {request}".strip() if is_report else request,
        "id": row["request_id"],
        "took": None if is_report else row["request_time"],
        "server": row["upstream"] or "–",
        "client": row["client"] or "–",
    }


def _columns(*labels: str | list_view.Column) -> list[list_view.Column]:
    return [
        one if isinstance(one, list_view.Column) else list_view.Column(key=str(place), label=one, sortable=False)
        for place, one in enumerate(labels)
    ]


def _numbers(names: tuple[str, ...], texts: page_texts.Texts) -> list[list_view.Column]:
    return [list_view.Column(key=name, label=texts(f"site.line_{name}"), sortable=False, number=True) for name in names]


def _facts(*pairs: tuple[str, str | None]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in pairs if value]


def is_request_id(text: str) -> bool:
    """As error pages and lines of the log have it."""
    return _ID.fullmatch(text) is not None


def as_of(site: Json) -> typing.Any:
    return figures.moment(site["as_of"])
