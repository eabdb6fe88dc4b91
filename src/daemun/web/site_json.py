"""What the page of one site shows, as JSON values. Pure. Keys may be added, never renamed."""

import collections.abc
import datetime
import typing

from daemun.core import model
from daemun.core.certificates import certificate_story
from daemun.core.dashboard import access_rules, route_picture
from daemun.core.traffic import traffic_series
from daemun.web import json_values

Json = dict[str, typing.Any]


def series_json(found: traffic_series.TimeSeries) -> Json:
    """`columns`: by name a list with a number for each step; null: there is nothing to state, as no request has a
    time."""
    begin = datetime.datetime.fromtimestamp(found.begin_s, datetime.UTC)
    return {
        "begin": json_values.instant_json(begin),
        "step_s": found.step_s,
        "count": found.count,
        "columns": {name: list(values) for name, values in found.columns.items()},
    }


def routes_json(site: model.Site, routes: collections.abc.Sequence[route_picture.PicturedRoute]) -> Json:
    """`picture` is drawn as it is: boxes and links in the units of its width and height. `rows` has all routes."""
    picture = route_picture.draw(site.host, routes)
    return {
        "rows": [_route_json(one) for one in routes],
        "picture": {
            "width": picture.width,
            "height": picture.height,
            "left_out": picture.left_out,
            "boxes": [
                {
                    "kind": box.kind,
                    "x": box.x,
                    "y": box.y,
                    "width": box.width,
                    "height": box.height,
                    "text": box.text,
                    "whole": box.whole,
                    "lamp": None if box.lamp is None else box.lamp.value,
                }
                for box in picture.boxes
            ],
            "links": [{"path": link.path, "lamp": link.lamp.value} for link in picture.links],
        },
    }


def _route_json(one: route_picture.PicturedRoute) -> Json:
    return {
        "path": one.path,
        "when": one.when,
        "kind": one.kind,
        "lamp": one.lamp.value,
        "rules": [_rule_json(rule) for rule in one.rules],
        "servers": [
            {"server": server.text, "lamp": server.lamp.value, "cause": server.cause, "judge": server.is_judge}
            for server in one.servers
        ],
    }


def access_json(found: collections.abc.Iterable[access_rules.PlaceRules]) -> list[Json]:
    """`path` is null for the site; `own`: it is written there, and not further out."""
    return [
        {
            "path": one.path,
            "own": one.is_own,
            "any": one.any_is_enough,
            "rules": [_rule_json(rule) for rule in one.rules],
        }
        for one in found
    ]


def _rule_json(rule: access_rules.AccessRule) -> Json:
    """`kind` and `values` are for who states it in another language, `text` is in English."""
    return {
        "kind": rule.kind,
        "values": list(rule.values),
        "more": rule.more,
        "text": access_rules.describe(rule),
    }


def servers_json(look: model.SiteLook | None, started_at: datetime.datetime) -> Json:
    """`since` is when the history begins. `changes`: the oldest first; empty: it was never seen in trouble."""
    routes = [] if look is None else look.routes
    return {
        "since": json_values.instant_json(started_at),
        "routes": [
            {
                "path": route.path,
                "servers": [
                    *(_look_json(one, is_judge=False) for one in route.servers),
                    *(_look_json(one, is_judge=True) for one in route.judges),
                ],
                "last_error": json_values.error_json(route.last_error),
            }
            for route in routes
        ],
    }


def _look_json(one: model.ServerLook, *, is_judge: bool) -> Json:
    return json_values.server_json(one) | {
        "judge": is_judge,
        "changes": [
            {
                "at": json_values.instant_json(change.at),
                "state": "answers" if change.trouble is None else change.trouble.value,
                "cause": change.cause,
            }
            for change in one.history
        ],
    }


def certificate_json(status: model.CertificateStatus, now: datetime.datetime) -> Json:
    """With its `story`, in the order of time: what has no time is so now."""
    return json_values.certificate_json(status) | {
        "story": [
            {
                "at": json_values.instant_json(event.at),
                "kind": event.kind,
                "detail": event.detail,
                "count": event.count,
                "text": certificate_story.describe(event),
                "past": event.at is None or event.at <= now,
            }
            for event in certificate_story.make_story(status, now)
        ]
    }
