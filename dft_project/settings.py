"""Settings; `DFT_*` environment variables are the only configuration (docs/operations.md)."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.module_loading import import_string

from tracking import vocabulary as v
from tracking.access.origin import Network, networks_of
from tracking.mongo.addresses import address_of, role_of
from tracking.mongo.connection import settings_entry

BASE_DIR = Path(__file__).resolve().parent.parent


def env_flag(name: str, default: bool) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {text!r}.")


def env_int(name: str, default: int, *, least: int, most: int) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ImproperlyConfigured(f"{name} must be an integer from {least} to {most}.")
    return int(text)


def env_list(name: str, default: list[str]) -> list[str]:
    text = os.environ.get(name, "").strip()
    return [item.strip() for item in text.split(",") if item.strip()] if text else default


def env_networks(name: str) -> list[Network]:
    try:
        return networks_of(env_list(name, []))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None


def env_url(name: str) -> str:
    """An address that something is posted to, or nothing; the path may hold a secret."""
    text = os.environ.get(name, "").strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc:
        raise ImproperlyConfigured(
            f"{name} must be an address such as https://host/path, without a user or password."
        )
    return text


def secret_key(directory: Path) -> str:
    """From DFT_SECRET_KEY, else made once and kept beside the data."""
    if given := os.environ.get("DFT_SECRET_KEY"):
        return given
    path = directory / "secret_key"
    try:
        if path.exists():
            return path.read_text(encoding="ascii").strip()
        directory.mkdir(parents=True, exist_ok=True)
        made = secrets.token_urlsafe(64)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:  # another process made it at the same moment
            return path.read_text(encoding="ascii").strip()
        with os.fdopen(descriptor, "w") as file:
            file.write(made)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data directory {directory} cannot be used ({error.strerror}): make it a"
            " directory that can be written, or name another with DFT_DATA_DIR."
        ) from error
    return made


# --- Where things are ------------------------------------------------------------------
DFT_DATA_DIR = Path(os.environ.get("DFT_DATA_DIR") or BASE_DIR / "var").resolve()
# Not in the database, and best not beside it either: whoever has both can forge the log.
DFT_KEY_DIR = Path(os.environ.get("DFT_KEY_DIR") or DFT_DATA_DIR / "keys").resolve()
DFT_PORT = env_int("DFT_PORT", 8000, least=1, most=65_535)
DFT_HOST = os.environ.get("DFT_HOST", "127.0.0.1")
DFT_PUBLIC_URL = os.environ.get("DFT_PUBLIC_URL", f"http://localhost:{DFT_PORT}").rstrip("/")
# Measured (docs/performance.md): with more workers than cores fewer small posts meet in one of
# them to share a transaction, and eight threads are enough for them to meet.
DFT_WORKERS = env_int("DFT_WORKERS", min(8, max(2, os.cpu_count() or 2)), least=1, most=64)
DFT_THREADS = env_int("DFT_THREADS", 8, least=1, most=64)
DFT_FOLLOWER_NICE = env_int("DFT_FOLLOWER_NICE", 5, least=0, most=19)
DFT_FOLLOWER_MEMORY_MB = env_int("DFT_FOLLOWER_MEMORY_MB", 64, least=0, most=65_536)
DFT_DEMO = env_flag("DFT_DEMO", True)

# --- Anchors: where checkpoints go outside the database ---------------------------------------
_ANCHOR_FILE = os.environ.get("DFT_ANCHOR_FILE", "").strip()
DFT_ANCHOR_FILE = (
    None
    if _ANCHOR_FILE == "none"
    else Path(_ANCHOR_FILE or DFT_DATA_DIR / "anchors" / "checkpoints.txt").resolve()
)
# The default's directory is ours to make; any other that is missing may be a mount that is.
DFT_ANCHOR_FILE_MADE = not _ANCHOR_FILE
DFT_ANCHOR_WEBHOOK = env_url("DFT_ANCHOR_WEBHOOK")
DFT_ANCHOR_WEBHOOK_SECRET = os.environ.get("DFT_ANCHOR_WEBHOOK_SECRET", "")
DFT_ANCHOR_TSA_URL = env_url("DFT_ANCHOR_TSA_URL")
DFT_ANCHOR_TSA_CA = os.environ.get("DFT_ANCHOR_TSA_CA", "")
if DFT_ANCHOR_TSA_URL and not DFT_ANCHOR_TSA_CA:
    raise ImproperlyConfigured(
        "DFT_ANCHOR_TSA_URL needs DFT_ANCHOR_TSA_CA, a PEM file with the authority's root:"
        " a time stamp that nobody checks proves nothing."
    )
DFT_ANCHOR_SECONDS = env_int("DFT_ANCHOR_SECONDS", 60, least=1, most=86_400)
DFT_ANCHOR_TSA_SECONDS = env_int("DFT_ANCHOR_TSA_SECONDS", 600, least=1, most=7 * 86_400)
DFT_ANCHOR_ALERT_SECONDS = env_int("DFT_ANCHOR_ALERT_SECONDS", 0, least=0, most=30 * 86_400)
DFT_ALERT_WEBHOOK = env_url("DFT_ALERT_WEBHOOK")

# --- Metrics: where the workers of this machine count together -----------------------------------
DFT_METRICS_TOKEN = os.environ.get("DFT_METRICS_TOKEN", "")
# Before prometheus_client is imported, which looks for it then.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(DFT_DATA_DIR / "metrics"))

# --- The door: what one web worker takes in, and how long it waits for it -------------------
DFT_POST_RECORDS = env_int("DFT_POST_RECORDS", v.POST_RECORDS_MAX, least=100, most=20_000)
DFT_ATOMIC_RECORDS = env_int(
    "DFT_ATOMIC_RECORDS", v.ATOMIC_RECORDS_MAX, least=1, most=v.BATCH_RECORDS_MAX
)
DFT_RATE_RECORDS = env_int("DFT_RATE_RECORDS", 0, least=0, most=1_000_000)
DFT_RATE_READS = env_int("DFT_RATE_READS", 0, least=0, most=1_000_000)
DFT_RATE_BURST_SECONDS = env_int("DFT_RATE_BURST_SECONDS", 10, least=1, most=3_600)
DFT_POST_BYTES = env_int(
    "DFT_POST_BYTES", v.POST_BYTES_MAX, least=2 * v.RECORD_BYTES_MAX, most=64 * 2**20
)
DFT_HEADER_SECONDS = env_int("DFT_HEADER_SECONDS", 10, least=1, most=300)
DFT_BODY_SECONDS = env_int("DFT_BODY_SECONDS", 30, least=1, most=600)
DFT_CONNECTIONS = env_int("DFT_CONNECTIONS", 4_096, least=16, most=100_000)
DFT_QUEUE = env_int("DFT_QUEUE", 64, least=1, most=10_000)
DFT_QUEUE_SECONDS = env_int("DFT_QUEUE_SECONDS", 5, least=1, most=60)
DFT_BODIES_BYTES = env_int("DFT_BODIES_BYTES", 256 * 2**20, least=2**24, most=2**40)

# --- Security --------------------------------------------------------------------------
DEBUG = env_flag("DFT_DEBUG", False)
SECRET_KEY = secret_key(DFT_DATA_DIR)
ALLOWED_HOSTS = env_list("DFT_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("DFT_TRUSTED_ORIGINS", [])
# Whose word is taken for whom they ask for (X-Forwarded-For).
DFT_TRUSTED_PROXIES = env_networks("DFT_TRUSTED_PROXIES")
DFT_HTTPS = env_flag("DFT_HTTPS", DFT_PUBLIC_URL.startswith("https://"))
SECURE_SSL_REDIRECT = DFT_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if DFT_HTTPS else None
# Whoever probes a process asks it directly, not through the proxy that ends TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz\Z", r"^readyz\Z", r"^metrics\Z"]
SECURE_HSTS_SECONDS = 31_536_000 if DFT_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = DFT_HTTPS
SECURE_HSTS_PRELOAD = DFT_HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = DFT_HTTPS
DFT_SESSION_HOURS = env_int("DFT_SESSION_HOURS", 12, least=1, most=720)
DFT_SESSION_IDLE_MINUTES = env_int("DFT_SESSION_IDLE_MINUTES", 60, least=1, most=43_200)
SESSION_COOKIE_AGE = DFT_SESSION_HOURS * 3600
SESSION_COOKIE_NAME = "dft_session"
CSRF_COOKIE_NAME = "dft_csrf"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # Alpine, which the admin theme is built with, compiles expressions at run time.
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
    }
}

# --- Applications ----------------------------------------------------------------------
INSTALLED_APPS = [
    "tracking",
    "unfold.apps.BasicAppConfig",  # the default one puts its own site in place of ours
    "unfold.contrib.filters",
    "dft_project.apps.MongoAdminConfig",
    "dft_project.apps.MongoAuthConfig",
    "dft_project.apps.MongoContentTypesConfig",
    "dft_project.apps.MongoSessionsConfig",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "tracking.metering.Metering",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "tracking.api.refusals.Refusals",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tracking.api.sessions.LimitedSessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "dft_project.urls"
WSGI_APPLICATION = "dft_project.wsgi.application"
ASGI_APPLICATION = "dft_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
AUTH_USER_MODEL = "tracking.User"
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Database --------------------------------------------------------------------------
# Each kind of process has a database user of its own, with the least rights it needs.
DFT_DATABASE_ROLE = role_of(sys.argv)
DATABASES = {"default": settings_entry(address_of(DFT_DATABASE_ROLE, DFT_DATA_DIR))}
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
MIGRATION_MODULES = {
    app: f"dft_project.mongo_migrations.{app}"
    for app in ("admin", "auth", "contenttypes", "sessions")
}
# The limits of a post are applied while its body is read, record by record (docs/api.md).
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024

# --- Language, time, files ---------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DFT_DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if env_flag("DFT_MANIFEST", not DEBUG)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- REST --------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tracking.api.authentication.ApiKeyAuthentication",
        "tracking.api.authentication.SignedInAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tracking.api.permissions.MayRead"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tracking.api.problems.drf_exception_handler",
    "UNAUTHENTICATED_USER": None,
    # Otherwise `?format=` would be read by the framework before we refuse it.
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Data Flow Tracking",
    "DESCRIPTION": "Post what happened to an object; ask where it is and what happened to it.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tracking.api.schema.complete",
    ],
}
UNFOLD = {
    "SITE_TITLE": "Data Flow Tracking",
    "SITE_HEADER": "Data Flow Tracking",
    "SITE_SUBHEADER": "The logbook of your data objects",
    "SITE_SYMBOL": "conversion_path",
    "SITE_URL": None,  # there is no other site to return to
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("tracking/favicon.svg"),
        }
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda _request: static("tracking/admin.css")],
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .016 220)",
            "100": "oklch(94.5% .035 220)",
            "200": "oklch(89% .065 222)",
            "300": "oklch(81% .1 225)",
            "400": "oklch(71% .13 230)",
            "500": "oklch(61% .14 236)",
            "600": "oklch(52% .135 240)",
            "700": "oklch(45% .12 243)",
            "800": "oklch(39% .1 245)",
            "900": "oklch(34% .08 247)",
            "950": "oklch(26% .06 250)",
        }
    },
    "COMMAND": {"search_models": False, "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": lambda request: import_string("tracking.admin.navigation.sidebar")(request),
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["console"],
        "level": os.environ.get("DFT_LOG_LEVEL", "INFO").upper(),
    },
    "loggers": {"pymongo": {"level": "WARNING"}, "gunicorn": {"level": "INFO"}},
}
