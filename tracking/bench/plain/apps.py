from django.apps import AppConfig


class PlainConfig(AppConfig):
    name = "tracking.bench.plain"
    label = "plain"
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"
