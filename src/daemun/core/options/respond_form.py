"""`respond` and `deny` of a route: answers that the gate gives itself."""

import dataclasses
import re
import typing

import pydantic

from daemun.core import model
from daemun.core.options import forms
from daemun.core.options.option import Place
from daemun.core.texts import rules, url_rules, words

DENIAL = model.Respond(status=403)

_MEDIA_TYPE = re.compile(
    r"[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}(?:; ?charset=[a-z0-9][a-z0-9._-]{0,31})?\Z"
)
_LONGEST_IN_CURE = 60
_WITHOUT_BODY = (204, 205)
"""RFC 9110 sections 15.3.5 and 15.3.6."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RespondMap(forms.OptionMap):
    shape: typing.ClassVar[str] = "a status such as 204, or a map"
    meanings: typing.ClassVar[dict[str, str]] = {
        "status": "200 to 299, or 400 to 599; 200",
        "body": "the text of the answer, as it is",
        "type": "its media type; text/plain, of a file what its name tells",
        "file": "a file with the answer, which GET and HEAD get",
    }
    file_only: typing.ClassVar[frozenset[str]] = frozenset({"file"})
    texts: typing.ClassVar[frozenset[str]] = frozenset({"body", "type"})
    status: forms.Number = 200
    body: forms.Text | None = None
    type: forms.Text | None = None
    file: forms.File | None = None

    def make(self) -> model.Respond:
        return model.Respond(status=self.status, body=self.body, file=self.file, media_type=self.type)


def _parse(value: object) -> object:
    if isinstance(value, str):
        is_status = re.fullmatch(r"[1-5][0-9]{2}", value) is not None
        is_short = value.isprintable() and len(value) <= _LONGEST_IN_CURE
        with_status = re.fullmatch(r"([2-5][0-9]{2})\s+(\S.*)", value)
        body = f"body: {forms.written(value if with_status is None else with_status[2])}"
        cure = value if is_status else f"`{{{body if with_status is None else f'status: {with_status[1]}, {body}'}}}`"
        hint = f"; write {cure}" if is_short and "`" not in value else "; a text is its `body`"
        raise ValueError(f"expected {RespondMap.shape}, found {words.describe(value)}{hint}")  # noqa: TRY004 pydantic's
    return {"status": value} if isinstance(value, int) and not isinstance(value, bool) else value


Form = typing.Annotated[RespondMap, pydantic.BeforeValidator(_parse), forms.Also({"type": "integer"})]


def _only_true(value: object) -> object:
    if value is not True:
        is_status = isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
        way = f"another answer is `respond: {value}`" if is_status else "leave the route out to deny nothing"
        way = "write true" if str(value).lower() in {"all", "any", "everybody", "everyone", "yes", "on"} else way
        raise ValueError(f"expected true, found {words.describe(value)}; {way}")
    return DENIAL


Deny = typing.Annotated[
    pydantic.InstanceOf[model.Respond],
    pydantic.BeforeValidator(_only_true),
    pydantic.WithJsonSchema(forms.is_(True)),
]


# --- rules -----------------------------------------------------------------------------------------------------


def check(answer: model.Respond, place: Place) -> None:
    place.add(_find_status_cause(answer.status), "status")
    if answer.body is not None:
        place.add(find_body_cause(answer.body), "body")
    if answer.file is not None:
        place.add_value(answer.file, rules.check_absolute(answer.file), "file")
    if answer.body is not None and answer.file is not None:
        place.add("stands beside `file`; keep one of them", "body")
    given = "body" if answer.body is not None else "file"
    if answer.body is None and answer.file is None:
        if answer.media_type is not None:
            place.add("is of nothing: write a `body` or a `file`", "type")
    elif answer.status in _WITHOUT_BODY:
        place.add(f"cannot go with status {answer.status}, which has no content; leave one of them out", given)
    if answer.media_type is not None and not _MEDIA_TYPE.match(answer.media_type):
        cause = 'is not a media type, such as "application/json" or "text/html; charset=utf-8"'
        place.add_value(answer.media_type, cause, "type")


def _find_status_cause(status: int) -> str | None:
    if status in url_rules.REDIRECT_STATUSES:
        return f"{status} is a redirect; write `redirect: URL` and `status: {status}` in the route"
    if 200 <= status <= 299 or 400 <= status <= 599:
        return None
    return f"{status} is no status of an answer; expected 200 to 299, or 400 to 599"


def find_body_cause(body: str) -> str | None:
    """Lines and tabs may be in it. What nginx cannot hold in one word is for a file."""
    cause = rules.check_text(body.replace("\n", "n").replace("\t", "t"))
    breaks = body.count("\n") + body.count("\t")
    size = len(body.encode(errors="replace")) + 15 * body.count("$") + body.count('"') + body.count("\\") + breaks
    if (cause is not None and cause.startswith("is too long")) or (cause is None and size > rules.MAX_BYTES):
        most = f"at most {rules.MAX_CHARACTERS}"
        return f"is too long: {len(body)} characters, {most}; put it in a file, and name that with `file`"
    return cause
