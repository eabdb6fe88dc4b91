"""Which nginx binaries there are, what is known of each, and how others are installed beside the system.

build_facts            one binary: its version, libc, OpenSSL, modules, key exchange, and what its package mended
running_build          the one that serves, and which known weaknesses its configuration lays open
"""
