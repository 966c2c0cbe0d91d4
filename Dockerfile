# One small image for the workers; the development stack, the tests and the npm parts are not in it.
# Python 3.11 is what the lock files were made for and what CI runs.
FROM python:3.11-slim AS build
WORKDIR /app
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY shared shared
COPY workers workers
COPY sql sql
# Editable, so that the programme finds sql/ beside itself.
RUN /venv/bin/pip install --no-cache-dir --no-deps -e .

FROM python:3.11-slim
RUN useradd --system --no-create-home worker
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOG_FORMAT=json
USER worker
# The command is process 1 itself: it receives the signals that stop it.
ENTRYPOINT ["emocare"]
EXPOSE 8080
CMD ["serve"]
