"""Parts of a difference as the API has them (`daemun diff --json`), as pages show them: of a site or a key of the file,
whose lines have a blank behind the sign, or of a file of nginx, whose lines have none. Pure."""

import typing

Json = dict[str, typing.Any]


def arrange(part: Json, most: int) -> Json:
    """With its `title`, and most lines as (sign, text) in `shown`; `more`: how many there are beside. is_setting: it is
    a key of the gate."""
    is_of_nginx = "host" not in part and "key" not in part
    return {
        **part,
        "title": part["file"] if is_of_nginx else part.get("host") or part.get("key") or part["file"],
        "shown": [split_line(line, is_of_nginx=is_of_nginx) for line in part["lines"][:most]],
        "more": max(len(part["lines"]) - most, 0) + part.get("more_lines", 0),
        "is_setting": "key" in part and "host" not in part,
    }


def split_line(line: str, *, is_of_nginx: bool) -> tuple[str, str]:
    """The sign ("+", "-", " ", and "@" of where lines stand), and the rest with its indentation."""
    if line.startswith("@@"):
        return "@", line.strip("@ ")
    sign = line[:1] if line[:1] in {"+", "-"} else " "
    return sign, line[1:] if is_of_nginx else line[2:]
