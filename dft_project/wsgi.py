"""WSGI entry point."""

import os
import threading

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dft_project.settings")
application = get_wsgi_application()


def _warn_if_exposed() -> None:
    from tracking.mongo.connection import database
    from tracking.mongo.grants import warn_if_exposed
    from tracking.mongo.users import WEB

    warn_if_exposed(database(), WEB)


# beside, so that a database that is away holds up no worker
threading.Thread(target=_warn_if_exposed, name="rights", daemon=True).start()
