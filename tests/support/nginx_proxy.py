"""What users of nginx-proxy 1.11 and acme-companion 2.8 rely on, by name: as their documentation lists it.

Each is shown by a black-box test: one that asks a real nginx, or for what is `TOLD` one that reads `daemun status`. It
is marked with `pytest.mark.shows(KIND="NAME NAME")`; tests/unit/test_nginx_proxy_complete.py tells which is missing.
"""

LABEL = "com.github.nginx-proxy.nginx-proxy."

SUPPORTED = {
    "gate": """
        DEFAULT_HOST DEFAULT_ROOT HTTP_PORT HTTPS_PORT HTTPS_METHOD ENABLE_HTTP_ON_MISSING_CERT NON_GET_REDIRECT HSTS
        SSL_POLICY TRUST_DEFAULT_CERT ENABLE_HTTP2 ENABLE_IPV6 PREFER_IPV6_NETWORK ENABLE_PROXY_PROTOCOL
        TRUST_DOWNSTREAM_PROXY ACME_HTTP_CHALLENGE_LOCATION ACME_HTTP_CHALLENGE_ACCEPT_UNKNOWN_HOST
        LOG_FORMAT LOG_FORMAT_ESCAPE LOG_JSON DISABLE_ACCESS_LOGS NO_COLOR
        DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_CONTAINER_FILTERS
        DEFAULT_EMAIL ACME_CA_URI ACME_CHALLENGE ACMESH_DNS_API_CONFIG ACME_EAB_KID ACME_EAB_HMAC_KEY ACME_CERT_PROFILE
        DEFAULT_KEY_SIZE ACME_PREFERRED_CHAIN
    """,
    "container": """
        VIRTUAL_HOST VIRTUAL_PORT VIRTUAL_PROTO VIRTUAL_ROOT VIRTUAL_PATH VIRTUAL_DEST VIRTUAL_HOST_MULTIPORTS
        EXTERNAL_HTTP_PORT EXTERNAL_HTTPS_PORT NETWORK_ACCESS CERT_NAME HTTPS_METHOD HSTS SSL_POLICY
        ENABLE_HTTP_ON_MISSING_CERT ACME_HTTP_CHALLENGE_LOCATION SERVER_TOKENS
        ACME_HOST ACME_SINGLE_DOMAIN_CERTS ACME_EMAIL ACME_CA_URI ACME_TEST ACME_CERT_PROFILE
        LETSENCRYPT_HOST LETSENCRYPT_SINGLE_DOMAIN_CERTS LETSENCRYPT_EMAIL LETSENCRYPT_TEST
        ACME_KEYSIZE LETSENCRYPT_KEYSIZE ACME_PREFERRED_CHAIN
    """,
    "label": "http2.enable trust-default-cert non-get-redirect ssl_verify_client keepalive loadbalance",
    "file": """
        certs/HOST.crt certs/HOST.key certs/HOST.ca.crt certs/HOST.crl.pem
        certs/default.crt certs/default.key certs/ca.crt certs/ca.crl.pem
        htpasswd/HOST htpasswd/HOST_SHA1 vhost.d/HOST vhost.d/default vhost.d/HOST_SHA1_location vhost.d/HOST_location
        vhost.d/default_location vhost.d/HOST_SHA1_location_override vhost.d/HOST_location_override
        conf.d/*.conf proxy.conf network_internal.conf /usr/share/nginx/html/errors/50x.html /tmp/docker.sock
    """,
}
TOLD = {
    "gate": """
        ENABLE_HTTP3 DEBUG_ENDPOINT RESOLVERS SHA1_UPSTREAM_NAME DHPARAM_BITS DHPARAM_SKIP DHPARAM_GENERATION
        NGINX_CONTAINER_LABEL ACME_RENEW_AFTER DEFAULT_RENEW
        CERTS_UPDATE_INTERVAL RENEW_PRIVATE_KEYS ZEROSSL_API_KEY
        CA_BUNDLE ACME_PRE_HOOK ACME_POST_HOOK RELOAD_NGINX_ONLY_ONCE CREATE_DEFAULT_CERTIFICATE
        FILES_UID FILES_GID FILES_PERMS FOLDERS_PERMS DEBUG NGINX_PROXY_CONTAINER NGINX_DOCKER_GEN_CONTAINER
        DOCKER_GEN_WAIT ACME_STANDALONE_CERTS LETSENCRYPT_STANDALONE_CERTS
    """,
    "container": """
        ACME_CHALLENGE ACMESH_DNS_API_CONFIG ACME_RENEW_AFTER ACME_RENEW_PRIVATE_KEYS
        ACME_EAB_KID ACME_EAB_HMAC_KEY ZEROSSL_API_KEY
        ACME_PRE_HOOK ACME_POST_HOOK
        ACME_RESTART_CONTAINER LETSENCRYPT_RESTART_CONTAINER ACME_OCSP LETSENCRYPT_MIN_VALIDITY
    """,
    "label": "http3.enable debug-endpoint",
    "file": """
        certs/HOST.dhparam.pem certs/HOST.chain.pem toplevel.conf.d/*.conf dhparam/dhparam.pem
        conf.d/standalone-cert-HOST.conf letsencrypt_user_data nginx.tmpl /etc/acme.sh
    """,
}
DEFECTS = tuple("12345678")
"""Of nginx-proxy, which daemun must not have, numbered as its guide does."""


def names_of(kind: str) -> frozenset[str]:
    """kind: "gate", "container", "label", "file", "defect"."""
    if kind == "defect":
        return frozenset(DEFECTS)
    return frozenset((*SUPPORTED[kind].split(), *TOLD[kind].split()))


def told(kind: str) -> tuple[str, ...]:
    return tuple(TOLD[kind].split())
