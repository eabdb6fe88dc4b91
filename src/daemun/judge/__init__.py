"""Decides for nginx whether a visitor may come in (nginx.org/r/auth_request), in a process that outlives the daemon.

basic_credentials  what a visitor sends as name and password; no I/O
guess_limits       how many wrong guesses are looked at, by address and by user; no I/O
password_check     hashes, verified in threads
sign_in            puts them together: the answer for one request
judge_app          what nginx requests, and what the daemon does, over two unix sockets
__main__           the process: gives up its rights and serves
unprivileged       which account it runs under
judge_keeper       in the daemon: starts, adopts, replaces and ends the process, and sends it the policies
"""
