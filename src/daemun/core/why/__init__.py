"""Why a URL answers as it does, and what happened to a request: facts in, a story with the cause first out. Pure.

requested_url, site_choice, route_walk, access_walk: which way a request takes through the file.
url_facts, request_facts: what was found out; request_changes, page_parts: what else is tried. url_causes (with
answer_causes, page_causes, redirect_causes, tls_causes), request_causes: what is wrong, the first cause first.
why_story: all of it, in the order of a request. stream_story: of a stream, which has no URL.
"""
