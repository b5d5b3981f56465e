"""`/plain`: DRF serializers with bulk_create; `/nothing`: our authentication, then 204.

For pages: `/signed-in`: a session, then nothing; `/stock/`: Django's own admin.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator
from rest_framework.views import APIView

from tracking import clock
from tracking.access.keys import authenticate
from tracking.bench.plain.models import PlainRecord
from tracking.bench.plain.stock import stock


class BulkSerializer(serializers.ListSerializer):
    def create(self, validated_data: list[dict[str, Any]]) -> list[PlainRecord]:
        rows = [PlainRecord(**data) for data in validated_data]
        return PlainRecord.objects.bulk_create(rows)


class PlainSerializer(serializers.ModelSerializer):
    # What ModelSerializer makes of a unique field: a query for each record.
    id = serializers.CharField(
        source="record_id",
        max_length=128,
        validators=[UniqueValidator(PlainRecord.objects.all())],
    )

    class Meta:
        model = PlainRecord
        list_serializer_class = BulkSerializer
        fields = (
            "id",
            "object",
            "flow",
            "block",
            "stage",
            "status",
            "occurred_at",
            "started_at",
            "ended_at",
            "attributes",
            "references",
            "usage",
            "cost",
        )


class PlainView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        many = isinstance(request.data, list)
        serializer = PlainSerializer(data=request.data if many else [request.data], many=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response({"stored": len(serializer.data)}, status=201)


@csrf_exempt
def nothing(request: HttpRequest) -> HttpResponse:
    authenticate(request.headers["Authorization"].removeprefix("Bearer "), clock.now())
    request.read()
    return HttpResponse(status=204)


@login_required
def signed_in(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("nothing")


def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("plain", PlainView.as_view()),
    path("nothing", nothing),
    path("signed-in", signed_in),
    path("stock/", stock.urls),
    path("healthz", healthz),
]
