"""The project's settings with the yardsticks' app and URLs instead of ours."""

from pathlib import Path

from django.contrib import admin

from dft_project.settings import *  # noqa: F403
from dft_project.settings import INSTALLED_APPS as _APPS
from dft_project.settings import TEMPLATES as _TEMPLATES

INSTALLED_APPS = [*_APPS, "tracking.bench.plain.apps.PlainConfig"]
ROOT_URLCONF = "tracking.bench.plain.urls"
REST_FRAMEWORK: dict[str, object] = {}
# Django's own pages of the admin, before those of the theme.
TEMPLATES = [{**_TEMPLATES[0], "DIRS": [Path(admin.__file__).parent / "templates"]}]
