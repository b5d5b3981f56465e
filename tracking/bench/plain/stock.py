"""Django's own admin over our transactions: what a project gets without further work."""

from __future__ import annotations

from django.contrib import admin

from tracking.models import Transaction


class StockTransactionAdmin(admin.ModelAdmin):
    list_display = ("object_id", "object_type", "status", "flow", "block", "stage", "updated_at")
    list_filter = ("status", "stage")
    search_fields = ("object_id",)
    list_per_page = 50  # as many as ours shows


stock = admin.AdminSite(name="stock")
stock.register(Transaction, StockTransactionAdmin)
