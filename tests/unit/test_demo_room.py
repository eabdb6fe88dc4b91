import datetime
import json

import pytest

from daemun.demo import chat_room

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def parse(**found: object) -> chat_room.ChatMessage:
    return chat_room.parse_message(json.dumps(found), sender="one", at=NOW)


def test_message_is_kept_as_it_was_written() -> None:
    said = parse(name="Mina", text="<b>hi</b> 안녕\nthere")
    assert said == chat_room.ChatMessage(sender="one", name="Mina", text="<b>hi</b> 안녕\nthere", at=NOW)


def test_name_is_one_line() -> None:
    assert parse(name=" Mina\n\tKim ", text="hi").name == "Mina Kim"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
        ("[" * 8000, "not JSON"),
        ("[]", "expected an object"),
        ('{"name": 1, "text": "hi"}', "expected an object"),
        ('{"name": " ", "text": "hi"}', "the name is empty"),
        ('{"name": "Mina", "text": " \\n"}', "the text is empty"),
        (json.dumps({"name": "M" * 33, "text": "hi"}), "33 characters, 32"),
        (json.dumps({"name": "M", "text": "h" * 501}), "501 characters, 500"),
    ],
)
def test_refused_message_says_why(frame: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chat_room.parse_message(frame, sender="one", at=NOW)


def test_longest_message_fits_a_frame_however_json_writes_it() -> None:
    from daemun.demo import chat

    longest = json.dumps(
        {"name": "\U0001f44d" * chat_room.MAX_NAME_CHARS, "text": "\U0001f44d" * chat_room.MAX_TEXT_CHARS}
    )
    assert len(longest) <= chat.MAX_FRAME_BYTES


def test_pace_lets_a_burst_pass_and_then_slows_down() -> None:
    pace = chat_room.Pace(burst=3, per_s=2)
    assert [pace.wait_s(100.0) for _ in range(5)] == [0, 0, 0, 0.5, 1.0]
    assert pace.wait_s(101.0) == 0.5
    assert pace.wait_s(200.0) == 0, "a long silence brings the burst back"
    assert [pace.wait_s(200.0) for _ in range(3)] == [0, 0, 0.5], "but no more than that"
