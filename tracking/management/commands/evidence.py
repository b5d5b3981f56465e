"""`manage.py evidence`: an object's evidence as a file (docs/integrity.md)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking import clock
from tracking.errors import DftError, NotFound
from tracking.evidence.package import package_of


class Command(BaseCommand):
    help = "Write the evidence of one or more transactions of a tenant as a zip file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="whose transactions they are")
        parser.add_argument("--transaction", required=True, action="append", help="may be repeated")
        parser.add_argument("--out", required=True, type=Path, help="the file to be made")
        parser.add_argument(
            "--checkpoint", type=int, help="the size of a checkpoint that the reader holds"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [(options["tenant"], each) for each in dict.fromkeys(options["transaction"])]
        out: Path = options["out"]
        try:
            with (
                package_of(
                    wanted,
                    moment=clock.now(),
                    exporter="the command line",
                    asked=options["checkpoint"],
                ) as package,
                out.open("xb") as file,
            ):
                shutil.copyfileobj(package, file)
        except NotFound as error:
            raise CommandError(f"There is no {error} here.") from None
        except FileExistsError:
            raise CommandError(f"{out} is there already; name another file.") from None
        except (DftError, OSError) as error:
            raise CommandError(f"{error}") from None
        self.stdout.write(f"{out}: check it with `python verify.py {out.name}`")
