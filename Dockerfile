# daemun with its nginx, on any Debian base: docker build --tag daemun --build-arg BASE=debian:trixie-slim .
# It is told what to serve by /etc/daemun/daemun.yaml, by the labels of other containers, or by both: docs/docker.md.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# For every pip here, such as "--no-index --find-links wheels" with wheels in the folder `wheels`, or an index of one's
# own. Nothing of this stage, nor of its arguments, is in the image.
ARG PIP_OPTIONS=""
WORKDIR /build
COPY scripts/apt-install scripts/
RUN scripts/apt-install python3 python3-venv
COPY . .
RUN python3 -m venv tools \
    && tools/bin/pip install --no-cache-dir $PIP_OPTIONS --constraint constraints.txt hatchling \
        $(python3 scripts/frontend.py --requirements) \
    && tools/bin/pip wheel --no-build-isolation --no-deps --wheel-dir dist . \
    && python3 -m venv /opt/daemun \
    && /opt/daemun/bin/pip install --no-cache-dir $PIP_OPTIONS --constraint constraints.txt "$(echo dist/*.whl)[nginx,fleet]" \
    && /opt/daemun/bin/pip uninstall --yes pip setuptools \
    && ln -s /opt/daemun/bin/daemun /usr/local/bin/daemun \
    && daemun nginx install --best --shared

FROM ${BASE}
COPY scripts/apt-install /tmp/
# Workers of nginx run as this account; daemun itself needs root for that, and for the engine's socket.
RUN /tmp/apt-install python3 ca-certificates openssh-client \
    && rm -rf /tmp/apt-install /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin daemun \
    && mkdir /etc/daemun
COPY --from=build /opt/daemun /opt/daemun
COPY --from=build /usr/local/bin/daemun /usr/local/bin/daemun
# `docker logs` shows requests; `logs: {access: true}` in daemun.yaml keeps them in the file alone.
ENV DAEMUN_ACCESS_LOG=stdout
# Accounts, certificates, history: keep it.
VOLUME /var/lib/daemun
# Where daemun.yaml is looked for.
WORKDIR /etc/daemun
EXPOSE 80 443
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["daemun", "status", "--alive"]
ENTRYPOINT ["daemun"]
CMD ["up"]
