"""Drafts: the files of the configuration as an operator of the dashboard is changing them, before they are live.

draft: one operator's, as a value. draft_store: those that are kept, in the store. draft_overlay: the files as the draft
has them, for edits. draft_edits: what can be done to it. draft_secrets: its texts for those who may not see secrets.
draft_review: what is wrong with it, and what it would change. draft_service: all of it for the API
(`control.draft_port`), and how it goes live. What others changed meanwhile is put together with it by
`sources.three_way_merge`.
"""
