"""Signing in by a password, beside the provider."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse


def takes(name: str, password: str) -> bool:
    """Whether the sign-in page lets somebody in by these."""
    body = {"username": name, "password": password}
    return Client().post(reverse("admin:login"), body).status_code == 302
