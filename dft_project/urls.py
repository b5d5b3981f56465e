"""The only place that mounts."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from tracking.api import health
from tracking.api.metrics import metrics

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("tracking.api.urls")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]

handler400 = "tracking.api.problems.on_bad_request"
handler403 = "tracking.api.problems.on_forbidden"
handler404 = "tracking.api.problems.on_not_found"
handler500 = "tracking.api.problems.on_server_error"
