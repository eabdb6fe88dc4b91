"""Who may use the dashboard and its API ("operators"), decided in the daemon.

operators              who sent a credential, and which role that one has; the map of all that follows
link_store             the one-time link of `daemun dashboard`
session_store          sessions that began by a link
credential_guesses     unknown credentials, counted by network
token_store            tokens of programs
audit_log              who changed what, in a file of bounded size
login_lookup           who is signed in by `login`, queried of the judge
"""
