from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import django


def main(directory: Path, port: int) -> None:
    os.environ["OPENID_PROVIDER_DIRECTORY"] = str(directory)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.sso.provider.settings"
    django.setup()
    from django.core.management import call_command
    from django.core.servers.basehttp import ThreadedWSGIServer
    from django.core.wsgi import get_wsgi_application
    from django.test.testcases import QuietWSGIRequestHandler

    call_command("migrate", verbosity=0)
    register(directory)
    server = ThreadedWSGIServer(("127.0.0.1", port), QuietWSGIRequestHandler)
    server.set_app(get_wsgi_application())
    # whoever started it may be killed, and then nobody else would end it
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever()


def register(directory: Path) -> None:
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    for name in json.loads((directory / "people.json").read_text()):
        if not User.objects.filter(username=name).exists():
            User.objects.create_user(name, password=name)
    client = json.loads((directory / "client.json").read_text())
    if not Application.objects.exists():
        Application.objects.create(
            name="DFT",
            client_id=client["id"],
            client_secret=client["secret"],
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
            redirect_uris=client["redirect_uri"],
            algorithm=Application.RS256_ALGORITHM,
        )


main(Path(sys.argv[1]), int(sys.argv[2]))
