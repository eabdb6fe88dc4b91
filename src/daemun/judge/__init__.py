"""Decides for nginx whether a visitor may come in (nginx.org/r/auth_request), in a process that outlives the daemon.

basic_credentials  what a visitor sends as name and password; no I/O
password_check     hashes, verified in threads
sign_in            puts them together: the answer for one request
login_judge        who is signed in, and what happens between a password and a session
token_judge        which script may come in by its token
login_app          the sign-in as pages, and the ways there and back
known_users        who can sign in: users of the store, with what they changed themselves
account            what users do with their own accounts
account_app        the same as a page (account_pages, account_words)
invitations        how who was invited becomes a user
invitation_app     the same as a page (invitation_pages)
passkeys           made by users, and used to sign in
passkey_check      what passkeys sign, by a library that is slow to import (passkey_warm_up)
passkey_app        the same as pages and a script (passkey_pages, passkeys.js)
qr_code            texts as pictures, by a library that only gates with a sign-in load
one_time_codes     codes of an app, and recovery codes; no I/O
login_http         the cookies, forms and headers that these pages share
login_pages        these pages, as HTML; no I/O
provider_sign_in   signing in at an identity provider (providers/), as far as sessions are concerned
provider_app       the ways to a provider and back
provider_watch     in the daemon: whether providers answer, for the status
provider_pages     what pages show of providers; no I/O
network_table      what is remembered of who has not signed in yet, with a share for each network; no I/O
session_table      who is signed in, on which site; no I/O
user_changes       what users changed, taken over into the store
saved_sessions     the same with its file (session_file)
judge_app          what nginx requests, and what the daemon does, over two unix sockets
__main__           the process: gives up its rights and serves
judge_manager      in the daemon: starts, adopts, replaces and ends the process, and sends it the policies
"""
