"""Settings; `DFT_*` environment variables are the only configuration (docs/operations.md)."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.module_loading import import_string

from dft_project.environment import (
    env_flag,
    env_int,
    env_list,
    env_networks,
    env_url,
    env_words,
    secret_key,
)
from tracking import vocabulary as v
from tracking.mongo.addresses import address_of, role_of
from tracking.mongo.connection import settings_entry
from tracking.sso.config import config_of

BASE_DIR = Path(__file__).resolve().parent.parent

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
# Of a name in browsers new to it, and of one address; docs/operations.md says how they are counted.
DFT_SIGN_IN_FAILURES = env_int("DFT_SIGN_IN_FAILURES", 5, least=1, most=100)
DFT_SIGN_IN_ADDRESS_FAILURES = env_int("DFT_SIGN_IN_ADDRESS_FAILURES", 30, least=1, most=10_000)
DFT_SIGN_IN_LOCK_MINUTES = env_int("DFT_SIGN_IN_LOCK_MINUTES", 15, least=1, most=1_440)
DFT_SECOND_FACTOR_ROLES = env_words("DFT_SECOND_FACTOR_ROLES", (*v.ROLES, "superuser", "all"))
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
try:
    DFT_OIDC = config_of(os.environ)
except ValueError as error:
    raise ImproperlyConfigured(f"{error}") from None
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
    "dft_project.apps.MongoAxesConfig",
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
    "tracking.api.looks.Looks",
    "tracking.sign_in.sessions.SecondFactorSessions",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
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
AUTHENTICATION_BACKENDS = ["tracking.sign_in.backend.PasswordBackend"]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
PASSWORD_HASHERS = [
    "tracking.access.passwords.Argon2",
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

# --- Lock-out: django-axes with our rules (tracking/sign_in/lockout.py) ------------------------
AXES_HANDLER = "tracking.sign_in.lockout.Handler"
AXES_CLIENT_IP_CALLABLE = "tracking.sign_in.lockout.client_address"
AXES_LOCKOUT_CALLABLE = "tracking.admin.sign_in.locked"
AXES_FAILURE_LIMIT = DFT_SIGN_IN_FAILURES
AXES_COOLOFF_TIME = timedelta(minutes=DFT_SIGN_IN_LOCK_MINUTES)
# Its pages would show the attempts of all tenants, and its logs would grow for ever.
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ACCESS_FAILURE_LOG = False
AXES_VERBOSE = False

# --- Database --------------------------------------------------------------------------
# Each kind of process has a database user of its own, with the least rights it needs.
DFT_DATABASE_ROLE = role_of(sys.argv)
DATABASES = {"default": settings_entry(address_of(DFT_DATABASE_ROLE, DFT_DATA_DIR))}
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
MIGRATION_MODULES = {
    app: f"dft_project.mongo_migrations.{app}"
    for app in ("admin", "auth", "axes", "contenttypes", "sessions")
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
    "STYLES": [
        lambda _request: static("tracking/admin.css"),
        lambda _request: static("tracking/insights.css"),
    ],
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
    "ACCOUNT": {
        "navigation": lambda request: import_string("tracking.admin.navigation.account")(request)
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
    "loggers": {
        "pymongo": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "gunicorn": {"level": "INFO"},
    },
}
