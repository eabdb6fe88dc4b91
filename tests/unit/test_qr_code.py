"""QR codes within pages."""

from daemun.judge import one_time_codes, qr_code


def test_a_picture_that_pages_may_show() -> None:
    address = one_time_codes.make_address("A" * 32, "앨리스 & co", "auth.test")
    assert address.isascii()
    picture = qr_code.draw(address)
    assert picture.startswith("<svg ")
    assert "style" not in picture
    assert picture != qr_code.draw(address.replace("A" * 32, "B" * 32))


def test_a_name_that_is_too_long_for_one() -> None:
    assert qr_code.draw(one_time_codes.make_address("A" * 32, "앨" * 255, "auth.test")) == ""
