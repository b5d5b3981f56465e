"""`manage.py reset_second_factor`: for somebody whom no administrator can help."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking.access import second_factor
from tracking.models import User


class Command(BaseCommand):
    help = "Take away the second factor of somebody who has lost it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}.")
        if not second_factor.remove(user, second_factor.RESET, by=None):
            raise CommandError(f"{name} has no second factor.")
        self.stdout.write(f"{name} signs in by password alone now.")
