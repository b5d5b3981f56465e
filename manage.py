#!/usr/bin/env python3
"""Django's command line for Data Flow Tracking."""

import os
import sys


def main():
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever calls it may have an older one
        sys.exit("Data Flow Tracking needs Python 3.11 or newer: install it, then run make again.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dft_project.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python: run `make run`, or .venv/bin/python.")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))  # one sentence on a DFT_* variable, not where we noticed


if __name__ == "__main__":
    main()
