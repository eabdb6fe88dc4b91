"""What an answer of a server says of it, and what of the route that it was tried for."""

from daemun.core import model
from daemun.core.served import server_answers


def test_a_loop_is_one_routes_and_all_else_the_servers() -> None:
    loop = server_answers.ServerFinding(trouble=model.Trouble.LOOP, cause="x", cure="y")
    refused = server_answers.ServerFinding(trouble=model.Trouble.REFUSED, cause="x", cure="y")
    assert server_answers.of_place(loop) == server_answers.WELL
    assert server_answers.of_place(refused) == refused
