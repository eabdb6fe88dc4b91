"""What made a change, as the history has it, in the language of a page: a command as it is, or words. Pure."""

from daemun.dashboard import page_texts

_WORDS = ("start", "containers")
_EDIT, _STOPPED = "edit of ", " while daemun did not run"


def describe(by: str, texts: page_texts.Texts) -> str:
    """by: of the API. What is not known of it stays as it is."""
    if by in _WORDS:
        return texts(f"history.by_{by}")
    if not by.startswith(_EDIT):
        return by
    files, stopped, _ = by.removeprefix(_EDIT).partition(_STOPPED)
    found = texts("history.by_edit", files=files)
    return f"{found} {texts('history.by_edit_stopped')}" if stopped else found
