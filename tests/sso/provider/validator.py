"""What the provider tells of people: claims from `people.json`, by the scopes asked for."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    oidc_claim_scope = {
        **OAuth2Validator.oidc_claim_scope,
        "groups": "groups",
        "realm_access": "groups",
    }

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        people = json.loads((settings.DIRECTORY / "people.json").read_text())
        return {"preferred_username": request.user.username, **people[request.user.username]}
