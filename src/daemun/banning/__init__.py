"""Addresses that are refused on every site, in files that nginx tests for (`core.render.ban_lines`).

ban_folder           the files
crowdsec_stream      decisions of CrowdSec's local API
guess_reports        guesses of passwords of servers behind the gate, as nginx reports them
ban_registry         what is banned, why and until when; kept in the store
"""
