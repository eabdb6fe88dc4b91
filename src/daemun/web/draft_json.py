"""Drafts of the configuration as JSON: keys may be added, never renamed."""

import collections.abc
import re
import typing

from daemun.control import draft_port, gate_port, history_port
from daemun.core import model
from daemun.web import json_values

Json = dict[str, typing.Any]

_PLACE = re.compile(r"(?P<file>.+):(?P<line>[0-9]+):(?P<column>[0-9]+)\Z")


def report_json(report: draft_port.DraftReport) -> Json:
    return {
        "files": [
            {
                "name": one.name,
                "text": one.text,
                "is_changed": one.is_changed,
                "is_new": one.is_new,
                "is_changed_by_others": one.is_changed_by_others,
                "version": one.version,
                "refusal": one.refusal,
            }
            for one in report.files
        ],
        "version": report.version,
        "began_at": json_values.instant_json(report.began_at),
        "changed_at": json_values.instant_json(report.changed_at),
        "others": [
            {"operator": name, "changed_at": json_values.instant_json(changed)} for name, changed in report.others
        ],
        "edited": report.edited,
    }


def review_json(review: draft_port.DraftReview) -> Json:
    new = frozenset(review.new)
    return {
        "version": review.version,
        "problems": [{**one, "is_new": problem in new} for problem, one in _located(review.problems)],
        "changes": list(review.changes),
        "plan": None if review.plan is None else _plan_json(review.plan),
        "plan_error": review.plan_error,
        "nginx_files": review.nginx.get("nginx_files", []),
        "more_nginx_files": review.nginx.get("more_nginx_files", 0),
        "notes": review.nginx.get("notes", []),
        "conflicts": [conflict_json(one) for one in review.conflicts],
    }


def applied_json(applied: draft_port.AppliedDraft) -> Json:
    report = json_values.apply_json(applied.report)
    return {
        "live": applied.report.waits is None,
        "waits": report["waits"],
        "trial": history_port.trial_json(applied.trial),
        "generation": report["generation"],
        "reloaded": report["reloaded"],
        "sites": report["changes"],
        "streams": report["streams"],
        "problems": problems_json(applied.report.problems),
    }


def problems_json(problems: tuple[model.Problem, ...]) -> list[Json]:
    return [one for _, one in _located(problems)]


def _located(problems: tuple[model.Problem, ...]) -> collections.abc.Iterator[tuple[model.Problem, Json]]:
    """With the place as a file, a line and a column, from 1; null where there is none."""
    for problem, one in zip(problems, json_values.problems_json(problems), strict=True):
        match = _PLACE.match(problem.origin.place)
        place = {
            "file": None if match is None else match["file"],
            "line": None if match is None else int(match["line"]),
            "column": None if match is None else int(match["column"]),
        }
        yield problem, {**one, **place, "cure": problem.cure or None}


def tried_json(tried: tuple[draft_port.TriedServer, ...]) -> Json:
    servers = [
        {"server": one.server, "works": one.works, "status": one.status, "cause": one.cause, "cure": one.cure}
        for one in tried
    ]
    return {"servers": servers, "works": bool(tried) and all(one.works for one in tried)}


def _plan_json(plan: gate_port.PlanReport) -> Json:
    found = json_values.plan_json(plan)
    return {"sites": found["changes"], "streams": found["streams"], "reload": plan.reload, "steps": list(plan.steps)}


def conflict_json(one: draft_port.FileConflict) -> Json:
    return {
        "file": one.file,
        "mine": list(one.mine),
        "theirs": list(one.theirs),
        "can_be_merged": one.can_be_merged,
    }
