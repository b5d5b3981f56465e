"""What a new installation gets: an administrator, a tenant, keys, and the demo tenant."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group

from tracking import vocabulary as v
from tracking.access.keys import create_key
from tracking.models import Membership, Tenant, User
from tracking.simulation import demo_definitions

TENANT = "default"
DEMO_TENANT = "demo"
ADMIN = "admin"


def credentials_path() -> Path:
    return Path(settings.DFT_DATA_DIR) / "credentials.json"


def demo_path() -> Path:
    """Present from the first start until the demo tenant's records are posted."""
    return Path(settings.DFT_DATA_DIR) / "demo.json"


def ensure_first_start() -> bool:
    """Create what a new installation needs; True if this was the first start.

    An installation is new while its database has no user at all.
    """
    path = credentials_path()
    if User.objects.exists():
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            if known.get("url") != settings.DFT_PUBLIC_URL:
                write_secret(path, {**known, "url": settings.DFT_PUBLIC_URL})
        return False
    password = secrets.token_urlsafe(15)
    tenant, _created = Tenant.objects.get_or_create(slug=TENANT, defaults={"name": "Default"})
    ingest = _key(tenant, "first ingest key", v.SCOPE_INGEST)
    read = _key(tenant, "first read key", v.SCOPE_READ)
    tenants = [tenant]
    if settings.DFT_DEMO:
        demo, _created = Tenant.objects.get_or_create(slug=DEMO_TENANT, defaults={"name": "Demo"})
        write_secret(demo_path(), {"ingest_key": _key(demo, "demo seed", v.SCOPE_INGEST)})
        demo_definitions(demo.slug)
        tenants.append(demo)
    write_secret(
        path,
        {
            "url": settings.DFT_PUBLIC_URL,
            "admin_user": ADMIN,
            "admin_password": password,
            "tenant": tenant.slug,
            "ingest_key": ingest,
            "read_key": read,
        },
    )
    # The user comes last: a start that was killed half-way is still a first start.
    admin = User(username=ADMIN, full_name="Administrator", is_superuser=True, is_staff=True)
    admin.set_password(password)
    admin.save(force_insert=True)
    admin.groups.set(Group.objects.filter(name__in=v.ROLES))
    for each in tenants:
        Membership.objects.get_or_create(user=admin, tenant=each)
    return True


def write_secret(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that only the owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    temporary.replace(path)


def _key(tenant: Tenant, name: str, scope: str) -> str:
    _row, secret = create_key(tenant=tenant.slug, name=name, scopes=[scope])
    return secret
