"""Which nginx binaries there are, what is known of each, and how others are installed beside the system.

build_facts            one binary: its version, libc, OpenSSL, modules, key exchange, and what its package mended
running_build          the one that serves, and which known weaknesses its configuration lays open
build_list             all of them, which one serves, which one is next, and what another would bring
installed_builds       the folder of those that were installed: choose, remove
install_build          unpack packages into it, and give the program a loader and libraries of its own
debian_packages        Debian's newest, fetched and verified by apt in folders of its own
check_build            whether a new one really serves
"""
