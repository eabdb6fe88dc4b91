"""Rules for the variables of nginx in texts that owners write. Each returns the cause of a refusal, or None. Pure."""

import re

from daemun.core.texts import cures, names, other_tools, rules, words

VARIABLE = re.compile(r"\$(?:\{([^}]*)\}?|([A-Za-z_][A-Za-z0-9_]*))")
_SENT = re.compile(r"(?:sent_http|upstream_http|sent_trailer|upstream_trailer|upstream_cookie)_[a-z0-9_]{1,64}\Z")


def check_variables(text: str) -> str | None:
    """Whether each `$name` is a variable that an owner's text may use. A `$` that starts no name is a dollar sign."""
    cause = find_cause(text)
    return None if cause is None else f"{cause}{cures.write(find_cause, other_tools.with_variables(text))}"


def check_header_value(text: str) -> str | None:
    """The same of a header's value, where another tool's placeholder would be sent as it is written."""
    cause = _find_header_cause(text)
    return None if cause is None else f"{cause}{cures.write(_find_header_cause, other_tools.with_variables(text))}"


def _find_header_cause(text: str) -> str | None:
    found = other_tools.find_placeholder(text)
    if found is not None:
        return f"holds {words.quoted(found)}, which is another tool's word for a part of the request and nothing here"
    return find_cause(text)


def find_cause(text: str) -> str | None:
    """The same without a cure."""
    for match in VARIABLE.finditer(text):
        name = match.group(1) if match.group(1) is not None else match.group(2)
        if not names.is_variable(name):
            is_known = other_tools.is_placeholder(f"${name}")
            near = None if is_known else words.nearest(name.lower(), names.VARIABLES)
            hint = f"; did you mean {words.quoted('$' + near)}?" if near is not None else ""
            return f"uses {words.quoted('$' + name)}, which is not one of the variables allowed here{hint}"
    return None


def check_log_format(text: str) -> str | None:
    """A line of the access log. An unknown variable would keep nginx from starting at all."""
    for match in VARIABLE.finditer(text):
        name = match.group(1) if match.group(1) is not None else match.group(2)
        if not names.is_variable(name) and name not in names.LOG_VARIABLES and not _SENT.match(name):
            return f"uses {words.quoted('$' + name)}, which is not one of the variables of a log"
    return rules.check_text(text.replace("\n", "").replace("\t", ""))
