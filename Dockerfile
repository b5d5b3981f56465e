FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE manage.py ./
COPY dft_project dft_project
COPY tracking tracking
COPY templates templates
# The compiler makes the inner loops (tracking/core/_native.c) and is not needed afterwards.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && pip install -c constraints.txt -e '.[sso]' \
    && apt-get purge -y --auto-remove gcc libc6-dev && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/dft dft
USER dft
ENV DFT_DATA_DIR=/var/lib/dft DFT_HOST=0.0.0.0 DFT_PORT=8000
EXPOSE 8000
VOLUME /var/lib/dft
# MongoDB runs beside it: DFT_MONGODB_URI names it (compose.yaml).
CMD ["python", "manage.py", "up"]
