"""The project's settings with the yardsticks' app and URLs instead of ours."""

from dft_project.settings import *  # noqa: F403
from dft_project.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tracking.bench.plain.apps.PlainConfig"]
ROOT_URLCONF = "tracking.bench.plain.urls"
REST_FRAMEWORK: dict[str, object] = {}
