"""Who: tenants, users, their second factors, memberships, API keys."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin, UserManager
from django.core.validators import MaxValueValidator
from django.db import models
from django_mongodb_backend.queryset import MongoQuerySet

from tracking import clock
from tracking import vocabulary as v
from tracking.models.base import TENANT_MAX, MongoManager, UuidModel, slug_validator


def usually_personal() -> list[str]:
    return list(v.PERSONAL_ATTRIBUTES)


class Tenant(models.Model):
    """A customer of the platform whose data it is; the wall nobody sees over."""

    slug = models.CharField(
        primary_key=True,
        max_length=TENANT_MAX,
        db_column="_id",
        validators=[slug_validator],
        help_text="Part of every record's key; it can never change.",
    )
    name = models.CharField(max_length=100)
    is_test = models.BooleanField(
        "test tenant",
        default=False,
        help_text="For trying things out: Developers may simulate objects in it. A tenant is one"
        " from its beginning, or never.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # access/masking.py says what they mean
    personal_attributes = models.JSONField(default=usually_personal, blank=True)
    open_references = models.JSONField(default=list, blank=True)

    objects = MongoManager()

    class Meta:
        db_table = "tenant"
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name or self.slug


class AccountManager(UserManager.from_queryset(MongoQuerySet)):
    """Django's user manager on the backend's query set."""


class User(AbstractBaseUser, PermissionsMixin, UuidModel):
    """Someone who signs in."""

    username = models.CharField(max_length=150, unique=True)
    full_name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    is_staff = models.BooleanField(
        "may sign in", default=True, help_text="Whether this account may sign in."
    )
    is_active = models.BooleanField(
        default=True,
        help_text="Switch off instead of deleting: what they did keeps their name.",
    )
    date_joined = models.DateTimeField(default=clock.now, editable=False)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ()

    objects = AccountManager()

    class Meta:
        db_table = "user"
        ordering = ("username",)

    def __str__(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def get_short_name(self) -> str:
        return self.username

    def natural_key(self) -> tuple[Any, ...]:
        return (self.username,)


class Membership(UuidModel):
    """This user may see this tenant."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="memberships")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "membership"
        constraints = (
            models.UniqueConstraint(fields=("user", "tenant"), name="membership_user_tenant"),
        )

    def __str__(self) -> str:
        return f"{self.user_id} in {self.tenant_id}"


class ExternalIdentity(models.Model):
    """Whom the provider of single sign-on knows as `subject` has this account, and no other."""

    key = models.CharField(primary_key=True, max_length=64, db_column="_id", editable=False)
    issuer = models.CharField(max_length=500, editable=False)
    subject = models.CharField(max_length=255, editable=False)
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="external_identity")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = MongoManager()

    class Meta:
        db_table = "external_identity"

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"


class SecondFactor(models.Model):
    """Somebody's authenticator app, under the key of its user: one each (access/second_factor.py).

    The database alone is of no use to a thief: the secret is encrypted, and recovery codes are
    hashed, under keys that are not in it.
    """

    id = models.UUIDField(primary_key=True, editable=False, db_column="_id")
    serial = models.CharField(max_length=32, help_text="Another one for each device.")
    secret = models.CharField(max_length=200)
    last_step = models.BigIntegerField(help_text="Of the last code taken; none is taken twice.")
    recovery = models.JSONField(default=list)
    made_at = models.DateTimeField(default=clock.now)

    objects = MongoManager()

    class Meta:
        db_table = "second_factor"
        # nobody gets a right to it by a role: each sees their own, through its own page
        default_permissions = ()

    def __str__(self) -> str:
        return f"second factor of {self.id}"


class ApiKey(models.Model):
    """A service's key: `dft_<prefix>_<secret>`, of which only a hash of the secret is kept."""

    prefix = models.CharField(primary_key=True, max_length=12, db_column="_id", editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=100, help_text="Which service uses it.")
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="api_keys")
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    networks = models.JSONField(default=list, blank=True)
    last_used_at = models.DateTimeField("last used", null=True, editable=False)
    replaced_by = models.CharField(max_length=12, blank=True, default="", editable=False)
    records_per_second = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(v.RATE_MAX)],
        help_text="How many records a second it may post; empty: as all others, 0: no limit.",
    )

    objects = MongoManager()

    class Meta:
        db_table = "api_key"
        ordering = ("-created_at",)
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} (dft_{self.prefix}_…)"
