# Build: docker build -t wardlist .
# Run:   docker run --read-only --tmpfs /tmp -v wardlist:/var/lib/wardlist -p 8080:8080 wardlist
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/wardlist
RUN python -m venv .venv
COPY requirements.lock pyproject.toml README.md ./
RUN .venv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY app app
COPY alembic alembic
COPY alembic.ini ./
RUN .venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q app

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/wardlist --create-home wardlist
COPY --from=build /opt/wardlist /opt/wardlist
ENV PATH=/opt/wardlist/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    WARDLIST_HOME=/var/lib/wardlist \
    WARDLIST_HOST=0.0.0.0
USER wardlist
VOLUME /var/lib/wardlist
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "import httpx; httpx.get('http://127.0.0.1:8080/readyz').raise_for_status()"]
# `wardlist init` changes nothing on an installation that is there already.
CMD ["sh", "-c", "wardlist init && exec wardlist serve"]
