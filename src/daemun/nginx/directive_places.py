"""Where a directive belongs that hand-written nginx has at the wrong level. Pure."""

import re

_MISPLACED = re.compile(r'"(?P<name>[a-z0-9_]+)" directive is not allowed here')

_AT_THE_TOP = "write it under `nginx:` at the top of daemun.yaml, which is nginx's http level, and use its names here"
_IN_THE_SITE = "write it under `nginx:` of the site, which is nginx's server level"
_IN_A_LOCATION = "write it in a route's `nginx:`, or in a `location` of a site's"
_NOWHERE = "take it out: nginx's main level is daemun's own"
_BY_LIMIT = "take it out: there are as many as the limit of open files allows that daemun is started with"

_PLACES = (
    (
        r"map|geo|split_clients|upstream|server|log_format|(?:limit_req|limit_conn|keyval)_zone|keyval|\w+_cache_path"
        r"|js_shared_dict_zone|geoip2|geoip_\w+|(?:map|variables|server_names)_hash_\w+",
        _AT_THE_TOP,
    ),
    (r"server_name", "write its names as `aliases` of the site"),
    (r"listen", "write the ports as `listen:` at the top of daemun.yaml"),
    (r"ssl_certificate(?:_key)?", "write `tls: {certificate: FILE, key: FILE}` in the site"),
    (
        r"location|if|rewrite|return|set|break|try_files|ssl_\w+|http[23]|client_header_\w+|large_client_header_buffers"
        r"|underscores_in_headers|ignore_invalid_headers|merge_slashes",
        _IN_THE_SITE,
    ),
    (r"(?:proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass|alias|internal|limit_except", _IN_A_LOCATION),
    (r"user", "take it out, and write `user: ACCOUNT` at the top of daemun.yaml"),
    (r"worker_processes", "take it out, and write `workers: NUMBER` at the top of daemun.yaml"),
    (r"worker_shutdown_timeout", "take it out, and write `old_workers: {wait: 1m}` at the top of daemun.yaml"),
    (r"worker_connections|worker_rlimit_nofile", _BY_LIMIT),
    (
        r"load_module",
        "take it out: an nginx that `daemun nginx install` brings has modules, and they are loaded by themselves",
    ),
    (r"stream", "take it out, and write `streams:` at the top of daemun.yaml"),
    (r"http", "take out the line and its brace; what is in it belongs under `nginx:` at the top of daemun.yaml"),
    (
        r"worker_\w+|events|pid|lock_file|daemon|master_process|env|working_directory|thread_pool|pcre_jit|mail"
        r"|timer_resolution|debug_\w+|accept_mutex\w*|multi_accept|use",
        _NOWHERE,
    ),
)
"""Names of directives -> what to do. Source: "Context" of each on nginx.org/en/docs/dirindex.html"""


def find_cure(message: str) -> str | None:
    """message: nginx's refusal. None: it is for something else, or nothing is known of the directive."""
    found = _MISPLACED.search(message)
    if found is None:
        return None
    return next((cure for names, cure in _PLACES if re.fullmatch(names, found["name"])), None)
