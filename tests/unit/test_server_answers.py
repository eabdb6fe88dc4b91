"""What an answer of a server says of it, and what of the route that it was tried for."""

import pytest

from daemun.core import model
from daemun.core.served import server_answers


def test_a_loop_is_one_routes_and_all_else_the_servers() -> None:
    loop = server_answers.ServerFinding(trouble=model.Trouble.LOOP, cause="x", cure="y")
    refused = server_answers.ServerFinding(trouble=model.Trouble.REFUSED, cause="x", cure="y")
    assert server_answers.of_place(loop) == server_answers.WELL
    assert server_answers.of_place(refused) == refused


@pytest.mark.parametrize("location", ["http://[::1/", "http://[x]/", "//[", "http://a.test:99999/", "http://\x1b[31m"])
def test_a_redirect_to_what_is_no_url_is_no_loop(location: str) -> None:
    scheme, tls = model.Scheme.HTTP, model.UpstreamTls()
    aim = model.Aim(host="a.test", path="/", written="http://127.0.0.1:1", scheme=scheme, tls=tls, sees="a.test")
    answer = server_answers.AnswerHead(status=302, location=location, sets_cookie=False)
    assert server_answers.judge_answer(aim, answer) == server_answers.WELL
