"""Files that lie beside the nginx.conf of most installations, and that recipes include by name.

The first four are nginx's own (conf/ of its source), the others Debian's. They stand for files that are not there.
"""

_REQUEST = """
    {module}_param QUERY_STRING $query_string;
    {module}_param REQUEST_METHOD $request_method;
    {module}_param CONTENT_TYPE $content_type;
    {module}_param CONTENT_LENGTH $content_length;
    {module}_param REQUEST_URI $request_uri;
    {module}_param DOCUMENT_ROOT $document_root;
    {module}_param SERVER_PROTOCOL $server_protocol;
    {module}_param REQUEST_SCHEME $scheme;
    {module}_param HTTPS $https if_not_empty;
    {module}_param REMOTE_ADDR $remote_addr;
    {module}_param REMOTE_PORT $remote_port;
    {module}_param SERVER_PORT $server_port;
    {module}_param SERVER_NAME $server_name;
"""

_FASTCGI = f"""
    {_REQUEST.format(module="fastcgi")}
    fastcgi_param SCRIPT_NAME $fastcgi_script_name;
    fastcgi_param DOCUMENT_URI $document_uri;
    fastcgi_param GATEWAY_INTERFACE CGI/1.1;
    fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
    fastcgi_param REMOTE_USER $remote_user;
    fastcgi_param SERVER_ADDR $server_addr;
    fastcgi_param REDIRECT_STATUS 200;
"""

_TEXTS = {
    "fastcgi_params": _FASTCGI,
    "fastcgi.conf": f"fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; {_FASTCGI}",
    "uwsgi_params": f"{_REQUEST.format(module='uwsgi')} uwsgi_param PATH_INFO $document_uri;",
    "scgi_params": f"{_REQUEST.format(module='scgi')} scgi_param DOCUMENT_URI $document_uri; scgi_param SCGI 1;",
    "proxy_params": """
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    """,
    "snippets/fastcgi-php.conf": r"""
        fastcgi_split_path_info ^(.+?\.php)(/.*)$;
        try_files $fastcgi_script_name =404;
        set $path_info $fastcgi_path_info;
        fastcgi_param PATH_INFO $path_info;
        fastcgi_index index.php;
        include fastcgi.conf;
    """,
}
"""Path, from nginx's folder -> what is in it."""


def find(path: str, base: str) -> str | None:
    """What is in the file of this absolute path. base: a folder of the owner's that stands for nginx's."""
    for folder in (base, "/etc/nginx"):
        if path.startswith(f"{folder}/"):
            return _TEXTS.get(path.removeprefix(f"{folder}/"))
    return None
