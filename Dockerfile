# One small image for the workers; the development stack, the tests and the npm parts are not in it.
# Python 3.11 is what the lock files were made for and what CI runs.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
RUN python -m venv /builder && /builder/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY shared shared
COPY workers workers
COPY sql sql
# The build context has no .git: whoever builds passes the commit, which `emocare --version` and healthz then show.
ARG EMOCARE_COMMIT=""
RUN EMOCARE_COMMIT="$EMOCARE_COMMIT" /builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /venv/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.11-slim
RUN useradd --system --no-create-home worker
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOG_FORMAT=json
USER worker
# The command is process 1 itself: it receives the signals that stop it.
ENTRYPOINT ["emocare"]
EXPOSE 8080
CMD ["serve"]
