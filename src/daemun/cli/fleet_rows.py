"""The nodes of a fleet as rows of a table and lines. Pure."""

import typing

Json = dict[str, typing.Any]

TITLES = ("NODE", "STATE", "SINCE", "VERSION", "REVISION", "ADDRESSES")


def rows_of(fleet: Json) -> list[tuple[str, ...]]:
    return [
        (
            f"{one['name']} (this one)" if one["self"] else one["name"],
            _state_of(one),
            one["since"][:19].replace("T", " "),
            _remark(one["version"], one["other_version"], "another version"),
            _remark(one["revision"], one["old_revision"], "not the newest"),
            " ".join(one["addresses"]),
        )
        for one in fleet["nodes"]
    ]


def _state_of(one: Json) -> str:
    if one["state"] == "unknown":
        return "not known, seen last"
    words = ["alive" if one["state"] == "alive" else "down, seen last"]
    if one["behind"]:
        words.append("behind with what the machines share")
    if one["problems"] and one["state"] == "alive":
        words.append("1 error" if one["problems"] == 1 else f"{one['problems']} errors")
    return ", ".join(words)


def _remark(value: object, is_odd: bool, words: str) -> str:
    if value is None:
        return "-"
    return f"{value} ({words})" if is_odd else str(value)


def describe(fleet: Json) -> str:
    """One line: who this is, how many live, whether the database is reached."""
    database = fleet["database"]
    count = len(fleet["nodes"])
    if database["reached"]:
        alive = sum(one["state"] == "alive" for one in fleet["nodes"])
        return f"fleet: machine {fleet['name']}, {alive} of {count} machines alive, its database is reached"
    return (
        f"fleet: machine {fleet['name']} of {count}, its database is not reached since "
        f"{database['unreached_since'][:19].replace('T', ' ')} UTC: of the other machines nothing is known"
    )


def is_whole(fleet: Json) -> bool:
    """Whether every node lives and the database is reached."""
    return fleet["database"]["reached"] and all(one["state"] == "alive" for one in fleet["nodes"])
