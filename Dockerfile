# Build: docker build -t wardlist .
# First: docker run --rm --read-only --tmpfs /tmp -v wardlist:/var/lib/wardlist wardlist init     (and after each new image)
# Run:   docker run --read-only --tmpfs /tmp -v wardlist:/var/lib/wardlist -p 127.0.0.1:8080:8080 wardlist
# Any other command of `wardlist` stands in the place of `init`: deploy/compose runs API, publisher and worker apart.
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/wardlist
RUN python -m venv .venv
COPY requirements-server.lock pyproject.toml README.md ./
RUN .venv/bin/pip install --no-cache-dir --require-hashes -r requirements-server.lock
COPY alembic.ini ./
COPY alembic alembic
COPY app app
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q app

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 wardlist \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/wardlist --create-home wardlist
COPY --from=build /opt/wardlist /opt/wardlist
ENV PATH=/opt/wardlist/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    WARDLIST_HOME=/var/lib/wardlist \
    WARDLIST_HOST=0.0.0.0
USER 10001:10001
VOLUME /var/lib/wardlist
EXPOSE 8080
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import httpx; httpx.get('http://127.0.0.1:8080/readyz').raise_for_status()"]
ENTRYPOINT ["wardlist"]
CMD ["serve"]
